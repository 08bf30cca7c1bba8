"""The third wire of the simulated printer: /dev/g_printer0 of a Linux USB gadget, so that a host has a real /dev/usb/lp0.

WARNING  Its file must be closed (``unplug``) before the gadget is unbound: Linux 6.12 locks up otherwise when it is bound again.
"""

import asyncio
import fcntl
import os
from contextlib import suppress
from pathlib import Path

from kiosd_sim.outlets import READ_SIZE, Serve

SET_STATUS = 0xC0016722  # include/uapi/linux/usb/g_printer.h: _IOWR('g', 0x22, unsigned char)


class _FileTransport(asyncio.ReadTransport):
    """Feeds ``reader`` from the file ``fd`` and stops when the reader has enough, so that the host waits."""

    def __init__(self, fd: int, reader: asyncio.StreamReader) -> None:
        super().__init__()
        self._fd, self._reader = fd, reader
        self._loop = asyncio.get_running_loop()
        self.resume_reading()

    def pause_reading(self) -> None:
        self._loop.remove_reader(self._fd)

    def resume_reading(self) -> None:
        self._loop.add_reader(self._fd, self._read)

    def _read(self) -> None:
        with suppress(BlockingIOError, OSError):  # the host went away: it may come back to the same file
            if data := os.read(self._fd, READ_SIZE):
                self._reader.feed_data(data)

    def close(self) -> None:
        self._loop.remove_reader(self._fd)
        self._reader.feed_eof()


class GadgetOutlet:
    """A USB printer as the gadget's side sees it."""

    def __init__(self, device: Path, group: asyncio.TaskGroup) -> None:
        self._device, self._group = device, group
        self._fd = -1
        self._transport: _FileTransport | None = None

    @property
    def port(self) -> str:
        return str(self._device)

    async def plug(self, serve: Serve) -> None:
        """Open the gadget's file, which must be there; ``OSError`` when it is not, or in use."""
        self._fd = os.open(self._device, os.O_RDWR | os.O_NONBLOCK)
        reader = asyncio.StreamReader(limit=READ_SIZE)
        self._transport = _FileTransport(self._fd, reader)
        reader.set_transport(self._transport)
        self._task = self._group.create_task(serve(reader))

    def send(self, data: bytes) -> None:
        with suppress(OSError):  # the host does not read, or is not there: a printer does not mind
            os.write(self._fd, data)

    def port_status(self, byte: int) -> None:
        """What LPGETSTATUS gets on the host."""
        with suppress(OSError):  # not plugged in, or not a gadget
            fcntl.ioctl(self._fd, SET_STATUS, byte)

    async def unplug(self) -> None:
        if self._transport is None:
            return
        self._transport.close()
        self._transport = None
        os.close(self._fd)
        self._fd = -1
        self._task.cancel()
        await asyncio.wait([self._task])
