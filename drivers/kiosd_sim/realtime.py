"""The commands that a printer obeys as soon as it receives them, whatever it does, and even when they are data of a picture."""

from kiosd_sim.operations import Ask

CLEAR = b"\x10\x14\x08\x01\x03\x14\x01\x06\x02\x08"  # DLE DC4 8 and its password
COMMANDS = {bytes((0x10, 0x04, n)): Ask("dle_eot", n) for n in (1, 2, 3, 4)} | {b"\x10\x05\x02": Ask("recover", 2), CLEAR: Ask("clear", 8)}
LONGEST = max(map(len, COMMANDS))


class Ears:
    """Feed it what comes in; it finds the commands among the rest."""

    def __init__(self) -> None:
        self._heard = b""

    def split(self, data: bytes) -> list[tuple[bytes, Ask | None]]:
        """``data`` in pieces; behind a piece stands the command that ends with its last byte, None behind the last one."""
        pieces: list[tuple[bytes, Ask | None]] = []
        begin = 0
        for end, byte in enumerate(data, 1):
            self._heard = (self._heard + bytes([byte]))[-LONGEST:]
            if ask := next((ask for command, ask in COMMANDS.items() if self._heard.endswith(command)), None):
                pieces.append((data[begin:end], ask))
                begin = end
                self._heard = b""
        return [*pieces, (data[begin:], None)] if begin < len(data) else pieces
