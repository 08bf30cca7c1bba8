"""What the presses of one panel mean together, and how lamps say things: with made-up times."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kiosd.ports import Fault, LampState, Press
from kiosd_drivers._lamps import BLINKS, Lamp
from kiosd_drivers._press import CROSSED_AFTER, JABBER, PLACES, QUIET_S, Contact, Presses, PressRules, Two

GAP = 0.15
Steps = list[tuple[str, float]]


def run(steps: Steps, two: Two, hold_off_s: float = 0.0) -> list[Press | Fault]:
    """All that comes of presses at these times; the last moment is settled."""
    panel = Presses(PressRules(hold_off_s=hold_off_s, two=two, together_s=GAP))
    found = [item for button, at in steps for item in panel.press(button, at)]
    return found + panel.settle(1e9)


def buttons(items: list[Press | Fault]) -> str:
    return "".join(item.button for item in items if isinstance(item, Press))


@pytest.mark.parametrize(
    ("steps", "first", "none", "both"),
    [
        ([("A", 0.0)], "A", "A", "A"),
        ([("A", 0.0), ("B", 0.1)], "A", "", "AB"),
        ([("A", 0.0), ("B", 0.16)], "AB", "AB", "AB"),
        ([("A", 0.0), ("B", 0.1), ("C", 0.2)], "AC", "", "ABC"),
        ([("A", 0.0), ("B", 0.1), ("A", 0.3)], "AA", "A", "ABA"),
        ([("A", 0.0), ("A", 0.1)], "A", "A", "AA"),
        ([("A", 0.0), ("A", 0.1), ("B", 0.2)], "AB", "", "AAB"),
        ([("A", 0.0), ("B", 0.05), ("B", 0.1), ("B", 1.0)], "AB", "B", "ABBB"),
    ],
)
def test_two_at_once(steps: Steps, first: str, none: str, both: str) -> None:
    assert [buttons(run(steps, two)) for two in ("first", "none", "both")] == [first, none, both]


@pytest.mark.parametrize(("two", "heard"), [("first", "ABA"), ("none", "ABA"), ("both", "ABA")])
def test_a_button_is_deaf_for_a_while_after_its_press_and_no_other_is(two: Two, heard: str) -> None:
    assert buttons(run([("A", 0.0), ("A", 0.9), ("B", 1.2), ("A", 1.8), ("A", 2.1)], two, hold_off_s=2.0)) == heard


def test_who_pressed_two_at_once_may_press_one_of_them_at_once() -> None:
    assert buttons(run([("A", 0.0), ("B", 0.1), ("A", 0.4)], "none", hold_off_s=2.0)) == "A"


def test_a_press_that_may_not_be_alone_waits_no_longer_than_that_takes() -> None:
    panel = Presses(PressRules(two="none", together_s=GAP))
    assert panel.due is None
    assert panel.press("A", 5.0) == []
    assert panel.due == pytest.approx(5.15)
    assert panel.settle(5.1) == []
    assert panel.settle(5.16) == [Press("A", 5.0)]
    assert panel.due is None


@pytest.mark.parametrize("two", ["first", "none"])
def test_two_that_never_come_alone_are_a_fault_until_one_does(two: Two) -> None:
    always: Steps = [(button, moment + shift) for moment in range(CROSSED_AFTER + 2) for button, shift in (("B", 0.0), ("A", 0.01))]
    faults = [item for item in run(always, two) if isinstance(item, Fault)]
    assert [(fault.code, fault.subject) for fault in faults] == [("together", "A+B")]
    faults = [item for item in run([*always, ("C", 50.0), ("A", 60.0)], two) if isinstance(item, Fault)]
    assert [(fault.code, fault.subject) for fault in faults] == [("together", "A+B"), ("", "A+B")]


def test_a_visitor_who_presses_two_at_once_is_no_fault() -> None:
    steps: Steps = [(button, moment + shift) for moment in range(6) for button, shift in (("A", 0.0), ("B", 0.01), ("A", 0.5))]
    assert not [item for item in run(steps, "none") if isinstance(item, Fault)]


walks = st.lists(st.tuples(st.sampled_from("ABC"), st.floats(0.0, 0.4)), max_size=40)


def at_times(walk: Steps) -> Iterator[tuple[str, float]]:
    now = 0.0
    for button, gap in walk:
        now += gap
        yield button, now


@given(walks, st.sampled_from([0.0, 0.5, 2.0]))
def test_what_counts_is_never_at_once_and_never_too_soon(walk: Steps, hold_off_s: float) -> None:
    steps = list(at_times(walk))
    for two in ("first", "none"):
        counted = [item for item in run(steps, two, hold_off_s) if isinstance(item, Press)]
        assert {(press.button, press.at) for press in counted} <= set(steps), "nothing is made up"
        assert counted == sorted(counted, key=lambda press: press.at), "oldest first"
        assert all(later.at - earlier.at >= GAP - 1e-9 for earlier, later in pairwise(counted))
        for button in "ABC":
            times = [press.at for press in counted if press.button == button]
            assert all(later - earlier >= hold_off_s - 1e-9 for earlier, later in pairwise(times))


@given(walks)
def test_where_none_counts_each_that_does_was_alone(walk: Steps) -> None:
    steps = list(at_times(walk))
    for item in run(steps, "none"):
        if isinstance(item, Press):
            near = {button for button, at in steps if abs(at - item.at) < GAP - 1e-9}
            assert near == {item.button}


@given(walks)
def test_where_the_first_counts_somebody_always_does(walk: Steps) -> None:
    steps = list(at_times(walk))
    counted = [item.at for item in run(steps, "first") if isinstance(item, Press)]
    assert all(any(0 <= at - one < GAP + 1e-9 for one in counted) for _, at in steps)


# -- places


def test_a_place_fills_what_is_left_open_and_nothing_else() -> None:
    for role, two in PLACES.items():
        assert PressRules().at_place(role) == PressRules(two=two)
        assert PressRules(two="first").at_place(role) == PressRules(two="first")


# -- contacts that shake


def shaking(contact: Contact, edges: int, gap: float, start: float = 10.0) -> float:
    at = start
    for index in range(edges):
        contact.edge(index % 2 == 0, at)
        at += gap
    return at


@pytest.mark.parametrize(
    ("edges", "gap", "muted"), [(JABBER, 0.01, False), (JABBER + 1, 0.01, True), (1000, 0.04, False), (100, 0.03, True)]
)
def test_more_than_thirty_edges_a_second_are_no_finger(edges: int, gap: float, muted: bool) -> None:
    contact = Contact(0.05, 10.0, down=False, at=0.0)
    shaking(contact, edges, gap)
    assert contact.muted is muted


@pytest.mark.parametrize("down", [False, True])
def test_a_muted_contact_is_heard_again_once_it_was_quiet_and_open(down: bool) -> None:
    contact = Contact(0.05, 10.0, down=False, at=0.0)
    last = shaking(contact, 100, 0.01)
    assert not contact.check(down, last + QUIET_S - 1)
    assert contact.check(down, last + QUIET_S + 1) and not contact.muted
    assert contact.edge(True, last + 10) is not down
    contact.edge(False, last + 11)
    assert contact.edge(True, last + 12)


@given(st.lists(st.tuples(st.booleans(), st.floats(0.0, 0.1)), max_size=200))
def test_a_muted_contact_gives_no_press(steps: Steps) -> None:
    contact, now = Contact(0.05, 10.0, down=False, at=0.0), 1.0
    for down, gap in steps:
        now += gap
        before = contact.muted
        assert not (contact.edge(bool(down), now) and (before or contact.muted))


# -- lamps


class Bulb:
    """A lamp's pin that remembers when it was lit and dark."""

    def __init__(self) -> None:
        self.values: list[bool] = []
        self.closed = False

    @property
    def value(self) -> bool:
        return self.values[-1]

    @value.setter
    def value(self, lit: bool) -> None:
        self.values.append(lit)

    def close(self) -> None:
        self.closed = True


