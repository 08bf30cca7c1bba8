"""What boards are sent, as bytes: frames of templates and two-line languages; and what becomes of a number's letter."""

import itertools
import re
import string
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from kiosd.ports import Face
from kiosd_drivers._dialects import DIALECTS, TwoLines
from kiosd_drivers._faces import CHECKS, FIELDS, Frame, crc16
from kiosd_drivers._letters import Letters, digits
from kiosd_drivers.serial_display import Config
from kiosd_sim.customerdisplay import CustomerDisplay
from kiosd_sim.numeralboard import FrameScreen

TEMPLATE = "02 {counter:2} {digits:4} {sum8} 03"
CALL = Face(number="D005", counter=4, attention=True)
LETTERS = st.sampled_from("ABCDEFG")
NUMBERS = st.builds(lambda letter, n: f"{letter}{n:03}", LETTERS, st.integers(1, 9999))
FACES = st.builds(Face, number=st.text(max_size=8), counter=st.none() | st.integers(0, 999), message=st.text(max_size=60))
CALLS = st.builds(Face, number=NUMBERS, counter=st.integers(1, 99), attention=st.booleans())
TABLE: Letters = {letter: place for place, letter in enumerate("ABCDEFG", 1)}


def frame(template: str, face: Face = CALL, letters: Letters | None = "drop") -> bytes:
    return Frame.parse(template, letters if "{digits" in template else None).encode(face)


@pytest.mark.parametrize(
    ("template", "sent"),
    [
        (TEMPLATE, b"\x02040005" + bytes([(2 + sum(b"040005")) & 0xFF]) + b"\x03"),
        ("{counter:u8} {digits:u16} {sum8}", bytes([4, 0, 5, 9])),
        ('"#" {number:5} "N"', b"#D005 N"),
        ("02 {digits:3} {xor8@1} 03", b"\x02005" + bytes([0x30 ^ 0x30 ^ 0x35]) + b"\x03"),
        ("fe FF {counter:u16} {number:2}", b"\xfe\xff\x00\x04--"),
        ("{message:4} {digits:4}", b"    0005"),
        ("{letter:1} {digits:3} {attention:u8}", b"D005\x01"),
        ("01 02 03 {neg8} {counter:u8}", bytes([1, 2, 3, 0x100 - 6, 4])),
        ("01 02 04 08 {xor8@1-3} {counter:u8}", bytes([1, 2, 4, 8, 2 ^ 4, 4])),
        ("01 02 04 08 {sum8@2-4:hex} {counter:u8}", bytes([1, 2, 4, 8]) + b"0C" + bytes([4])),
    ],
)
def test_a_frame_is_what_its_template_says(template: str, sent: bytes) -> None:
    assert frame(template) == sent


@pytest.mark.parametrize(
    ("template", "face", "sent"),
    [
        # hardware section 4: "05 03 E7 EF" shows 999 on board 5
        ("05 {digits:u16} {sum8}", Face(number="A999", counter=5), bytes.fromhex("0503E7EF")),
        ("02 05 {digits:4} 03", Face(number="A012"), b"\x02\x050012\x03"),
        ("FE FF 05 07 {digits:4} {sum8@2} AE", Face(number="A012"), b"\xfe\xff\x05\x070012" + bytes([(12 + sum(b"0012")) & 255]) + b"\xae"),
    ],
)
def test_the_examples_of_the_page(template: str, face: Face, sent: bytes) -> None:
    assert frame(template, face) == sent


def test_every_frame_of_the_page_can_be_sent() -> None:
    page = (Path(__file__).parents[2] / "docs/drivers/serial_display.md").read_text()
    frames = re.findall(r"\| `'(.*?)'` \|", page)
    assert len(frames) == 4
    for template in frames:
        assert frame(template)
    for name in FIELDS.keys() | CHECKS.keys():
        assert f"{{{name}" in page, f"the page does not tell {name}"


def test_a_moving_message_sign_of_the_am03127_kind() -> None:
    """<ID01>, the data, their exclusive or as two hexadecimal digits, <E>."""
    sent = frame('"<ID01>" "<L1><PA><FE><MA><WC><FE>" {number:5} {xor8@6:hex} "<E>"', Face(number="A012"))
    start, data, end = sent[:6], sent[6:-5], sent[-5:]
    total = 0
    for byte in data:
        total ^= byte
    assert start == b"<ID01>" and data == b"<L1><PA><FE><MA><WC><FE>A012 " and end == f"{total:02X}<E>".encode()


