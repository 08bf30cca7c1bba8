"""What a printer sends is taken apart rightly, in whatever pieces and mixture it comes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kiosd_drivers._escpos_answers import Answer, Block, Demultiplexer, RealTime, Report, Sensors

real_time = st.sampled_from([byte for byte in range(256) if byte & 0x93 == 0x12])
free = st.sampled_from([byte for byte in range(256) if byte & 0x90 == 0])
report = st.builds(
    lambda first, rest: bytes([first, *rest]), st.sampled_from([0x10, 0x14, 0x18, 0x38, 0x7C]), st.lists(free, min_size=3, max_size=3)
)
nobodys = st.sampled_from([byte for byte in range(256) if byte & 0x80 or byte & 0x93 in {0x11, 0x13}]).filter(lambda byte: byte != 0x37)
ids = st.lists(st.integers(0x40, 0x4F), min_size=4, max_size=4)
block = st.one_of(ids.map(lambda name: bytes([0x22, *name])), st.just(b"\x25"))
pieces = st.one_of(
    real_time.map(lambda byte: (bytes([byte]), RealTime(byte))),
    free.map(lambda byte: (bytes([byte]), Sensors(byte))),
    report.map(lambda data: (data, Report(data))),
    block.map(lambda data: (b"\x37" + data + b"\x00", Block(data))),
    nobodys.map(lambda byte: (bytes([byte]), None)),
)
"""What goes over the line, and the answer it is."""


def taken(*chunks: bytes) -> list[Answer]:
    it = Demultiplexer()
    return [answer for chunk in chunks for answer in it.feed(chunk)]


@given(st.lists(pieces, max_size=20), st.data())
def test_every_answer_comes_out_once_and_in_order_however_the_line_cuts_it(
    sent: list[tuple[bytes, Answer | None]], data: st.DataObject
) -> None:
    line = b"".join(piece for piece, _ in sent)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(line)), max_size=8)))
    chunks = [line[start:end] for start, end in zip([0, *cuts], [*cuts, len(line)], strict=True)]
    assert taken(*chunks) == [answer for _, answer in sent if answer is not None]


@given(
    st.one_of(report, block.map(lambda data: b"\x37" + data + b"\x00")),
    st.lists(st.tuples(st.integers(0, 9), st.one_of(real_time, nobodys))),
)
def test_real_time_answers_and_flow_control_stand_anywhere(whole: bytes, between: list[tuple[int, int]]) -> None:
    line = bytearray(whole)
    for at, byte in between:
        line.insert(min(at, len(line)), byte)
    answers = taken(bytes(line))
    expected = [byte for byte in line if byte & 0x93 == 0x12]
    assert [answer.byte for answer in answers if isinstance(answer, RealTime)] == expected
    assert [answer for answer in answers if not isinstance(answer, RealTime)] == taken(whole)


@given(ids, st.integers(0, 6), report)
def test_a_report_in_the_middle_of_a_block(name: list[int], at: int, inner: bytes) -> None:
    line = bytes([0x37, 0x22, *name, 0])
    at = max(1, at)
    assert taken(line[:at] + inner + line[at:]) == [Report(inner), Block(line[1:-1])]


@given(st.binary(max_size=200), ids)
def test_after_any_noise_and_a_silence_the_next_answer_is_understood(noise: bytes, name: list[int]) -> None:
    it = Demultiplexer()
    it.feed(noise)
    it.silence()
    assert not it.midway
    assert it.feed(bytes([0x37, 0x22, *name, 0])) == [Block(bytes([0x22, *name]))]


@given(st.binary(max_size=300))
def test_in_noise_nothing_is_longer_than_what_we_ask_for(noise: bytes) -> None:
    for answer in taken(noise):
        if isinstance(answer, Block):
            assert b"\x37" in noise and len(answer.data) <= 8


@pytest.mark.parametrize(
    ("line", "answers"),
    [
        (b"\x18\x00\x0c\x0f", [Report(b"\x18\x00\x0c\x0f")]),
        (b"\x10\x00\x10\x00\x00\x00", [Report(b"\x10\x00\x00\x00")]),  # cut short by the next one
        (b"\x37\x25\x37\x25\x00", [Block(b"\x25")]),
        (b"\x37" + b"A" * 30 + b"\x00", [*[Sensors(0x41)] * 21, Sensors(0)]),  # a block without an end holds nothing up for long
        (b"\x11\x13", []),
    ],
)
def test_what_is_cut_short_costs_itself_only(line: bytes, answers: list[Answer]) -> None:
    assert taken(line) == answers
