"""What a consumer's watermark is worth, what is sent again and when, which event kills connections, and what all that is called."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kiosd.clock import ManualClock
from kiosd.mqtt.suspects import STRIKES, Suspects
from kiosd.mqtt.troubles import HELD_S, LEFT_OUT_S, Trouble, Troubles
from kiosd.mqtt.watermark import AHEAD, CONFIRM_S, FEW, LONGEST_S, MAX_BYTES, Watermark

NOON = datetime(2026, 7, 1, 5, tzinfo=UTC)
NEWEST = 100


def ack(sequence: object, stream: str = "s") -> bytes:
    return f'{{"stream":"{stream}","sequence":{sequence}}}'.encode()


@pytest.mark.parametrize("payload", [ack(60), ack('"60"'), ack('"000000000000060"')])
def test_a_watermark_rises_with_number_or_text(payload: bytes) -> None:
    mark = Watermark("s", 50)
    assert mark.take(payload, NEWEST, 0)
    assert (mark.seq, mark.refused) == (60, "")


@pytest.mark.parametrize(
    ("payload", "why"),
    [
        (ack(60, "another"), "of another stream"),
        (ack(49), "goes back: 50"),
        (ack(101), "of the future: the newest event is 100"),
        (ack(-1), "no watermark"),
        (ack(60.5), "no watermark"),
        (ack("true"), "no watermark"),
        (ack('"6x"'), "no watermark"),
        (b'{"stream":"s","sequence":60,"more":1}', "no watermark"),
        (b'{"sequence":60}', "no watermark"),
        (b"[]", "no watermark"),
        (b"\xff", "no watermark"),
        (ack(60) + b" " * MAX_BYTES, "no watermark"),
    ],
)
def test_what_is_no_watermark_of_ours_counts_for_nothing(payload: bytes, why: str) -> None:
    mark = Watermark("s", 50)
    assert not mark.take(payload, NEWEST, 0)
    assert mark.seq == 50
    assert why in mark.refused


@given(st.binary(max_size=300))
def test_whatever_is_written_there_does_no_harm(payload: bytes) -> None:
    mark = Watermark("s", 50)
    assert mark.take(payload, NEWEST, 0) == (mark.seq > 50)


def test_a_watermark_that_was_cleared_or_said_twice_is_no_mistake() -> None:
    mark = Watermark("s", 50)
    assert not mark.take(b"", NEWEST, 0)
    assert not mark.take(ack(50), NEWEST, 0)
    assert mark.refused == ""


def test_patience_counts_from_the_first_event_that_is_not_acknowledged() -> None:
    mark = Watermark("s", 0)
    assert mark.waited_s(1000) is None
    mark.note(1, 1000)
    mark.note(2, 1020)
    assert mark.waited_s(1030) == 30
    mark.take(ack(1), NEWEST, 1031)
    assert mark.waited_s(1040) == 9
    mark.take(ack(2), NEWEST, 1041)
    assert mark.waited_s(2000) is None
    mark.note(3, 2000)
    assert mark.waited_s(2001) == 1


def test_each_time_in_vain_doubles_the_patience_and_few_are_sent_until_it_rises() -> None:
    mark = Watermark("s", 0)
    assert mark.allows(AHEAD)
    assert not mark.allows(AHEAD + 1)
    waits = []
    for _ in range(7):
        waits.append(mark.patience_s)
        mark.rewind()
    assert waits == [CONFIRM_S, 60, 120, 240, LONGEST_S, LONGEST_S, LONGEST_S]
    assert mark.allows(FEW)
    assert not mark.allows(FEW + 1)
    mark.take(ack(1), NEWEST, 0)
    assert mark.patience_s == CONFIRM_S
    assert mark.allows(1 + 2 * FEW)
    assert not mark.allows(2 + 2 * FEW)


def test_what_is_gone_needs_no_acknowledgement() -> None:
    mark = Watermark("s", 0)
    mark.skip(5000)
    assert mark.allows(5001)
    assert mark.waited_s(0) is None


def test_the_event_that_was_under_way_at_three_ends_is_guilty() -> None:
    suspects = Suspects()
    assert suspects.ended(range(1, 21), sudden=True) is None
    assert suspects, "they go alone from now on"
    for seq in range(1, 7):
        suspects.answered(seq)
    assert suspects.ended([7], sudden=True) is None
    assert suspects.ended([7], sudden=True) == 7
    assert not suspects
    assert STRIKES == 3


@pytest.mark.parametrize(("under_way", "sudden"), [([7], False), ([], True), ([8], True), ([7, 8], True)])
def test_an_end_that_is_not_the_suspects_acquits_it(under_way: list[int], sudden: bool) -> None:
    suspects = Suspects()
    suspects.ended([7], sudden=True)
    suspects.ended([7], sudden=True)
    assert suspects.ended(under_way, sudden) is None
    assert suspects.ended([7], sudden=True) is None


def test_no_trouble_no_word() -> None:
    assert Troubles().worst(ManualClock(NOON).now()) is None


def test_a_refusal_is_told_at_once_and_silence_after_a_minute() -> None:
    troubles, clock = Troubles(), ManualClock(NOON)
    troubles.hold("ticket", 5, "nobody_listens", clock.now())
    troubles.hold("scan", 7, "not_authorized", clock.now())
    assert troubles.worst(clock.now()) == Trouble("refused", "the broker refuses ev/scan since 2026-07-01T05:00:00.000Z: not_authorized")
    clock.advance(HELD_S)
    troubles.hold("ticket", 5, "nobody_listens", clock.now())
    worst = troubles.worst(clock.now())
    assert worst is not None
    assert worst.detail.endswith("; nobody takes ev/ticket since 2026-07-01T05:00:00.000Z"), "the first time counts"
    troubles.settled({"ticket": 4, "scan": 7})
    assert troubles.worst(clock.now()) == Trouble("nobody_listens", "nobody takes ev/ticket since 2026-07-01T05:00:00.000Z")
    troubles.settled({"ticket": 5})
    assert troubles.worst(clock.now()) is None


def test_events_that_were_left_out_are_told_for_a_day() -> None:
    troubles, clock = Troubles(), ManualClock(NOON)
    troubles.left_out({3: ("too_large", "2026-06-01T00:00:00.000Z"), 9: ("kills_connection", "2026-07-01T05:00:00.000Z")})
    words = "event 9 was left out at 2026-07-01T05:00:00.000Z: kills_connection; 1 in 24 hours"
    assert troubles.worst(clock.now()) == Trouble("quarantined", words)
    clock.advance(LEFT_OUT_S)
    assert troubles.worst(clock.now()) is None


def test_a_silent_consumer_is_named_with_the_time_it_was_last_heard() -> None:
    troubles, clock = Troubles("central"), ManualClock(NOON)
    troubles.unconfirmed(NOON)
    troubles.unconfirmed(NOON + timedelta(minutes=1))
    assert troubles.worst(clock.now()) == Trouble("unconfirmed", "central has acknowledged nothing since 2026-07-01T05:00:00.000Z")
    troubles.unconfirmed(None)
    assert troubles.worst(clock.now()) is None
