"""The simulated pins' own side: what the socket answers, and what it does to gpiozero's devices."""

import os
import socket
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from gpiozero import Device, DigitalInputDevice, DigitalOutputDevice

from kiosd_sim.pins import LINE_BYTES, SOCKET_ENV, Pins, PinsAbsent, PinState
from support.sim_pins import simulated_pins


@pytest.fixture
def pins(tmp_path: Path) -> Iterator[Pins]:
    with simulated_pins(tmp_path) as finger:
        Device.ensure_pin_factory()
        yield finger


def _talk(path: Path, *lines: bytes) -> list[bytes]:
    """The replies to ``lines``, sent over one connection; fewer when the far side hangs up."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(5)
        connection.connect(os.fspath(path))
        connection.sendall(b"".join(lines))
        connection.shutdown(socket.SHUT_WR)
        with connection.makefile("rb") as replies:
            return [reply.rstrip(b"\n") for reply in replies]


def test_a_press_is_low_and_then_high_for_a_button_to_ground(pins: Pins) -> None:
    with DigitalInputDevice(17, pull_up=True) as button:
        seen: list[str] = []
        button.when_activated = lambda: seen.append("down")
        button.when_deactivated = lambda: seen.append("up")
        pins.press(17, 0.001)
        assert seen == ["down", "up"]


def test_a_press_is_high_and_then_low_for_a_button_to_the_supply(pins: Pins) -> None:
    with DigitalInputDevice(17, pull_up=False) as button:
        seen: list[int] = []
        button.when_activated = lambda: seen.append(button.value)
        pins.press(17, 0.001)
        assert seen == [1]
        assert pins.state() == {17: PinState("in", False)}


def test_bounce_closes_the_contact_five_times(pins: Pins) -> None:
    with DigitalInputDevice(17, pull_up=True) as button:
        seen: list[int] = []
        button.when_activated = lambda: seen.append(button.value)
        pins.bounce(17, 0.004)
        assert len(seen) == 5
        assert pins.state()[17].level


def test_state_tells_every_pin_in_use_and_no_other(pins: Pins) -> None:
    with DigitalInputDevice(4, pull_up=True), DigitalOutputDevice(27, initial_value=True):
        assert pins.state() == {4: PinState("in", True), 27: PinState("out", True)}
        pins.low(4)
        assert pins.state()[4] == PinState("in", False)
        pins.high(4)
    assert pins.state() == {}


def test_a_flash_between_two_looks_is_counted_and_days_of_them_fill_no_memory(pins: Pins) -> None:
    with DigitalOutputDevice(27) as lamp:
        before = pins.state()[27]
        for _ in range(1000):
            lamp.on()
            lamp.off()
        after = pins.state()[27]
        assert after == before
        assert after.changes == before.changes + 2000
        assert len(lamp.pin.states) == 1


def test_every_pin_of_the_header_works(pins: Pins) -> None:
    for number in range(28):
        with DigitalInputDevice(number, pull_up=True):
            pins.low(number)
            pins.high(number)


def test_a_pin_held_from_outside_stays_held_when_the_device_opens_again(pins: Pins) -> None:
    with DigitalInputDevice(17, pull_up=True) as button:
        pins.low(17)
        assert button.is_active
    with DigitalInputDevice(17, pull_up=True) as again:
        assert again.is_active
        pins.high(17)
        assert not again.is_active


@pytest.mark.parametrize(
    ("request_line", "reason"),
    [
        (b"low 5", b"pin 5 is not in use"),
        (b"low 28", b"a pin is 0 to 27"),
        (b"high 27", b"GPIO27 is an output"),
        (b"press 27", b"GPIO27 is an output"),
        (b"low", b"low takes 1 to 1 numbers"),
        (b"state 1", b"state takes 0 to 0 numbers"),
        (b"press 4 80 1", b"press takes 1 to 2 numbers"),
        (b"press 4 -1", b"'-1' is not a number"),
        (b"press 4 60001", b"'60001' is not a number from 0 to 60000"),
        (b"press A", b"'A' is not a number"),
        (b"smash 4", b"no such request 'smash'"),
        (b"", b"no such request ''"),
        (b"low \xff", b"can't decode"),
        (b"low " + b"9" * 200, b"is not a number"),
    ],
)
def test_a_bad_request_is_answered_with_its_reason_and_the_next_is_served(
    pins: Pins, tmp_path: Path, request_line: bytes, reason: bytes
) -> None:
    with DigitalInputDevice(4, pull_up=True), DigitalOutputDevice(27):
        refusal, after = _talk(tmp_path / "pins", request_line + b"\n", b"low 4\n")
        assert refusal.startswith(b"error: ")
        assert reason in refusal
        assert after == b"ok"


def test_a_line_that_is_too_long_ends_the_connection_and_no_other(pins: Pins, tmp_path: Path) -> None:
    with DigitalInputDevice(4, pull_up=True):
        assert _talk(tmp_path / "pins", b"low 4".ljust(LINE_BYTES - 1) + b"\n") == [b"ok"]
        assert _talk(tmp_path / "pins", b"x" * (LINE_BYTES + 1)) == [b"error: a line has at most 256 bytes"]
        pins.high(4)


def test_a_failing_callback_is_told_to_whoever_pressed(pins: Pins) -> None:
    with DigitalInputDevice(4, pull_up=True) as button:
        button.when_activated = lambda: int("x")
        with pytest.raises(ValueError, match="callback failed: ValueError"):
            pins.low(4)
        pins.high(4)


def test_callbacks_run_in_a_foreign_thread_and_one_at_a_time(pins: Pins) -> None:
    threads: set[int] = set()
    first_is_in, second_is_in = threading.Event(), threading.Event()
    with DigitalInputDevice(4, pull_up=True) as one, DigitalInputDevice(17, pull_up=True) as two:

        def first() -> None:
            threads.add(threading.get_ident())
            first_is_in.set()
            assert not second_is_in.wait(0.05), "lgpio has one thread for all callbacks"

        one.when_activated = first
        two.when_activated = second_is_in.set
        presses = [threading.Thread(target=pins.low, args=(pin,)) for pin in (4, 17)]
        presses[0].start()
        assert first_is_in.wait(5)
        presses[1].start()
        for press in presses:
            press.join(5)
        assert second_is_in.is_set()
        assert threading.get_ident() not in threads


def test_several_clients_are_served_while_one_holds_a_button(pins: Pins) -> None:
    with DigitalInputDevice(4, pull_up=True) as held, DigitalInputDevice(17, pull_up=True):
        down = threading.Event()
        held.when_activated = down.set
        long_press = threading.Thread(target=pins.press, args=(4, 0.3))
        long_press.start()
        assert down.wait(5)
        pins.press(17, 0.001)
        assert not pins.state()[4].level
        long_press.join(5)
        assert pins.state()[4].level


def test_without_the_daemon_the_client_says_so(tmp_path: Path) -> None:
    with pytest.raises(PinsAbsent, match="is the daemon running"):
        Pins(tmp_path / "pins").press(4)
    assert issubclass(PinsAbsent, OSError)


def test_closing_the_factory_ends_its_clients_and_removes_the_socket(tmp_path: Path) -> None:
    with simulated_pins(tmp_path):
        Device.ensure_pin_factory()
        with socket.socket(socket.AF_UNIX) as idle:
            idle.settimeout(5)
            idle.connect(os.fspath(tmp_path / "pins"))
            idle.sendall(b"state\n")
            assert idle.recv(100) == b"[]\n"
            Device.pin_factory.close()
            assert idle.recv(100) == b""
    assert not (tmp_path / "pins").exists()


def test_only_this_user_may_press(pins: Pins, tmp_path: Path) -> None:
    assert stat.S_IMODE((tmp_path / "pins").stat().st_mode) == 0o600


def test_the_socket_of_a_dead_daemon_is_replaced(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(os.fspath(tmp_path / "pins"))
    with simulated_pins(tmp_path) as finger:
        Device.ensure_pin_factory()
        assert finger.state() == {}


def test_the_socket_of_a_living_daemon_is_left_alone(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as living:
        living.bind(os.fspath(tmp_path / "pins"))
        living.listen()
        with simulated_pins(tmp_path), pytest.raises(FileExistsError, match="in use by another daemon"):
            Device.ensure_pin_factory()
    assert (tmp_path / "pins").exists()


def test_a_file_that_is_no_socket_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "pins").write_text("precious")
    with simulated_pins(tmp_path), pytest.raises(FileExistsError, match="is not a socket"):
        Device.ensure_pin_factory()
    assert (tmp_path / "pins").read_text() == "precious"


def _fresh_process(**extra: str) -> subprocess.CompletedProcess[str]:
    code = "import gpiozero; gpiozero.Device.ensure_pin_factory(); print(type(gpiozero.Device.pin_factory).__name__)"
    environment = os.environ | {"GPIOZERO_PIN_FACTORY": "kiosd_sim"} | extra
    return subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=30, check=False)


def test_gpiozero_finds_the_factory_by_name_in_a_fresh_process_and_cleans_up_at_exit(tmp_path: Path) -> None:
    done = _fresh_process(**{SOCKET_ENV: str(tmp_path / "pins")})
    assert (done.stdout, done.stderr) == ("SimFactory\n", "")
    assert not (tmp_path / "pins").exists()


def test_without_a_socket_path_it_says_which_variable_is_missing() -> None:
    done = _fresh_process(**{SOCKET_ENV: ""})
    assert done.returncode != 0
    assert f"{SOCKET_ENV} is not set" in done.stderr


def test_a_button_that_sticks_hangs_until_it_is_freed(pins: Pins) -> None:
    with DigitalInputDevice(17, pull_up=True) as button:
        pins.stick(17)
        assert button.value == 1
        pins.free(17)
        assert button.value == 0


def test_two_buttons_are_down_at_once(pins: Pins) -> None:
    with DigitalInputDevice(17, pull_up=True) as one, DigitalInputDevice(27, pull_up=True) as other:
        both: list[bool] = []
        other.when_activated = lambda: both.append(bool(one.value))
        pins.two(17, 27, 0.001)
        assert both == [True]
        assert one.value == other.value == 0


def test_a_loose_wire_jabbers_and_then_rests(pins: Pins) -> None:
    with DigitalInputDevice(17, pull_up=True) as button:
        seen: list[int] = []
        button.when_activated = lambda: seen.append(1)
        pins.jabber(17, 1000, 0.02)
        assert len(seen) == 10
        assert button.value == 0


def test_a_loose_wire_has_a_rate(pins: Pins) -> None:
    with DigitalInputDevice(17, pull_up=True), pytest.raises(ValueError, match="rate"):
        pins.jabber(17, 0)
