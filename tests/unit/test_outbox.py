"""What is owed to a broker, counted in a real journal; and what a consumer can tell from numbers alone."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kiosd.clock import SystemClock
from kiosd.errors import JournalError, Refused
from kiosd.journal.journal import FILE, Entry, Journal
from kiosd.journal.reader import PAGE_ROWS, Reader
from kiosd.mqtt.order import Order
from kiosd.mqtt.outbox import AskReplay, FamilyView, Outbox
from kiosd.mqtt.settings import MqttSettings
from support.fakequeue import FakeQueue, MemoryCursors, issued, opened

BROKER = MqttSettings(host="127.0.0.1")


def journal(folder: Path, queue: FakeQueue, events: int) -> Path:
    """Tickets at odd numbers, counters at even ones."""
    queue.add(*(issued(n) if n % 2 else opened() for n in range(1, events + 1)))
    it = Journal(folder / FILE)
    it.append([Entry(record) for record in queue.records])
    it.close()
    return folder / FILE


def family(found: tuple[FamilyView, ...], name: str) -> FamilyView:
    return next(one for one in found if one.family == name)


async def test_every_broker_is_owed_what_is_behind_its_own_cursor(tmp_path: Path) -> None:
    queue, memory = FakeQueue(SystemClock()), MemoryCursors()
    path = journal(tmp_path, queue, 21)
    for name, seq in (("central/ticket", 5), ("central/counter", 21), ("site/ticket", 21), ("site/counter", 12)):
        memory.set(name, seq)
    brokers = {"central": BROKER, "site": BROKER.model_copy(update={"events": ("counter",)})}
    view = await Outbox(brokers, queue, memory, path).status()
    central, site = view.brokers
    assert (view.newest, central.broker, site.broker) == (21, "central", "site")
    tickets = family(central.families, "ticket")
    assert (tickets.cursor, tickets.owed, tickets.oldest, tickets.since) == (5, 8, 7, queue.records[6].moment.time)
    assert family(central.families, "counter").owed == 0
    assert family(central.families, "rating").owed == 0
    counters = family(site.families, "counter")
    assert (counters.owed, counters.oldest) == (4, 14)
    assert not family(site.families, "ticket").told
    assert central.connection is None and central.reason


async def test_what_was_left_out_is_told(tmp_path: Path) -> None:
    queue, memory = FakeQueue(SystemClock()), MemoryCursors()
    path = journal(tmp_path, queue, 3)
    for seq in range(1, 31):
        memory.quarantine("central", seq, "ticket.issued", "too_large", "2026-07-01T01:05:00.000Z")
    (central,) = (await Outbox({"central": BROKER}, queue, memory, path).status()).brokers
    assert central.left_out == 30
    assert [one.sequence for one in central.quarantined] == list(range(11, 31))


async def test_a_journal_that_cannot_be_read_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(JournalError):
        await Outbox({"central": BROKER}, FakeQueue(SystemClock()), MemoryCursors(), tmp_path / "none").status()


async def test_a_replay_needs_a_broker_that_is_there(tmp_path: Path) -> None:
    it = Outbox({"central": BROKER}, FakeQueue(SystemClock()), MemoryCursors(), tmp_path / FILE)
    for broker, code in (("site", "no_such_broker"), ("central", "not_connected")):
        with pytest.raises(Refused) as no:
            await it.replay(AskReplay(broker=broker, first=1, last=2))
        assert no.value.code == code and no.value.facts["message"]


async def test_the_tally_goes_over_its_pages(tmp_path: Path) -> None:
    queue = FakeQueue(SystemClock())
    reader = Reader(journal(tmp_path, queue, 2 * PAGE_ROWS + 10))
    found = reader.tally(3, 2 * PAGE_ROWS + 9)
    reader.close()
    assert {kind: (count, first) for kind, (count, first, _) in found.items()} == {
        "ticket.issued": (PAGE_ROWS + 4, 3),
        "counter.opened": (PAGE_ROWS + 3, 4),
    }


@given(st.lists(st.integers(1, 30), max_size=60))
def test_an_order_knows_what_came(sequence: list[int]) -> None:
    order, came = Order(), set[int]()
    for number in sequence:
        highest = max(came, default=0)
        mark = order.take(number)
        if number in came:
            assert mark == "duplicate"
        elif number < highest:
            assert mark == "late"
        else:
            assert mark == ("next" if number == highest + 1 else "gap")
        came.add(number)
    assert order.missed(30) == 30 - len(came)
    assert {number for number in range(1, 31) if order.lacks(number)} == set(range(1, 31)) - came
