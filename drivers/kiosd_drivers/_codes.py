"""From bytes to scans, and from the thread that reads them to the station: shared by the scanner drivers.

Rule 1  A code is 1 to 512 printable characters before its end (CR, LF or CRLF); STX before it and ETX after it are not part of it.
Rule 2  Whatever breaks a code (a control character, too many, silence in the middle) gives one ``BadScan``, and the rest of it is skipped.
Rule 3  A code is personal: it is in no message and no log; only ``Scan`` carries it, and its ``repr`` hides it (domain section 9).
Rule 4  A scanner that sends more codes than anybody can scan, or types on and on without a code, is out of order: an error, so that its
        supervisor lets it rest for a while.
"""

import logging
import select
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from enum import IntEnum
from typing import Protocol

from kiosd.errors import DeviceError
from kiosd.ports import BadScan, Scan, boottime
from kiosd.threads import Inbox, reader

log = logging.getLogger(__name__)

MAX_LENGTH = 512  # characters; domain section 9
MAX_BYTES = 4 * MAX_LENGTH + 3  # UTF-8 needs at most four bytes for a character; an AIM identifier has three
STX, ETX = 0x02, 0x03
TERMINATORS = b"\r\n"
CONTROL = frozenset((*range(0x20), 0x7F)) - {ETX}  # an ETX is judged at the end of the code, where it is allowed
ENDLESS = 8 * MAX_BYTES  # bytes without a code; 4 s of 4000 characters a second, and more than twenty of the longest codes in ASCII
BURST = 100  # codes at once; a batch scanner that empties its memory sends some dozens
PER_S = 10.0  # codes a second, for ever; a person manages two, a scanner that looks by itself five


class Skip(IntEnum):
    """How much of what follows belongs to a code that was already thrown away."""

    NOTHING = 0
    CODE = 1  # until its terminator or silence
    UNTIL_SILENCE = 2  # bytes were lost, so that the next terminator may be of any code


def whole(text: str, at: float, symbology: str = "") -> Scan | BadScan:
    """``text`` as a scan, if it is as long as a code may be."""
    return Scan(text, at, symbology) if 0 < len(text) <= MAX_LENGTH else BadScan("length", at)


class Assembler:
    """Bytes and times in, scans out; pure. However the bytes are split, the scans are the same.

    Only ``tick`` measures silence: the reader calls it after it took everything there was, so that a thread that was kept
    waiting (a busy machine) is not mistaken for a scanner that stopped in the middle of a code.
    """

    def __init__(
        self, idle_s: float, ends: bytes = TERMINATORS, silence_ends: bool = False, judge: Callable[[str, float], Scan | BadScan] = whole
    ) -> None:
        """``ends``: the bytes that end a code. ``silence_ends``: so does silence. ``judge`` makes a scan of printable characters."""
        self.idle_s, self.ends = idle_s, ends
        self._silence_ends, self._judge = silence_ends, judge
        self._code = bytearray()
        self._skip = Skip.NOTHING
        self._last = 0.0
        self._run = 0  # bytes since the last code or silence

    @property
    def endless(self) -> bool:
        """Whether so much came without a code that it is no scanning any more."""
        return self._run > ENDLESS

    @property
    def busy(self) -> bool:
        """Whether silence would mean something now: call ``tick`` within ``idle_s`` seconds."""
        return bool(self._code) or self._skip is not Skip.NOTHING

    def feed(self, data: bytes, at: float) -> list[Scan | BadScan]:
        """What is complete, or spoiled, with ``data`` read at ``at`` (seconds since boot)."""
        self._came(len(data), at)
        return [code for byte in data for code in self._take(byte, at)]

    def tick(self, at: float) -> list[Scan | BadScan]:
        """Throw half a code away after ``idle_s`` seconds of silence, or take it for a whole one."""
        if not self.busy or at - self._last < self.idle_s:
            return []
        if self._silence_ends and self._code:
            return self._end(at)
        half = bool(self._code)
        self._reset()
        return [BadScan("incomplete", at)] if half else []

    def reject(self, reason: str, at: float, skip: Skip = Skip.CODE) -> list[Scan | BadScan]:
        """Throw the code in hand away, and what follows of it; a code is rejected once."""
        self._came(1, at)
        if self._skip >= skip:
            return []
        self._code.clear()
        self._skip = skip
        return [BadScan(reason, at)]

    def _came(self, count: int, at: float) -> None:
        self._run = count + (self._run if at - self._last < self.idle_s else 0)
        self._last = at

    def _take(self, byte: int, at: float) -> list[Scan | BadScan]:
        if byte in self.ends:
            return self._end(at)
        if self._skip or (byte == STX and not self._code):
            return []
        if byte in CONTROL:
            return self.reject("control", at)
        self._code.append(byte)
        return self.reject("length", at) if len(self._code) > MAX_BYTES else []

    def _end(self, at: float) -> list[Scan | BadScan]:
        if self._skip is Skip.UNTIL_SILENCE:
            return []
        raw = bytes(self._code).removesuffix(bytes([ETX]))  # a skipped code holds no bytes; an empty line is no code
        if raw or self._skip:
            self._run = 0
        self._reset()
        if not raw:
            return []
        text = _text(raw)
        if not text.isprintable():
            return [BadScan("control", at)]
        return [self._judge(text, at)]

    def _reset(self) -> None:
        self._code.clear()
        self._skip = Skip.NOTHING


