"""From the characters of a line to codes: where one ends, what spoils it, what it has to look like, and how many are too many."""

import time
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from kiosd.ports import BadScan, Scan
from kiosd_drivers._codes import BURST, ENDLESS, PER_S, Assembler, Pace, Skip
from kiosd_drivers._judge import CodeRules
from support.devices import brief


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


LONG = "\u20ac".encode() * 512 + b"\r"
"""The longest code, in characters that take three bytes each."""


@pytest.mark.parametrize("what", [b"X", b"\r", b"\x00", b"\x02"])
def test_what_is_typed_on_and_on_without_a_code_is_endless(what: bytes) -> None:
    assembler, at = Assembler(idle_s=0.3), 5.0
    while not assembler.endless:
        assembler.feed(what * 40, at := at + 0.01)
    assert at - 5.0 < 11.0


def test_keys_that_are_no_characters_count_too() -> None:
    assembler = Assembler(idle_s=0.3)
    for _ in range(ENDLESS + 1):
        assembler.reject("control", 5.0)
    assert assembler.endless


@pytest.mark.parametrize("chunk", [1, 64, 4096])
def test_the_longest_codes_are_not_endless_however_many_come_at_once(chunk: int) -> None:
    assembler, data = Assembler(idle_s=0.3), LONG * 20
    for cut in range(0, len(data), chunk):
        assembler.feed(data[cut : cut + chunk], 5.0)
        assert not assembler.endless
    assembler.reject("dropped", 6.0, Skip.UNTIL_SILENCE)  # the kernel lost keys of such a burst: no end counts until silence
    assembler.feed((b"7" * 512 + b"\r") * 20, 6.0)
    assert not assembler.endless


def test_what_comes_in_between_pauses_is_not_endless() -> None:
    assembler = Assembler(idle_s=0.3)
    for second in range(5 * 3600):
        assembler.feed(b"\r\n", float(second))
    assert not assembler.endless


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
