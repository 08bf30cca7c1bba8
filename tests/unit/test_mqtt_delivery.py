"""Whatever is accepted, refused, cut off or late: nothing is lost, and no cursor runs ahead of what was accepted."""

from datetime import UTC, datetime

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from kiosd.clock import ManualClock
from kiosd.mqtt.delivery import Delivery, Parcel
from kiosd.queue.events import CounterOpened, Event, Record, ScanUnattached, TicketExpired, family

NOW = ManualClock(datetime(2026, 7, 1, tzinfo=UTC)).now()
KINDS: dict[str, Event] = {
    "ticket": TicketExpired(ticket="t", number="A001", service="A"),
    "counter": CounterOpened(counter=1),
    "scan": ScanUnattached(counter=1),
}


def journal(*families: str) -> list[Record]:
    return [Record(seq, NOW, KINDS[name], "c") for seq, name in enumerate(families, start=1)]


def run_pass(delivery: Delivery, records: list[Record]) -> list[Parcel]:
    """A whole pass; the parcels it makes."""
    since = delivery.begin()
    if since is None:
        return []
    return [parcel for record in records[since:] if (parcel := delivery.offer(record)) is not None]


def numbers(parcels: list[Parcel]) -> list[int]:
    return [parcel.record.seq for parcel in parcels]


def test_everything_accepted_goes_out_in_order_and_all_cursors_follow() -> None:
    records, delivery = journal("ticket", "counter", "ticket", "scan"), Delivery({}, KINDS)
    parcels = run_pass(delivery, records)
    assert numbers(parcels) == [1, 2, 3, 4]
    for parcel in reversed(parcels):
        delivery.accepted(parcel)
    assert delivery.cursors == {"ticket": 4, "counter": 4, "scan": 4}


def test_a_cursor_waits_for_the_oldest_of_its_family() -> None:
    records, delivery = journal("ticket", "ticket", "counter"), Delivery({}, KINDS)
    first, second, other = run_pass(delivery, records)
    delivery.accepted(second)
    delivery.accepted(other)
    assert delivery.cursors == {"ticket": 0, "counter": 3, "scan": 3}
    delivery.accepted(first)
    assert delivery.cursors["ticket"] == 3


def test_a_refused_family_is_held_and_the_others_go_on() -> None:
    records, delivery = journal("ticket", "counter", "ticket"), Delivery({}, KINDS)
    parcels = run_pass(delivery, records)
    assert delivery.refused(parcels[0])
    assert not delivery.refused(parcels[2])
    delivery.accepted(parcels[1])
    assert delivery.held == ("ticket",)
    assert delivery.cursors["counter"] == 3
    records += journal("ticket", "counter", "ticket", "ticket", "counter")[3:]
    assert numbers([parcel for record in records[3:] if (parcel := delivery.offer(record))]) == [5]


def test_when_one_held_family_is_taken_again_all_that_is_owed_comes_in_order() -> None:
    records, delivery = journal("ticket", "counter", "scan", "ticket", "counter"), Delivery({}, KINDS)
    for parcel in run_pass(delivery, records):
        delivery.refused(parcel)
    assert delivery.begin() is None
    assert [record.seq for record in delivery.probes] == [1, 2, 3]
    delivery.probed(delivery.probes[0])
    assert delivery.moved
    assert numbers(run_pass(delivery, records)) == [2, 3, 4, 5]


def test_an_old_send_that_was_accepted_ends_the_hold() -> None:
    records, delivery = journal("ticket", "ticket"), Delivery({}, KINDS)
    first, second = run_pass(delivery, records)
    delivery.refused(first)
    delivery.accepted(second)
    assert not delivery.held
    assert numbers(run_pass(delivery, records)) == [1, 2]


def test_a_hold_far_behind_the_others_does_not_make_the_pass_read_everything() -> None:
    delivery = Delivery({"ticket": 0, "counter": 1000, "scan": 1000}, KINDS)
    assert delivery.begin() == 0
    parcel = delivery.offer(journal("ticket")[0])
    assert parcel is not None
    delivery.refused(parcel)
    assert delivery.moved
    assert delivery.begin() == 1000


def test_what_was_under_way_when_the_connection_ended_is_sent_again() -> None:
    records, delivery = journal("ticket", "counter", "ticket"), Delivery({}, KINDS)
    parcels = run_pass(delivery, records)
    delivery.accepted(parcels[0])
    delivery.disconnected()
    delivery.accepted(parcels[1])  # the answer came too late to be believed
    assert numbers(run_pass(delivery, records)) == [2, 3]


def test_the_first_event_of_a_family_goes_alone_until_it_was_accepted() -> None:
    records, delivery = journal("ticket", "ticket", "counter"), Delivery({}, KINDS)
    delivery.begin()
    first = delivery.offer(records[0])
    assert first is not None
    assert delivery.waits(records[1])
    assert not delivery.waits(records[2])
    delivery.accepted(first)
    assert not delivery.waits(records[1])


def test_what_the_consumer_has_is_told_although_the_broker_has_not_answered() -> None:
    records, delivery = journal("ticket", "ticket", "counter", "ticket"), Delivery({}, KINDS)
    parcels = run_pass(delivery, records)
    delivery.confirmed(3)
    assert delivery.cursors == {"ticket": 3, "counter": 4, "scan": 4}
    assert not delivery.refused(parcels[0]), "it was told already"
    delivery.accepted(parcels[3])
    assert delivery.cursors == {"ticket": 4, "counter": 4, "scan": 4}


