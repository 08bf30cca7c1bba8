"""The configuration of buttons and lamps on pins: what it has to say, and what is wrong with it."""

from typing import Any

import pytest
from pydantic import ValidationError

from kiosd.ports import ButtonPanel
from kiosd.registry import find
from kiosd_drivers.gpio_buttons import DRIVER, Config


def test_the_registry_finds_the_driver() -> None:
    assert find("gpio_buttons") is DRIVER
    assert DRIVER.port is ButtonPanel


def test_the_least_configuration_has_the_fields_defaults() -> None:
    config = Config.model_validate({"buttons": {"A": 4}})
    assert (config.pull_up, config.debounce_s, config.stuck_s, config.lamps) == (True, 0.05, 10.0, {})


@pytest.mark.parametrize(
    ("data", "where", "what"),
    [
        ({"buttons": {}}, "buttons", "at least 1"),
        ({"buttons": {"A": 28}}, "buttons.A", "less than or equal to 27"),
        ({"buttons": {"A": -1}}, "buttons.A", "greater than or equal to 0"),
        ({"buttons": {"A": "4"}}, "buttons.A", "valid integer"),
        ({"buttons": {"A": True}}, "buttons.A", "valid integer"),
        ({"buttons": {"A b": 4}}, "buttons.A b", "pattern"),
        ({"buttons": {"": 4}}, "buttons.", "pattern"),
        ({"buttons": {"a" * 17: 4}}, "buttons.aaaaaaaaaaaaaaaaa", "pattern"),
        ({"buttons": {"A\n": 4}}, "buttons.A\n", "pattern"),
        ({"buttons": {"A": []}}, "buttons.A", "at least 1"),
        ({"buttons": {"A": [4, 28]}}, "buttons.A.1", "less than or equal to 27"),
        ({"buttons": {"A": [4, 4]}}, "", "GPIO 4 is used twice: by button A and by button A"),
        ({"buttons": {"A": [2]}, "pull_up": False}, "", "GPIO 2 has a fixed pull-up resistor"),
        ({"buttons": {"A": 4, "B": 4}}, "", "GPIO 4 is used twice: by button A and by button B"),
        ({"buttons": {"A": 4}, "lamps": {"A": 4}}, "", "GPIO 4 is used twice: by button A and by lamp A"),
        ({"buttons": {"A": 2}, "pull_up": False}, "", "GPIO 2 has a fixed pull-up resistor"),
        ({"buttons": {"A": 4}, "debounce_s": 0}, "debounce_s", "greater than or equal to 0.005"),
        ({"buttons": {"A": 4}, "stuck_s": 0}, "stuck_s", "greater than 0"),
        ({"buttons": {"A": 4}, "debounce_s": 0.5, "stuck_s": 0.5}, "", "debounce_s must be shorter than stuck_s"),
        ({"buttons": {"A": 4}, "two": "all"}, "two", "'first', 'none' or 'both'"),
        ({"buttons": {"A": 4}, "pins": {}}, "pins", "not permitted"),
    ],
)
def test_a_wrong_configuration_says_where_and_what(data: dict[str, Any], where: str, what: str) -> None:
    with pytest.raises(ValidationError) as caught:
        Config.model_validate(data)
    (error,) = caught.value.errors()
    assert ".".join(str(part) for part in error["loc"] if part not in {"[key]", "one", "several"}) == where
    assert what in error["msg"]
