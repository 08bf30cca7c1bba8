"""A simulated counter with a USB keypad and a scanner that types, and what scanners do wrong: worked from the command line."""

import tomllib
from pathlib import Path

import pytest
import tomli_w

from support.simulation import hurried_preset, kiosd, simulation, status

QUIET = ("--no-auto", "--no-broker")
KEYS = {"KPENTER": "advance", "KPPLUS": "repeat"}


def preset(directory: Path, **pad: object) -> str:
    """A kiosk whose counter 1 has a keypad and a scanner that types, counter 2 a scanner on a line that ends its codes with a Tab."""
    path = hurried_preset(directory, 1)
    document = tomllib.loads(path.read_text())
    devices = document["devices"]
    devices["keys_1"] = {"driver": "evdev_keypad", "match": {"by_id": "usb-*_Keypad-event-kbd"}, "keys": KEYS, **pad}
    devices["keys_1"]["lamps"] = {"ready": "numlock"}
    devices["scanner_1"] = {"driver": "evdev_scanner", "match": {"by_id": "usb-*_Scanner-event-kbd"}}
    devices["scanner_2"]["ends"] = ["tab"]
    path.write_text(tomli_w.dumps(document))
    return str(path)


async def sim(state: Path, *words: str) -> str:
    """``kiosd sim``, which succeeds; what it says."""
    code, out, err = await kiosd(state, "sim", *words)
    assert code == 0, err
    return out


async def test_a_visit_on_a_keypad_with_a_card_that_is_typed(tmp_path: Path) -> None:
    async with simulation(tmp_path / "sim", "--config", preset(tmp_path), *QUIET) as kiosk:
        await kiosk.ready()
        await kiosk.shows("keys_1 +match.path .*/dev/keys_1 instead of by_id usb-")
        for service in "AB":
            await sim(kiosk.state, "press", service)
        assert await sim(kiosk.state, "key", "1", "advance") == "pressed advance at counter 1 (key KPENTER)\n"
        await kiosk.shows("call +A001 to counter 1")
        await sim(kiosk.state, "key", "1", "NUMLOCK")
        assert await sim(kiosk.state, "scan", "1", "KARTU-1") == "scanned 7 characters at counter 1\n"
        await kiosk.shows(r"start +A001 at counter 1 \(card\)")
        await sim(kiosk.state, "key", "1", "KPENTER", "--bounce")
        await kiosk.shows("(?s)finish +A001 at counter 1.*call +B001 to counter 1")
        await sim(kiosk.state, "key", "1", "repeat", "--hold")
        await kiosk.shows("call +B001 to counter 1, call 2")
        said = await sim(kiosk.state, "key", "1", "advance", "--with", "repeat")
        assert said == "pressed advance and repeat at once at counter 1 (key KPENTER and key KPPLUS)\n"
        await kiosk.shows("(?s)start +B001 at counter 1.*refused +counter 1, recall: Nomor B001 sedang dilayani")
        assert kiosk.seen.count("refused") == 1 and "call 3" not in kiosk.seen, "a key that is held or bounces is pressed once"


async def test_a_key_under_a_book_is_a_fault_until_it_is_free(tmp_path: Path) -> None:
    async with simulation(tmp_path / "sim", "--config", preset(tmp_path, stuck_s=0.5), *QUIET) as kiosk:
        await kiosk.ready()
        await sim(kiosk.state, "key", "1", "advance", "--stick")
        await kiosk.shows("device +keys_1: button advance has been down for more than 0.5 s")
        await sim(kiosk.state, "key", "1", "advance", "--free")
        await kiosk.shows("(?s)button advance has been down.*device +keys_1 works")


async def test_a_keypad_and_a_typing_scanner_that_are_unplugged_are_gone_and_come_back(tmp_path: Path) -> None:
    async with simulation(tmp_path / "sim", "--config", preset(tmp_path), *QUIET) as kiosk:
        await kiosk.ready()
        for device, words in (("keys_1", ("key", "1", "advance")), ("scanner_1", ("scan", "1", "KARTU-1"))):
            await sim(kiosk.state, "unplug", device)
            await kiosk.shows(f"device +{device} is down")
            code, _, err = await kiosd(kiosk.state, "sim", *words)
            assert (code, err) == (1, f"kiosd: {device} is unplugged\n")
            await sim(kiosk.state, "plug", device)
            await kiosk.shows(f"(?s){device} is down.*device +{device} works")
            assert {one["device"]: one["state"] for one in (await status(kiosk.state))["devices"]}[device] == "ok"
        await sim(kiosk.state, "press", "A")
        await sim(kiosk.state, "key", "1", "advance")
        await kiosk.shows("call +A001 to counter 1")


