"""The ESC/POS commands for pictures, QR codes and barcodes, and GS ( H, which has the same form."""

from dataclasses import replace

from kiosd_sim.escpos_state import Machine, State, Take, take
from kiosd_sim.operations import Ask, Raster, Unknown

QR_DOTS = frozenset(bytes([n]) for n in range(1, 17))
QR_LEVELS = (b"0", b"1", b"2", b"3")  # L, M, Q, H
PICTURE_BYTES = 1_000_000  # more is not a picture but a stream that got out of step
COLUMN_BYTES = {0: 1, 1: 1, 32: 3, 33: 3}  # ESC * m: bytes of one column
STORE, PRINT = (b"0p",), (b"02", b"0\x02")  # GS ( L: m fn, number 48 and function 112; functions 50 and 2
GRAPHICS_HEAD = 8  # a bx by c xL xH yL yH
BAR_KINDS = {4: "code39", 69: "code39", 72: "code93", 73: "code128"}


def raster(state: State) -> Machine:
    """GS v 0 m: width in bytes, height in dots."""
    head = yield from take(6)
    width, height = head[2] + 256 * head[3], head[4] + 256 * head[5]
    if not 0 < width * height <= PICTURE_BYTES:
        state.out.append(Unknown(b"\x1dv" + head))
        return
    data = yield from take(width * height)
    state.place(Raster(width * 8, _rows(data, width)))


def _rows(data: bytes, width: int) -> tuple[bytes, ...]:
    return tuple(data[at : at + width] for at in range(0, len(data), width))


def columns(state: State) -> Machine:
    """ESC * m: columns of 8 dots, or of 24."""
    mode, low, high = yield from take(3)
    count, deep = low + 256 * high, COLUMN_BYTES.get(mode, 1)
    data = yield from take(count * deep)
    if count:
        state.out.append(Raster(count, _rows_of_columns(data, deep), state.align))
    state.after_picture = bool(count)


def _rows_of_columns(data: bytes, deep: int) -> tuple[bytes, ...]:
    """Columns of ``deep`` bytes, top bit first, as rows of packed bits."""
    count = len(data) // deep
    rows = [bytearray((count + 7) // 8) for _ in range(deep * 8)]
    for at, byte in enumerate(data):
        column, top = at // deep, at % deep * 8
        for bit in range(8):
            if byte & 0x80 >> bit:
                rows[top + bit][column // 8] |= 0x80 >> column % 8
    return tuple(bytes(row) for row in rows)


def extended(state: State) -> Machine:
    """GS ( letter: QR codes, graphics, and the mark behind a ticket."""
    letter, low, high = yield from take(3)
    data = yield from take(low + 256 * high)
    if letter == ord("H") and data[:2] == b"00" and len(data) == 6:
        state.out.append(Ask("gs_h", int.from_bytes(data[2:], "big")))
    elif letter == ord("k") and data[:1] == b"1":
        _qr(state, data[1:2], data[2:])
    elif letter != ord("L") or not _graphics(state, data):
        state.out.append(Unknown(bytes((0x1D, 0x28, letter)) + data))


def _qr(state: State, function: bytes, value: bytes) -> None:
    if function == b"C" and value in QR_DOTS:
        state.qr = replace(state.qr, dots=value[0])
    elif function == b"E" and value in QR_LEVELS:
        state.qr = replace(state.qr, level=QR_LEVELS.index(value))
    elif function == b"P":
        state.qr = replace(state.qr, data=value[1:].decode("utf-8", "replace"))
    elif function == b"Q" and state.qr.data:
        state.place(state.qr)


def long_graphics(state: State) -> Machine:
    """GS 8 L: as GS ( L, with a length of four bytes."""
    letter, *size = yield from take(5)
    count = int.from_bytes(bytes(size), "little")
    data = b"" if count > PICTURE_BYTES else (yield from take(count))
    if letter != ord("L") or not _graphics(state, data):
        state.out.append(Unknown(bytes((0x1D, 0x38, letter, *size))))


def _graphics(state: State, data: bytes) -> bool:
    """Keep a picture, or print the one that is kept; whether the function is known and its size is right."""
    if data[:2] in PRINT:
        if state.stored is not None:
            state.place(state.stored)
        state.stored = None
        return True
    head, dots = data[2 : 2 + GRAPHICS_HEAD], data[2 + GRAPHICS_HEAD :]
    if data[:2] not in STORE or len(head) < GRAPHICS_HEAD:
        return False
    width, height = int.from_bytes(head[4:6], "little"), int.from_bytes(head[6:8], "little")
    stride = (width + 7) // 8
    if not width or not height or len(dots) != stride * height:
        return False
    state.stored = Raster(width, _rows(dots, stride))
    return True


def bar_height(state: State) -> Machine:
    """GS h."""
    (n,) = yield from take(1)
    state.bars = replace(state.bars, height=n or 1)


def bar_width(state: State) -> Machine:
    """GS w."""
    (n,) = yield from take(1)
    state.bars = replace(state.bars, dots=min(max(n, 1), 6))


def bars(state: State) -> Machine:
    """GS k m: text until NUL (m up to 6), or with its length first."""
    (mode,) = yield from take(1)
    if mode <= 6:
        data = yield from _until_nul()
    else:
        (count,) = yield from take(1)
        data = yield from take(count)
    kind = BAR_KINDS.get(mode)
    text = data.decode("ascii", "replace")
    if kind == "code128" and text[:1] == "{":  # which of its three sets to begin with: the same bars to a scanner
        text = text[2:]
    if kind is None or not text:
        state.out.append(Unknown(bytes((0x1D, 0x6B, mode)) + data))
    else:
        state.place(replace(state.bars, kind=kind, data=text))


def _until_nul() -> Take:
    data = bytearray()
    while byte := (yield from take(1))[0]:
        data.append(byte)
    return bytes(data)
