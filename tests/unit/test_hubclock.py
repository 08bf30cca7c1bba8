"""A satellite's reckoning of its hub's time, and of until when a command is meant."""

from datetime import UTC, datetime, timedelta

import pytest

from kiosd.clock import ManualClock
from kiosd.errors import Unavailable
from kiosd.journal.spool import KINDS
from kiosd.queue.commands import CallNext, Rate
from kiosd.queue.hubclock import MEANT_FOR_S, HubClock
from kiosd.queue.wire import FARTHEST_S, LASTING, UNTIL, came_late, until_text

NOON = datetime(2026, 7, 1, 5, 0, tzinfo=UTC)
NEXT = CallNext(counter=1)
BOOT = "00000000-0000-0000-0000-00000000000b"


def clocks(own_late_s: float = 0.0) -> tuple[ManualClock, ManualClock, HubClock]:
    """The board's clock, the hub's, and the board's reckoning of it."""
    own = ManualClock(NOON - timedelta(seconds=own_late_s), synced=False, monotonic=50.0)
    return own, ManualClock(NOON, boot=BOOT, monotonic=9000.0), HubClock(own)


def ask(own: ManualClock, hub: ManualClock, reckoned: HubClock, way_s: float = 0.0) -> None:
    """The hub is asked for its time; ``way_s`` there and ``way_s`` back."""
    before = own.now()
    for clock in (own, hub):
        clock.advance(way_s)
    told = hub.now()
    for clock in (own, hub):
        clock.advance(way_s)
    reckoned.measured(before, told, own.now())


def test_before_the_first_contact_it_is_the_boards_own() -> None:
    own, _, reckoned = clocks(3600.0)
    assert reckoned.now() == own.now() and reckoned.fault == ""
    with pytest.raises(Unavailable):
        reckoned.stamp(NEXT)


@pytest.mark.parametrize("way_s", [0.0, 0.2])
def test_wall_time_is_the_hubs_and_seconds_are_the_boards(way_s: float) -> None:
    own, hub, reckoned = clocks(86_400.0)
    ask(own, hub, reckoned, way_s)
    for clock in (own, hub):
        clock.advance(60.0)
    own.step_to(NOON + timedelta(days=365))
    now = reckoned.now()
    assert (now.time, now.synced) == (hub.now().time, True)
    assert (now.monotonic, now.boot) == (own.now().monotonic, own.now().boot)


@pytest.mark.parametrize(("late_s", "words"), [(5.0, "5 s behind"), (-7.0, "7 s ahead of"), (1.9, ""), (-1.9, "")])
def test_a_wrong_clock_is_told(late_s: float, words: str, caplog: pytest.LogCaptureFixture) -> None:
    own, hub, reckoned = clocks(late_s)
    with caplog.at_level("INFO"):
        ask(own, hub, reckoned)
        ask(own, hub, reckoned)
    assert words in reckoned.fault and bool(words) == bool(reckoned.fault)
    assert caplog.text.count("the hub's time is used") == 1


@pytest.mark.parametrize("way_s", [0.0, 0.5])
def test_a_command_is_meant_until_then_by_the_hubs_clock(way_s: float) -> None:
    own, hub, reckoned = clocks(86_400.0)
    ask(own, hub, reckoned, way_s)
    own.step_to(NOON + timedelta(days=365))
    expiry_s, properties = reckoned.stamp(NEXT)
    assert expiry_s == 2 and not came_late(properties, hub.now())
    hub.advance(MEANT_FOR_S - 0.001)
    assert not came_late(properties, hub.now())
    hub.advance(0.01)
    assert came_late(properties, hub.now())


def test_a_hub_that_started_anew_takes_no_command_of_before() -> None:
    own, hub, reckoned = clocks()
    ask(own, hub, reckoned)
    _, properties = reckoned.stamp(NEXT)
    hub.reboot(NOON, synced=True)
    assert came_late(properties, hub.now())


def test_out_of_touch_there_are_no_commands_but_what_lasts_is_told() -> None:
    own, hub, reckoned = clocks()
    ask(own, hub, reckoned)
    reckoned.out_of_touch()
    with pytest.raises(Unavailable):
        reckoned.stamp(NEXT)
    assert reckoned.stamp(Rate(counter=1, score=4)) == (None, ())


def test_what_lasts_is_what_is_spooled() -> None:
    assert KINDS.keys() == LASTING


@pytest.mark.parametrize("text", ["", "x", f"{BOOT}/", f"{BOOT}/9000", f"{BOOT}/-1.000", f"{BOOT}/nan", f"{BOOT}/1e3", f"{BOOT}/9000.5000"])
def test_what_is_no_time_is_late(text: str) -> None:
    _, hub, _ = clocks()
    assert came_late(((UNTIL, text),), hub.now())


def test_what_is_meant_for_too_long_was_stamped_by_a_wrong_clock() -> None:
    _, hub, _ = clocks()
    now = hub.now()
    assert not came_late(((UNTIL, until_text(BOOT, now.monotonic + FARTHEST_S)),), now)
    assert came_late(((UNTIL, until_text(BOOT, now.monotonic + FARTHEST_S + 1)),), now)