async def test_officers_who_come_by_themselves_work_on_keypads_too(tmp_path: Path) -> None:
    options = ("--config", preset(tmp_path), "--pace", "15", "--seed", "a day", "--no-broker")
    async with simulation(tmp_path / "sim", *options) as kiosk:
        await kiosk.shows(r"start .*at counter 1 \(card\)")
        await kiosk.shows("finish .*at counter 1")


async def test_two_ticket_buttons_on_pins_at_once_and_one_that_is_held(tmp_path: Path) -> None:
    async with simulation(tmp_path / "sim", "--config", preset(tmp_path), *QUIET) as kiosk:
        await kiosk.ready()
        said = await sim(kiosk.state, "press", "d", "--with", "a")
        assert said == "pressed D and A at once at the ticket machine (pin 22 and pin 4)\n"
        await kiosk.shows("ticket +D001 drawn")
        assert await sim(kiosk.state, "press", "B", "--hold") == "held B at the ticket machine (pin 17)\n"
        await kiosk.shows("ticket +B001 drawn")
        assert kiosk.seen.count("drawn") == 2
        code, _, err = await kiosd(kiosk.state, "sim", "press", "A", "--hold", "--with", "B")
        assert code == 2 and "not allowed with" in err


WRONG = {
    ("key", "1", "next"): "no button 'next' at counter 1; there are: advance, repeat, KP0",
    ("key", "2", "KP0"): "no button 'KP0' at counter 2; there are: advance, repeat\n",
    ("key", "1", "advance", "--with", "zz"): "no button 'zz' at counter 1",
    ("scan", "1", "é"): "no key for U+00E9",
    ("unplug", "keys_2"): "no device on a cable 'keys_2'; there are: printer, keys_1, scanner_1",
}


async def test_what_a_keyboard_cannot_do_is_said(tmp_path: Path) -> None:
    async with simulation(tmp_path / "sim", "--config", preset(tmp_path), *QUIET) as kiosk:
        await kiosk.ready()
        for words, why in WRONG.items():
            code, out, err = await kiosd(kiosk.state, "sim", *words)
            assert (code, out) == (1, "") and why in err


NOBODY = "refused +scan at counter {}: nobody is called"
SPOILED = r"refused +scan at counter {} \({}\)"


@pytest.mark.parametrize("counter", ["1", "2"], ids=["typed", "line"])
async def test_what_scanners_do_wrong(tmp_path: Path, counter: str) -> None:
    deeds: dict[tuple[str, ...], list[str]] = {
        ("one", "two", "three"): [NOBODY] * 3,
        ("KARTU-12", "--half"): [SPOILED.format("{}", "incomplete")],
        ("KARTU-12", "--rest"): [NOBODY],
        ("KARTU-12", "--pause", "0"): [NOBODY],
        ("KARTU-12", "--pause", "1.5"): [SPOILED.format("{}", "incomplete"), NOBODY],
        ("KARTU-12", "--end", "none"): [SPOILED.format("{}", "incomplete")],
        ("KARTU-1\x1a", "--end", "tab"): [SPOILED.format("{}", "control")],
        ("A" * 4096,): [SPOILED.format("{}", "length")],
        ("one", "two", "--half"): [NOBODY, SPOILED.format("{}", "incomplete")],
    }
    async with simulation(tmp_path / "sim", "--config", preset(tmp_path), *QUIET) as kiosk:
        await kiosk.ready()
        expected = "(?s)"
        for words, seen in deeds.items():
            await sim(kiosk.state, "scan", counter, *words)
            expected += "".join(f".*?{one.format(counter)}" for one in seen)
            await kiosk.shows(expected)
        assert kiosk.seen.count(f"scan at counter {counter}") == sum(map(len, deeds.values())), "nothing more came of it"


async def test_frames_and_ends_that_a_scanner_is_not_set_to(tmp_path: Path) -> None:
    async with simulation(tmp_path / "sim", "--config", preset(tmp_path), *QUIET) as kiosk:
        await kiosk.ready()
        assert (
            await sim(kiosk.state, "scan", "2", "A1", "B22", "--half")
            == "scanned 5 characters in 2 codes (only half of the last code) at counter 2\n"
        )
        await kiosk.shows(r"(?s)scan at counter 2: nobody.*scan at counter 2 \(incomplete\)")
        for counter, end, seen in (
            ("1", "--end=garbled", "control"),
            ("2", "--framed", "incomplete"),
            ("3", "--end=garbled", "incomplete"),
        ):
            await sim(kiosk.state, "scan", counter, "KARTU-1", end)
            await kiosk.shows(rf"(?s)(scan at counter 2.*){{2}}.*scan at counter {counter} \({seen}\)")
        await sim(kiosk.state, "scan", "3", "KARTU-1", "--framed", "--aim", "]C0", "--end", "crlf")
        await kiosk.shows("scan at counter 3: nobody")