KNOWN_CRCS = {
    b"123456789": 0x4B37,  # the check value of CRC-16/MODBUS in the catalogues
    bytes.fromhex("010300000001"): 0x0A84,  # reading one register of device 1: every manual ends it with 84 0A
    bytes.fromhex("110600010003"): 0x9B9A,  # writing 3 to register 1 of device 17: 9A 9B
}


@pytest.mark.parametrize(("data", "crc"), KNOWN_CRCS.items(), ids=[f"{crc:04X}" for crc in KNOWN_CRCS.values()])
def test_the_crc_is_that_of_the_standard_low_byte_first(data: bytes, crc: int) -> None:
    assert crc16(data) == crc
    template = " ".join(f"{byte:02X}" for byte in data) + " {crc16} {counter:u8}"
    assert frame(template) == data + bytes([crc & 0xFF, crc >> 8, 4])


@given(data=st.binary(min_size=1, max_size=40))
def test_a_frame_that_ends_with_its_own_checksum_sums_up_to_nothing(data: bytes) -> None:
    constant = " ".join(f"{byte:02X}" for byte in data)
    assert crc16(frame("{counter:u8} " + constant + " {crc16}")) == 0
    assert sum(frame("{counter:u8} " + constant + " {neg8}")) % 256 == 0


@pytest.mark.parametrize(
    ("face", "sent"),
    [
        (Face(number="A1000", counter=12), b"121000"),
        (Face(number="A012"), b"  0012"),
        (Face(message="TUTUP"), b"      "),
        (Face(number="A12345", counter=100), b"------"),
        (Face(number="A-12", counter=1), b"01----"),
    ],
)
def test_nothing_and_too_much_are_never_another_number(face: Face, sent: bytes) -> None:
    assert frame("{counter:2} {digits:4}", face) == sent
    assert frame("{counter:u8}", Face(counter=256)) == b"\0"


@pytest.mark.parametrize(
    ("template", "says"),
    [
        ("02 03", "shows something"),
        ("", "shows something"),
        ("2 {number:5}", "'2' is no word"),
        ("0203 {number:5}", "'0203' is no word"),
        ("{digits}", "'{digits}' is no word"),
        ("{digits:0}", "is no word"),
        ("{colour:4}", "is no word"),
        ("{digits:u8}", "binary form"),
        ("{lamp:3}", "binary form only"),
        ("{message:u16}", "possible: none"),
        ("{sum8} {number:5}", "nothing before it"),
        ("02 {sum8@1} {number:5}", "nothing before it"),
        ("02 03 {sum8@1-3} {number:5}", "nothing before it"),
        ("02 03 {sum8@1-1} {number:5}", "nothing before it"),
        ("02 {crc99} {number:5}", "is no word"),
        ('"A {number:5}', "is no word"),
        ('"" {number:5}', "is no word"),
        ('"\u00e9" {number:5}', "is no word"),
        ("{number:5", "is no word"),
        ("{message:99} {message:99} {message:99}", "at most 255"),
        ("{digits:4}", "A012 and B012 would look the same"),
        ("{number:5} {lamp:u8}", "belong together"),
    ],
)
def test_a_wrong_template_is_refused_when_the_configuration_is_read(template: str, says: str) -> None:
    with pytest.raises(ValidationError) as caught:
        Config(port="/dev/x", protocol="frame", frame=template)
    assert says in str(caught.value)


@pytest.mark.parametrize(("template", "letters"), [("{digits:4}", "lamp"), ("{digits:4} {lamp:u8}", "drop"), ("{number:5}", "drop")])
def test_letters_and_frame_belong_together(template: str, letters: Letters) -> None:
    with pytest.raises(ValidationError):
        Config(port="/dev/x", protocol="frame", frame=template, letters=letters)


@pytest.mark.parametrize("wrong", [{}, {"A": 10}, {"A": -1}, {"I": 1}, {"a": 1}, {"AB": 1}, {"A": 1, "B": 1}, {"A": "1"}, "keep", True])
def test_a_wrong_table_of_letters_is_refused(wrong: object) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(Letters).validate_python(wrong, strict=True)


# -- the letter of A012 on four digits


