"""A simulated barcode scanner that types on a USB keyboard."""

import asyncio
from collections.abc import Iterable

from kiosd.errors import Refused
from kiosd_sim.keyboard import KEY_ENTER, KEY_TAB, KEYS, SimKeyboard
from kiosd_sim.scanner import ENDS, USUAL, Manner

ENDING = {"\r": KEY_ENTER, "\n": KEY_ENTER, "\t": KEY_TAB}
SOON_S = 0.001
GARBLED = "m"  # Ctrl and M: a scanner that is set to type control characters makes that of its CR


class Typist:
    """Types what it is told as an American keyboard does, and a control character as Ctrl and its letter. ``port`` is the keyboard."""

    def __init__(self, keyboard: SimKeyboard, manner: Manner = USUAL) -> None:
        self.port = keyboard
        self.manner = manner

    async def send(self, text: str, terminator: str | bytes = "\r") -> None:
        """Type one code and its end; waits while nobody reads. ``Refused`` for what no key types."""
        for char in text:
            if char not in KEYS and char not in ENDING and not "\x01" <= char <= "\x1a":
                raise Refused("no_key", {"message": f"the simulated keyboard has no key for U+{ord(char):04X}"})
        for char in text:
            await self._key(char)
        if terminator == ENDS["garbled"]:
            await self._control(GARBLED)
        elif isinstance(terminator, str) and terminator:
            await self._key(terminator[0])  # of CRLF one Enter is typed

    async def burst(self, texts: Iterable[str], terminator: str | bytes = "\r") -> None:
        """Codes one after the other without a pause."""
        for text in texts:
            await self.send(text, terminator)

    async def _key(self, char: str) -> None:
        if char in ENDING:
            await self._room()
            self.port.tap(ENDING[char])
        elif char in KEYS:
            await self._room()
            self.port.type(char, end=None)
        else:
            await self._control(chr(ord(char) + 0x60))

    async def _control(self, letter: str) -> None:
        await self._room()
        self.port.control(letter)

    async def _room(self) -> None:
        """A scanner types more slowly than its keys are read."""
        while self.port.full:  # noqa: ASYNC110 - who reads a pipe does not tell
            await asyncio.sleep(SOON_S)