def _text(raw: bytes) -> str:
    """``raw`` as characters: UTF-8, else Latin-1, the two encodings of QR codes; every byte string has exactly one reading."""
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return raw.decode("latin-1")


class Pace:
    """Lets ``BURST`` codes pass at once and ``PER_S`` a second for ever; pure."""

    def __init__(self) -> None:
        self._left, self._at = float(BURST), 0.0

    def exceeded(self, codes: int, at: float) -> bool:
        """Whether ``codes`` more, at ``at`` (seconds since boot), are too many."""
        self._left = min(BURST, self._left + (at - self._at) * PER_S) - codes
        self._at = at
        return self._left < 0


class Source(Protocol):
    """An open scanner as its reader thread sees it; everything raises ``DeviceError`` only."""

    @property
    def codes(self) -> Assembler: ...
    def fileno(self) -> int: ...
    def take(self, at: float) -> list[Scan | BadScan]:
        """All that is there now, without waiting."""
        ...

    def close(self) -> None: ...


class ScanReader:
    """The ``Scanner`` port over an inbox."""

    def __init__(self, inbox: Inbox[Scan | BadScan]) -> None:
        self._inbox = inbox
        self._told = 0

    async def scans(self) -> AsyncIterator[Scan | BadScan]:
        """Every code in order; where the inbox ran over, one ``BadScan("dropped")`` says so."""
        async for code in self._inbox:
            yield code
            if self._inbox.dropped > self._told:
                self._told = self._inbox.dropped
                yield BadScan("dropped", code.at)


@asynccontextmanager
async def reading(name: str, source: Source) -> AsyncIterator[ScanReader]:
    """Read ``source`` in a thread of its own for the length of a ``with`` block; the thread closes it.

    The block ends when the device is closed, because a replugged device gets another name while the old one is still open (hardware
    section 3b).
    """
    inbox: Inbox[Scan | BadScan] = Inbox()

    def work(wake: int) -> None:
        try:
            _read(name, source, wake, inbox)
        finally:
            source.close()

    async with reader(f"read {name}", work, inbox):
        yield ScanReader(inbox)


def _read(name: str, source: Source, wake: int, inbox: Inbox[Scan | BadScan]) -> None:
    poll, pace = select.poll(), Pace()
    poll.register(wake, select.POLLIN)
    poll.register(source.fileno(), select.POLLIN)
    while True:
        ready = {fd for fd, _ in poll.poll(source.codes.idle_s * 1000 if source.codes.busy else None)}
        if wake in ready:
            return
        at = boottime()
        found = [*(source.take(at) if ready else ()), *source.codes.tick(at)]
        for code in found:
            inbox.put_from_thread(code)
        if source.codes.endless:
            raise DeviceError(f"{name}: types on and on without the end of a code; which end is it set to send (ends)?", "jabber")
        if pace.exceeded(len(found), at):
            raise DeviceError(f"{name}: sends more codes than anybody can scan, over {PER_S:g} a second", "jabber")