@pytest.mark.parametrize(
    ("number", "letters", "shown"),
    [
        ("A012", {"A": 1, "C": 3}, "1012"),
        ("C999", {"A": 1, "C": 3}, "3999"),
        ("C1000", {"A": 1, "C": 3}, "----"),  # five digits
        ("B012", {"A": 1, "C": 3}, "----"),  # a letter without a digit
        ("A012", {"A": 0}, "0012"),
        ("A012", "drop", "0012"),
        ("C1000", "drop", "1000"),
        ("A012", "lamp", "0012"),
        ("Z012", "lamp", "----"),
        ("", "drop", "    "),
    ],
)
def test_the_letter_is_a_digit_a_lamp_or_dropped(number: str, letters: Letters, shown: str) -> None:
    assert digits(number, 4, letters) == shown


def test_no_two_numbers_of_a_day_look_the_same_where_the_letter_is_a_digit_or_a_lamp() -> None:
    numbers = [f"{letter}{n:03}" for letter, n in itertools.product("ABCDEFG", range(1, 1200))]
    for template, letters in (
        ("{digits:4}", TABLE),
        ("{digits:u16}", TABLE),
        ("{digits:4} {lamp:u8}", "lamp"),
        ("{digits:u16} {letter:1}", None),
    ):
        encode = Frame.parse(template, letters).encode
        shown = [sent for number in numbers if set(sent := encode(Face(number=number))) - {0, 0x2D}]
        assert len(shown) == len(set(shown)) >= 7 * 999, template


@given(number=NUMBERS, width=st.integers(1, 8))
def test_the_number_can_be_read_back_from_the_digits(number: str, width: int) -> None:
    shown = digits(number, width, TABLE)
    if shown == "-" * width:
        assert len(number) > width
    else:
        assert f"{'ABCDEFG'[int(shown[0]) - 1]}{int(shown[1:]):03}" == number


@given(number=st.text(max_size=10), width=st.integers(1, 8), letters=st.sampled_from([TABLE, "drop", "lamp", None]))
def test_whatever_the_number_is_there_are_digits_dashes_or_nothing(number: str, width: int, letters: Letters | None) -> None:
    shown = digits(number, width, letters)
    assert len(shown) == width and (set(shown) <= set(string.digits) or set(shown) in ({"-"}, {" "}))


# -- every face comes out of a board that shares no code with the driver


@given(face=CALLS)
def test_every_call_decodes_back_to_the_same_on_every_board(face: Face) -> None:
    for name, dialect in DIALECTS.items():
        screen = CustomerDisplay(name)
        two_lines = TwoLines(dialect, "NOMOR", "LOKET")
        screen.feed(two_lines.init + two_lines.encode(face))
        assert screen.lines == (f"NOMOR {face.number}", f"LOKET {face.counter}") and screen.garbage == b""
    for check in ("sum8", "xor8", "neg8", "crc16", "sum8@1", "crc16@2-5", "xor8:hex"):
        template = f'02 "Q" {{number:5}} {{counter:u8}} {{attention:u8}} {{{check}}} 03'
        board = FrameScreen(template)
        board.feed(frame(template, face))
        assert board.lines == (face.number, str(face.counter), str(int(face.attention))) and board.garbage == b"", check


@given(faces=st.lists(FACES, min_size=1, max_size=4))
def test_no_text_of_a_face_can_be_a_control_code(faces: list[Face]) -> None:
    for name, dialect in DIALECTS.items():
        screen = CustomerDisplay(name)
        for face in faces:
            screen.feed(TwoLines(dialect, "NOMOR", "LOKET").encode(face))
        assert screen.garbage == b""
        shown = screen.lines
        screen.feed(TwoLines(dialect, "NOMOR", "LOKET").encode(faces[-1]))
        assert screen.lines == shown, "a face is whole: what was there before does not matter"
    template = '"<" {number:6} {counter:2} {message:20} {letter:1} {digits:u16} {xor8} ">"'
    board = FrameScreen(template)
    for face in faces:
        board.feed(Frame.parse(template).encode(face))
    assert board.garbage == b"" and len(board.lines) == 5


@given(cut=st.integers(1, 200), face=CALLS)
def test_a_display_that_lost_its_power_in_the_middle_is_right_with_the_next_face(cut: int, face: Face) -> None:
    for name, dialect in DIALECTS.items():
        two_lines, screen = TwoLines(dialect, "NOMOR", "LOKET", 3 if dialect.dim else None), CustomerDisplay(name)
        sent = two_lines.init + two_lines.encode(face)
        screen.feed(sent[: cut % len(sent)])
        screen.forget()
        screen.feed(two_lines.encode(face))
        assert screen.lines == (f"NOMOR {face.number}", f"LOKET {face.counter}")
        assert screen.brightness == (3 if name == "epson" else 4), "CD5220 takes it before the first line only"
