"""When a contact is pressed, bounces or is stuck: the rule alone, with made-up times."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kiosd_drivers._press import Contact


def contact(down: bool = False) -> Contact:
    return Contact(debounce_s=0.05, stuck_s=10.0, down=down, at=100.0)


def presses(of: Contact, *edges: tuple[bool, float]) -> list[float]:
    return [at for down, at in edges if of.edge(down, at)]


def test_the_first_closing_is_the_press_and_it_does_not_wait() -> None:
    assert presses(contact(), (True, 101.0), (False, 101.2), (True, 102.0)) == [101.0, 102.0]


def test_five_bounces_within_30_ms_are_one_press() -> None:
    bounces = [(index % 2 == 0, 101.0 + index * 0.003) for index in range(10)]
    assert presses(contact(), *bounces) == [101.0]


def test_bounces_of_the_release_are_no_press() -> None:
    assert presses(contact(), (True, 101.0), (False, 103.0), (True, 103.004), (False, 103.006)) == [101.0]


@pytest.mark.parametrize(("gap", "second"), [(0.049, []), (0.051, [101.1])])
def test_the_contact_must_have_been_quiet_for_50_ms(gap: float, second: list[float]) -> None:
    assert presses(contact(), (True, 101.0), (False, 101.1 - gap), (True, 101.1)) == [101.0, *second]


def test_a_contact_that_is_closed_at_the_start_gives_a_press_only_after_it_opened() -> None:
    assert presses(contact(down=True), (False, 101.0), (True, 102.0)) == [102.0]


def test_the_same_edge_told_twice_is_one_press() -> None:
    assert presses(contact(), (True, 101.0), (True, 102.0), (False, 103.0), (True, 104.0)) == [101.0, 104.0]


def test_a_contact_held_for_10_s_is_stuck_until_it_opens() -> None:
    button = contact()
    button.edge(True, 101.0)
    assert [button.check(True, at) for at in (102.0, 110.9, 111.0, 112.0)] == [False, False, True, False]
    assert button.stuck
    button.edge(False, 112.5)
    assert button.check(False, 113.0)
    assert not button.stuck


def test_a_shaking_contact_is_still_held() -> None:
    button = contact()
    button.edge(True, 101.0)
    button.edge(False, 105.0)
    assert not button.check(False, 105.0005)
    button.edge(True, 105.001)
    assert button.check(True, 111.0)


def test_a_new_press_starts_the_time_anew() -> None:
    button = contact()
    assert presses(button, (True, 101.0), (False, 105.0), (True, 106.0)) == [101.0, 106.0]
    assert not button.check(True, 111.0)
    assert button.check(True, 116.0)


def test_the_level_makes_good_a_lost_opening_edge() -> None:
    button = contact()
    assert presses(button, (True, 101.0)) == [101.0]
    assert not button.check(False, 102.0)
    assert not button.check(True, 112.0)
    assert presses(button, (True, 112.0)) == [112.0]


def test_a_level_read_before_its_edge_arrives_does_not_eat_the_press() -> None:
    button = contact()
    assert not button.check(True, 101.001)
    assert presses(button, (True, 101.0)) == [101.0]


@given(st.lists(st.tuples(st.booleans(), st.floats(0.0, 0.3)), max_size=60))
def test_no_two_presses_are_closer_than_the_debounce_time(steps: list[tuple[bool, float]]) -> None:
    button, now, found = contact(), 100.0, []
    for down, gap in steps:
        now += gap
        if button.edge(down, now):
            found.append(now)
    assert all(later - earlier >= 0.05 for earlier, later in pairwise(found))