def test_what_the_consumer_has_ends_a_hold() -> None:
    records, delivery = journal("ticket", "counter", "ticket"), Delivery({}, KINDS)
    delivery.refused(run_pass(delivery, records)[0])
    delivery.confirmed(2)
    assert not delivery.held
    assert numbers(run_pass(delivery, records)) == [3]


def test_what_the_consumer_does_not_have_is_owed_again_in_order() -> None:
    records, delivery = journal("ticket", "counter", "ticket", "scan"), Delivery({}, KINDS)
    for parcel in run_pass(delivery, records):
        delivery.accepted(parcel)
    delivery.confirmed(1)
    delivery.rewind(1)
    assert delivery.cursors == {"ticket": 1, "counter": 1, "scan": 1}
    assert numbers(run_pass(delivery, records)) == [2, 3, 4]


def test_a_family_that_is_not_told_is_passed_over() -> None:
    records, delivery = journal("ticket", "counter", "scan"), Delivery({}, KINDS, told=["counter"])
    (parcel,) = run_pass(delivery, records)
    delivery.accepted(parcel)
    assert parcel.record.seq == 2
    assert delivery.cursors == {"ticket": 3, "counter": 3, "scan": 3}


class DeliveryMachine(RuleBasedStateMachine):
    """An uplink, a broker and its subscribers in any order of events."""

    @initialize()
    def start(self) -> None:
        self.records: list[Record] = []
        self.delivery = Delivery({}, KINDS)
        self.position: int | None = None
        self.under_way: list[Parcel] = []
        self.taken: set[int] = set()
        self.sent: list[int] = []
        self.always_taken = True

    @rule(name=st.sampled_from(sorted(KINDS)))
    def happen(self, name: str) -> None:
        self.records.append(Record(len(self.records) + 1, NOW, KINDS[name], "c"))

    @rule(count=st.integers(1, 8))
    def read(self, count: int) -> None:
        for _ in range(count):
            if self.delivery.moved:
                self.position = self.delivery.begin()
            if self.position is None or self.position >= len(self.records) or self.delivery.waits(self.records[self.position]):
                return
            parcel = self.delivery.offer(self.records[self.position])
            self.position += 1
            if parcel is not None:
                self.under_way.append(parcel)
                self.sent.append(parcel.record.seq)

    @precondition(lambda self: self.delivery.moved and self.position is not None and self.position < len(self.records))
    @rule()
    def read_on_although_the_pass_is_over(self) -> None:
        assert self.position is not None
        assert self.delivery.offer(self.records[self.position]) is None

    @precondition(lambda self: self.under_way)
    @rule(data=st.data())
    def accept(self, data: st.DataObject) -> None:
        self._accept(data.draw(st.integers(0, len(self.under_way) - 1)))

    def _accept(self, index: int) -> None:
        parcel = self.under_way.pop(index)
        self.taken.add(parcel.record.seq)
        self.delivery.accepted(parcel)

    @precondition(lambda self: self.under_way)
    @rule(data=st.data())
    def refuse(self, data: st.DataObject) -> None:
        self.always_taken = False
        self.delivery.refused(self.under_way.pop(data.draw(st.integers(0, len(self.under_way) - 1))))

    @rule(arrived=st.booleans())
    def disconnect(self, arrived: bool) -> None:
        self.always_taken = False
        if arrived:
            self.taken |= {parcel.record.seq for parcel in self.under_way}
        self.under_way.clear()
        self.delivery.disconnected()

    @precondition(lambda self: self.delivery.probes)
    @rule()
    def probe(self) -> None:
        record = self.delivery.probes[0]
        self.taken.add(record.seq)
        self.delivery.probed(record)

    @rule(data=st.data())
    def confirm(self, data: st.DataObject) -> None:
        """The consumer has everything up to some event, whatever was answered."""
        have = next((seq for seq in range(1, len(self.records) + 1) if seq not in self.taken), len(self.records) + 1) - 1
        self.delivery.confirmed(data.draw(st.integers(0, have)))

    @rule(data=st.data())
    def rewind(self, data: st.DataObject) -> None:
        """The consumer does not say that it has what the broker took."""
        self.always_taken = False
        seq = data.draw(st.integers(0, len(self.records)))
        self.taken = {one for one in self.taken if one <= seq}
        self.under_way.clear()
        self.delivery.rewind(seq)

    @rule()
    def restart(self) -> None:
        self.always_taken = False
        self.under_way.clear()
        self.delivery = Delivery(self.delivery.cursors, KINDS)

    @invariant()
    def no_cursor_passes_what_was_not_accepted(self) -> None:
        for name, cursor in self.delivery.cursors.items():
            owed = [record.seq for record in self.records if family(record.event.type) == name and record.seq not in self.taken]
            assert not owed or cursor < min(owed)

    def teardown(self) -> None:
        """In the end everybody listens: everything arrives, and in order when nothing ever went wrong."""
        while len(self.records) and (self.under_way or self.delivery.probes or self.delivery.moved or self.position != len(self.records)):
            if self.delivery.probes:
                self.probe()
            self.read(8)
            while self.under_way:
                self._accept(0)
        assert self.taken == {record.seq for record in self.records}
        assert set(self.delivery.cursors.values()) <= {len(self.records)}
        assert not self.always_taken or self.sent == [record.seq for record in self.records]


TestDelivery = DeliveryMachine.TestCase
TestDelivery.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
