"""systemd's end of ``NOTIFY_SOCKET``: what a daemon says of itself, and whether it gives a sign of life."""

import asyncio
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

SIGN = b"WATCHDOG=1"


class Manager:
    """The datagrams that came to ``address``."""

    def __init__(self, sock: socket.socket, address: str) -> None:
        self.sock, self.address = sock, address

    async def heard(self) -> bytes:
        """The next datagram, waited for by the loop."""
        return await asyncio.get_running_loop().sock_recv(self.sock, 4096)

    async def signs(self, count: int) -> None:
        """Wait for so many more signs of life, from now on."""
        self.fed()
        while count:
            count -= await self.heard() == SIGN

    async def starves(self, silence_s: float) -> None:
        """Wait until no sign of life has come for ``silence_s`` of real time; ends never while they go on."""
        silent = False
        while not silent:
            try:
                async with asyncio.timeout(silence_s):
                    await self.signs(1)
            except TimeoutError:
                silent = True

    def fed(self) -> bool:
        """Whether a sign of life has come since it was last asked."""
        came = []
        while True:
            try:
                came.append(self.sock.recv(4096))
            except BlockingIOError:
                return SIGN in came


@contextmanager
def managing(folder: Path) -> Iterator[Manager]:
    """systemd listens at a socket in ``folder``, for the length of the block."""
    address = folder / "notify.sock"
    address.unlink(missing_ok=True)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as sock:
        sock.bind(str(address))
        yield Manager(sock, str(address))