@contextmanager
def no_border(_: str) -> Iterator[None]:
    yield


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    for state, times in BLINKS.items():
        monkeypatch.setitem(BLINKS, state, tuple(seconds / 1000 for seconds in times))


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("state", LampState)
async def test_a_lamp_plays_the_pattern_of_its_state(state: LampState) -> None:
    bulb = Bulb()
    lamp = Lamp(bulb, no_border, lambda _: None)
    lamp.show(state)
    times = BLINKS.get(state, ())
    async with asyncio.timeout(5):
        while len(bulb.values) < 2 * len(times):  # noqa: ASYNC110 - a lamp has no event to wait for
            await asyncio.sleep(0.001)
    if times:
        assert bulb.values[: 2 * len(times)] == [seconds > 0 for seconds in times] * 2
    else:
        assert bulb.values == ([True] if state is LampState.ON else [])
    lamp.close()
    assert bulb.closed and bulb.value is False


async def test_a_lamp_that_is_told_the_same_again_keeps_its_rhythm() -> None:
    bulb = Bulb()
    lamp = Lamp(bulb, no_border, lambda _: None)
    for _ in range(3):
        lamp.show(LampState.FAULT)
    assert bulb.values == [True]
    lamp.show(LampState.OFF)
    lamp.show(LampState.ON)
    assert bulb.values == [True, False, True]
    lamp.close()


def test_no_two_states_look_alike() -> None:
    assert len(set(BLINKS.values())) == len(BLINKS)
    assert set(LampState) - set(BLINKS) == {LampState.ON, LampState.OFF}
