"""The serial scanner: the assembler by itself, and the driver over a pty."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import serial
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from kiosd.errors import DeviceError
from kiosd.ports import BadScan, Scan
from kiosd.threads import Inbox
from kiosd_drivers import _codes
from kiosd_drivers._codes import BURST, PER_S, Assembler, Pace, ScanReader, Skip
from kiosd_drivers._judge import CodeRules
from kiosd_drivers.serial_scanner import DRIVER, Config
from kiosd_sim.scanner import SimScanner
from support.devices import brief, open_files, take


def assembled(*chunks: bytes) -> list[str]:
    assembler = Assembler(idle_s=1.0)
    return [brief(code) for chunk in chunks for code in assembler.feed(chunk, 0.0)]


@pytest.mark.parametrize("end", [b"\r", b"\n", b"\r\n"])
def test_each_terminator_ends_a_code(end: bytes) -> None:
    assert assembled(b"A1" + end + b"B2" + end) == ["A1", "B2"]


def test_stx_and_etx_around_a_code_are_stripped() -> None:
    assert assembled(b"\x02A1\x03\r\n\x02B2\x03\r") == ["A1", "B2"]


@pytest.mark.parametrize(
    "line", [b"A\x1bB", b"\x00", b"A\x03B", b"A\x02B", b"\x7f", b"A\tB", "A\x85B".encode(), b"\x9b1m", "A\u200bB".encode()]
)
def test_a_control_character_spoils_the_code_and_only_it(line: bytes) -> None:
    assert assembled(line + b"\rB2\r") == ["!control", "B2"]


@pytest.mark.parametrize("size", [513, 2048, 4096, 100_000])
def test_a_code_that_is_too_long_is_one_bad_scan(size: int) -> None:
    assert assembled(b"7" * size + b"\rB2\r") == ["!length", "B2"]


def test_512_characters_are_a_code_however_many_bytes_they_take() -> None:
    assert assembled(b"7" * 512 + b"\r") == ["7" * 512]
    assert assembled("\u00e9".encode() * 512 + b"\r") == ["\u00e9" * 512]


def test_bytes_that_are_no_utf8_are_read_as_latin1() -> None:
    assert assembled(b"caf\xe9\r") == ["caf\u00e9"]


def test_empty_lines_are_no_codes() -> None:
    assert assembled(b"\r\n\r\n\x02\x03\r\n") == []


def test_half_a_code_is_thrown_away_after_silence_and_not_before() -> None:
    assembler = Assembler(idle_s=0.5)
    assert assembler.feed(b"half", 10.0) == []
    assert assembler.tick(10.4) == []
    assert assembler.tick(10.5) == [BadScan("incomplete", 10.5)]
    assert not assembler.busy
    assert assembler.feed(b"whole\r", 11.0) == [Scan("whole", 11.0)]


def test_a_reader_that_was_late_is_not_a_scanner_that_stopped() -> None:
    assembler = Assembler(idle_s=0.5)
    assert assembler.feed(b"12", 10.0) + assembler.feed(b"34\r", 19.0) == [Scan("1234", 19.0)]


def test_the_rest_of_a_spoiled_code_ends_with_silence_without_a_second_report() -> None:
    assembler = Assembler(idle_s=0.5)
    assert [brief(code) for code in assembler.feed(b"ab\x1bcd", 1.0)] == ["!control"]
    assert assembler.busy and assembler.tick(1.5) == []
    assert [brief(code) for code in assembler.feed(b"whole\r", 2.0)] == ["whole"]


def test_lost_bytes_spoil_every_code_until_silence() -> None:
    assembler = Assembler(idle_s=0.5)
    assert assembler.reject("dropped", 1.0, Skip.UNTIL_SILENCE) == [BadScan("dropped", 1.0)]
    assert assembler.feed(b"tail\rnext\r", 1.1) == []
    assert assembler.tick(1.6) == []
    assert assembler.feed(b"whole\r", 2.0) == [Scan("whole", 2.0)]


PIECE = st.one_of(
    st.binary(max_size=12), st.text(max_size=6).map(str.encode), st.sampled_from([b"\r", b"\n", b"\r\n", b"\x02", b"\x03", b"7" * 600])
)


@pytest.mark.parametrize(
    ("ends", "data", "codes"),
    [
        (b"\t", b"A1\tB2\r\tC3\t", ["A1", "!control", "C3"]),
        (b"\x03", b"\x02A1\x03\x02B2\x03", ["A1", "B2"]),
        (b"\x03", b"\x02A\r1\x03\x02B2\x03", ["!control", "B2"]),
        (b"\r", b"A1\r\nB2\rC3\r", ["A1", "!control", "C3"]),
        (b"\r\n\t\x03", b"A1\r\nB2\tC3\x03", ["A1", "B2", "C3"]),
    ],
)
def test_a_code_ends_with_what_is_configured(ends: bytes, data: bytes, codes: list[str]) -> None:
    assert [brief(code) for code in Assembler(1.0, ends).feed(data, 0.0)] == codes


def test_silence_ends_a_code_where_that_is_configured() -> None:
    assembler = Assembler(0.5, silence_ends=True)
    assert assembler.feed(b"A1", 1.0) == [] == assembler.tick(1.4)
    assert assembler.tick(1.5) == [Scan("A1", 1.5)]
    assert [brief(code) for code in assembler.feed(b"A\x1b1", 2.0)] == ["!control"]
    assert assembler.tick(2.5) == []
    assert not assembler.busy
    assert assembler.feed(b"B2\r", 3.0) == [Scan("B2", 3.0)]


def rules(**said: object) -> CodeRules:
    return CodeRules.model_validate(said)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("]C0123", Scan("123", 1.0, "]C0")), ("]Q1]C0123", Scan("]C0123", 1.0, "]Q1")), ("]e0123", Scan("123", 1.0, "]e0")),
        ("123", BadScan("aim", 1.0)), ("]C", BadScan("aim", 1.0)), ("]C0", BadScan("length", 1.0)), ("]00123", BadScan("aim", 1.0)),
    ],
)  # fmt: skip
def test_an_aim_identifier_is_taken_off_and_kept(text: str, found: Scan | BadScan) -> None:
    assert rules(aim=True).judge(text, 1.0) == found
    assert rules().judge(text, 1.0) == Scan(text, 1.0)


@pytest.mark.parametrize(
    ("allow", "good", "bad"),
    [
        ("^[0-9]{6,20}$", "123456", ("12345", "123456x", "x123456", "1" * 21)),
        ("[A-Z]{2}\\d+", "AB1", ("A1", "AB1 ", "ABC1")),
        ("KTP.*|SIM[0-9]+", "SIM7", ("SIMx", "xKTP")),
        (r"\(\d\)[^])]", "(1)x", ("(1)]", "1x")),
    ],
)
def test_only_codes_that_fit_the_pattern_as_a_whole_are_scans(allow: str, good: str, bad: tuple[str, ...]) -> None:
    assert rules(allow=allow).judge(good, 1.0) == Scan(good, 1.0)
    assert [rules(allow=allow).judge(text, 1.0) for text in bad] == [BadScan("pattern", 1.0)] * len(bad)


@pytest.mark.parametrize(
    "allow", ["(a+)+$", "a*a*a*b", "a?a?a?aaa", "(?i)a", "(?=a)a", "[a", "a{2}{3}", "", "x" * 201, ".{1,9}.{1,9}.{1,9}", "(a)\\1"]
)
def test_a_pattern_that_a_code_could_make_slow_is_refused(allow: str) -> None:
    with pytest.raises(ValidationError):
        rules(allow=allow)


@pytest.mark.parametrize("allow", [".*.*x", "[a-z]+[a-y]*z|.*a.*b", "a{1,400}a{1,400}b"])
def test_an_allowed_pattern_is_quick_for_the_worst_code(allow: str) -> None:
    started = time.thread_time()
    assert rules(allow=allow).judge("a" * 512, 1.0) == BadScan("pattern", 1.0)
    assert time.thread_time() - started < 1.0  # a few ms of processor time; one repetition more would take seconds


def test_more_codes_than_anybody_can_scan_are_told_from_a_burst() -> None:
    pace = Pace()
    assert not pace.exceeded(BURST, 100.0)
    assert not pace.exceeded(int(PER_S), 101.0)
    assert pace.exceeded(1, 101.0)
    assert not any(Pace().exceeded(1, float(second)) for second in range(1000))


@given(pieces=st.lists(PIECE, max_size=12), cuts=st.lists(st.integers(0, 4000), max_size=8))
def test_any_split_of_the_bytes_gives_the_same_scans(pieces: list[bytes], cuts: list[int]) -> None:
    data = b"".join(pieces)
    edges = [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]
    split = assembled(*(data[a:b] for a, b in pairwise(edges)))
    assert split == assembled(data)
    assert all(0 < len(code) <= 512 and code.isprintable() for code in split)


@given(codes=st.lists(st.from_regex(r"[!-~]([ -~]{0,20}[!-~])?", fullmatch=True), max_size=8), end=st.sampled_from(["\r", "\n", "\r\n"]))
def test_printable_codes_come_back_as_they_were(codes: list[str], end: str) -> None:
    assert assembled("".join(code + end for code in codes).encode()) == codes


@pytest.fixture
async def scanner(tmp_path: Path) -> AsyncIterator[SimScanner]:
    scanner = SimScanner(tmp_path / "scanner")
    with scanner.port.plugged():
        yield scanner


def config(sim: SimScanner, idle_s: float = 5.0, **options: Any) -> Config:
    return Config(port=str(sim.port.link), idle_s=idle_s, **options)


async def test_scans_arrive_in_order(scanner: SimScanner) -> None:
    async with DRIVER.open(config(scanner)) as near:
        for number in range(20):
            await scanner.send(f"CARD-{number}", "\r\n" if number % 2 else "\r")
        assert await take(near, 20) == [f"CARD-{number}" for number in range(20)]


async def test_a_tab_at_the_end_an_aim_identifier_and_a_pattern(scanner: SimScanner) -> None:
    async with DRIVER.open(config(scanner, flow="xonxoff", ends=("tab",), aim=True, allow="[0-9]+")) as near:
        for code in ("]C0123", "123", "]C0x"):
            await scanner.send(code, "\t")
        assert await take(near, 3) == ["123", "!aim", "!pattern"]


@pytest.mark.parametrize(("parity", "letter"), [("none", "N"), ("even", "E"), ("odd", "O"), ("mark", "M"), ("space", "S")])
async def test_the_line_is_set_as_configured(scanner: SimScanner, monkeypatch: pytest.MonkeyPatch, parity: str, letter: str) -> None:
    """By what the library is asked for: a pty has no parity."""
    asked: list[tuple[Any, ...]] = []

    def opens(*line: Any, rtscts: bool, xonxoff: bool, **_: Any) -> None:
        asked.append((*line, rtscts, xonxoff))
        raise FileNotFoundError(2, "No such file")

    monkeypatch.setattr(serial, "Serial", opens)
    with pytest.raises(DeviceError):
        async with DRIVER.open(config(scanner, baudrate=1200, bits=7, parity=parity, stop_bits=2, flow="rtscts")):
            pass
    assert asked == [(str(scanner.port.link), 1200, 7, letter, 2, True, False)]


async def test_a_scanner_that_sends_without_end_is_out_of_order(scanner: SimScanner, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_codes, "PER_S", 0.0)
    async with DRIVER.open(config(scanner)) as near:
        with pytest.raises(DeviceError) as caught:
            for _ in range(200):
                await scanner.send("SECRET")
                await take(near, 1)
        assert caught.value.code == "jabber" and "SECRET" not in str(caught.value)


async def test_a_scan_that_dribbles_in_is_whole(scanner: SimScanner) -> None:
    async with DRIVER.open(config(scanner)) as near:
        for char in "CARD-1":
            await scanner.send(char, "")
        await scanner.send("")
        assert await take(near, 1) == ["CARD-1"]


async def test_a_4_kb_scan_is_one_bad_scan_and_the_next_one_counts(scanner: SimScanner) -> None:
    async with DRIVER.open(config(scanner)) as near:
        await scanner.send("9" * 4096)
        await scanner.send("CARD-1")
        assert await take(near, 2) == ["!length", "CARD-1"]


async def test_control_characters_are_refused(scanner: SimScanner) -> None:
    async with DRIVER.open(config(scanner)) as near:
        await scanner.send("CARD\x1b@")
        await scanner.send("CARD-1")
        assert await take(near, 2) == ["!control", "CARD-1"]


async def test_half_a_code_is_reported_after_silence(scanner: SimScanner) -> None:
    async with DRIVER.open(config(scanner, idle_s=0.05)) as near:
        await scanner.send("CARD", "")
        assert await take(near, 1) == ["!incomplete"]
        await scanner.send("CARD-1")
        assert await take(near, 1) == ["CARD-1"]


async def test_codes_that_nobody_took_in_time_are_reported_once() -> None:
    inbox: Inbox[Scan | BadScan] = Inbox(size=2)
    for number in range(5):
        inbox.put_from_thread(Scan(f"CARD-{number}", 1.0))
    await asyncio.sleep(0)  # the loop runs what was handed over
    assert await take(ScanReader(inbox), 3) == ["CARD-0", "!dropped", "CARD-1"]


async def test_unplugging_is_an_absent_device_after_the_scans_before_it(scanner: SimScanner) -> None:
    async with DRIVER.open(config(scanner)) as near:
        await scanner.send("CARD-1")
        assert await take(near, 1) == ["CARD-1"]
        await scanner.send("HALF", "")
        scanner.port.unplug()
        with pytest.raises(DeviceError) as caught:
            await take(near, 1)
        assert caught.value.code == "absent"
        assert "HALF" not in str(caught.value)


async def test_a_replugged_scanner_opens_at_the_same_name(scanner: SimScanner) -> None:
    for round_ in range(3):
        async with DRIVER.open(config(scanner)) as near:
            await scanner.send(f"CARD-{round_}")
            assert await take(near, 1) == [f"CARD-{round_}"]
            scanner.port.unplug()
        scanner.port.plug()


async def test_leaving_closes_the_port_and_lets_others_have_it(scanner: SimScanner) -> None:
    before = open_files()
    for _ in range(3):
        async with DRIVER.open(config(scanner)):
            pass
    assert open_files() == before


async def test_a_port_that_is_in_use_is_busy(scanner: SimScanner) -> None:
    async with DRIVER.open(config(scanner)):
        with pytest.raises(DeviceError) as caught:
            async with DRIVER.open(config(scanner)):
                pass
    assert caught.value.code == "busy"


async def test_a_port_that_is_not_there_is_absent(tmp_path: Path) -> None:
    with pytest.raises(DeviceError) as caught:
        async with DRIVER.open(Config(port=str(tmp_path / "none"))):
            pass
    assert caught.value.code == "absent"


async def test_a_file_is_no_port(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(DeviceError) as caught:
        async with DRIVER.open(Config(port=str(tmp_path / "file"))):
            pass
    assert caught.value.code == "io"


async def test_a_code_is_in_no_log(scanner: SimScanner, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    async with DRIVER.open(config(scanner)) as near:
        await scanner.send("SECRET-CARD")
        await scanner.send("SECRET\x1bCARD")
        await take(near, 2)
    assert "SECRET" not in caplog.text
    assert "SECRET" not in repr(Scan("SECRET", 1.0))


@pytest.mark.parametrize(
    "wrong",
    [
        {"port": "ttyUSB0"}, {"port": "/dev/x", "baudrate": 1}, {"port": "/dev/x", "speed": 9600}, {},
        {"port": "/dev/x", "match": {"serial": "S1"}}, {"match": {}}, {"match": {"serial": "*"}}, {"port": "/dev/x", "ends": []},
        {"port": "/dev/x", "ends": ["crlf"]}, {"port": "/dev/x", "parity": "E"}, {"port": "/dev/x", "bits": 6},
    ],
)  # fmt: skip
def test_a_wrong_configuration_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Config.model_validate(wrong)
