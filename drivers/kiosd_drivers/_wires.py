"""The three wires to a printer (usblp character device, serial line, TCP), used in one way: bytes out and in, each with a deadline.

Rule 1  No call blocks longer than its deadline; ``cancel`` from another thread ends a waiting call within 0.1 s.
Rule 2  ``sent`` counts the bytes that the kernel took: it decides between "nothing was printed" and "uncertain".
Rule 3  ``close`` throws away what has not left this machine; whoever wants it printed calls ``drain`` first.
WARNING usblp: a write claims its whole length at once and only POLLOUT says that it went out; an empty read is not the end
        (hardware section 1, pitfall 12).
"""

import errno
import fcntl
import grp
import os
import select
import socket
import stat
import struct
import termios
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from kiosd.errors import DeviceError

SLICE_S = 0.1  # longest sleep in one poll(2), so that a cancelled wire lets go soon
CHUNK = 8192  # usblp's own buffer: it takes no more at once
LOOK_AGAIN_S = 0.01  # while the kernel's output queue empties: there is no event for "empty" on a tty or a socket
USBLP_MAJORS = frozenset({180, 6})  # Documentation/admin-guide/devices.txt: USB character devices, parallel printers
LPGETSTATUS = 0x060B  # include/uapi/linux/lp.h

CODES = {
    errno.ENOENT: "absent",
    errno.ENODEV: "absent",
    errno.ENXIO: "absent",
    errno.EIO: "absent",
    errno.EPIPE: "absent",
    errno.EBADF: "absent",
    errno.ESHUTDOWN: "absent",
    errno.ECONNRESET: "absent",
    errno.ECONNREFUSED: "absent",
    errno.EHOSTUNREACH: "absent",
    errno.EHOSTDOWN: "absent",
    errno.ENETUNREACH: "absent",
    errno.EACCES: "permission",
    errno.EPERM: "permission",
    errno.EBUSY: "busy",
    errno.EWOULDBLOCK: "busy",
    errno.ETIMEDOUT: "timeout",
    errno.ENOSPC: "paper_out",  # usblp's word for it
}
"""What an errno means for the person at the machine; anything else is ``io``."""


@dataclass(frozen=True, slots=True)
class SerialSettings:
    """How a serial line is set; ignored by the other wires."""

    baudrate: int = 19200
    rtscts: bool = False
    xonxoff: bool = False


def device_error(port: str, error: OSError) -> DeviceError:
    """The ``DeviceError`` for what the operating system (or pyserial, whose errors are OSErrors too) said about ``port``."""
    if isinstance(error, socket.gaierror):
        return DeviceError(f"{port}: no such host ({error.strerror})", "absent")
    code = "timeout" if isinstance(error, TimeoutError) else CODES.get(error.errno or 0, "io")
    words = os.strerror(error.errno) if error.errno else (str(error) or "timed out")
    if code == "permission":
        words += _group_hint(port)
    elif code == "busy":
        words = "in use by another program"
    return DeviceError(f"{port}: {words}", code)


def _group_hint(port: str) -> str:
    try:
        group = grp.getgrgid(Path(port).stat().st_gid).gr_name
    except (OSError, KeyError):
        return ""
    return f"; the user that runs kiosd must be in group {group}: usermod -aG {group} USER, then restart kiosd"


def queued(fd: int) -> int:
    """Bytes that the kernel took for a tty or a socket and that have not left (on a socket: that the peer has not acknowledged)."""
    answer = fcntl.ioctl(fd, termios.TIOCOUTQ, b"\0" * 4)  # on Linux the same number is SIOCOUTQ of a socket
    count: int = struct.unpack("i", answer)[0]
    return count


class Wire:
    """An open, non-blocking file descriptor to a printer. Every error is a ``DeviceError``: ``absent`` when it is gone."""

    def __init__(self, port: str, fd: int, hang_up: Callable[[], None], *, usblp: bool = False) -> None:
        self._port = port
        self._fd = fd
        self._hang_up = hang_up
        self._usblp = usblp
        self._cancelled = False
        self._closed = False
        self.sent = 0

    def write(self, data: bytes, progress_s: float) -> None:
        """Hand all of ``data`` to the kernel; ``timeout`` when no byte was taken for ``progress_s`` seconds."""
        rest = memoryview(data)
        deadline = time.monotonic() + progress_s
        while rest:
            if not self._ready(select.POLLOUT, deadline):
                raise DeviceError(f"{self._port}: takes no bytes for {progress_s:g} s", "timeout")
            taken = self._write_some(rest)
            if taken:
                self.sent += taken
                rest = rest[taken:]
                deadline = time.monotonic() + progress_s

    def _write_some(self, data: memoryview) -> int:
        try:
            return os.write(self._fd, data[:CHUNK])
        except BlockingIOError:  # usblp says POLLOUT without room while it waits for paper: do not spin on it
            time.sleep(LOOK_AGAIN_S)  # in a lane
            return 0
        except OSError as error:
            raise device_error(self._port, error) from error

    def drain(self, progress_s: float) -> None:
        """Wait until everything written left this machine; ``timeout`` when nothing moved for ``progress_s`` seconds."""
        deadline = time.monotonic() + progress_s
        if self._usblp:
            if not self._ready(select.POLLOUT, deadline):
                raise DeviceError(f"{self._port}: did not take the last bytes in {progress_s:g} s", "timeout")
            return
        left = self._queued()
        while left:
            if time.monotonic() > deadline:
                raise DeviceError(f"{self._port}: {left} bytes are stuck for {progress_s:g} s", "timeout")
            self._ready(0, time.monotonic() + LOOK_AGAIN_S)
            before, left = left, self._queued()
            if left < before:
                deadline = time.monotonic() + progress_s

    def _queued(self) -> int:
        try:
            return queued(self._fd)
        except OSError as error:
            raise device_error(self._port, error) from error

    def read(self, wait_s: float) -> bytes:
        """What the printer sent; ``b""`` when nothing came within ``wait_s`` seconds."""
        if not self._ready(select.POLLIN, time.monotonic() + wait_s):
            return b""
        try:
            data = os.read(self._fd, 4096)
        except BlockingIOError:
            return b""
        except OSError as error:
            raise device_error(self._port, error) from error
        if not data and not self._usblp:
            raise DeviceError(f"{self._port}: the other end hung up", "absent")
        return data

    def port_status(self) -> int | None:
        """The status byte of the USB printer class: it is told even while the data pipe is stuck. None where there is none."""
        if not self._usblp:
            return None
        try:
            answer = fcntl.ioctl(self._fd, LPGETSTATUS, b"\0" * 4)
        except OSError:  # not every printer has it; that the device is gone is said by the next poll
            return None
        return answer[0]

    def _ready(self, event: int, deadline: float) -> bool:
        """Whether ``event`` came before ``deadline``; raises when the other end hung up and there is nothing left to read."""
        poll = select.poll()
        poll.register(self._fd, event | select.POLLRDHUP)
        while not self._cancelled:
            left = min(deadline - time.monotonic(), SLICE_S)
            got = dict(poll.poll(max(0.0, left) * 1000)).get(self._fd, 0)
            if got & ~event and not (event & got & select.POLLIN):
                raise DeviceError(f"{self._port}: gone", "absent")
            if got:
                return True
            if time.monotonic() >= deadline:
                return False
        raise DeviceError(f"{self._port}: closed", "absent")

    def cancel(self) -> None:
        """Make every waiting or later call fail. Safe from any thread; ``close`` must still follow, in the thread that uses the wire."""
        self._cancelled = True

    def close(self) -> None:
        """Let go of the printer; bytes that did not leave yet are thrown away. Twice is once."""
        self._cancelled = True
        if not self._closed:
            self._closed = True
            with suppress(OSError, termios.error):  # an unplugged line cannot be flushed, and is closed all the same
                self._hang_up()


def open_wire(port: str, serial: SerialSettings, connect_s: float) -> Wire:
    """The wire to ``port``: ``tcp:HOST:PORT``, or the path of a character device (usblp by its major number, else a serial line)."""
    try:
        if port.startswith("tcp:"):
            return open_tcp(port, connect_s)
        mode = Path(port).stat()
        if stat.S_ISCHR(mode.st_mode) and os.major(mode.st_rdev) in USBLP_MAJORS:
            return open_usblp(port)
        return open_serial(port, serial)
    except DeviceError:
        raise
    except OSError as error:
        raise device_error(port, error) from error
    except termios.error as error:  # pyserial lets it through; it is not an OSError
        raise device_error(port, OSError(*error.args)) from error
    except UnicodeError as error:  # what no host can be called, such as a label of 64 characters
        raise DeviceError(f"{port}: no such host", "absent") from error
    except (ValueError, OverflowError) as error:  # a speed or a port that the system does not know
        raise DeviceError(f"{port}: cannot be opened: {error}", "io") from error


def open_usblp(port: str) -> Wire:
    """The kernel's USB printer class driver: exclusive, and bidirectional where the printer is. Never creates a file."""
    fd = os.open(port, os.O_RDWR | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    if not stat.S_ISCHR(os.fstat(fd).st_mode):
        os.close(fd)
        raise DeviceError(f"{port}: not a character device, so not a printer", "io")
    return Wire(port, fd, lambda: os.close(fd), usblp=True)


def open_serial(port: str, settings: SerialSettings) -> Wire:
    """A serial line (RS-232, USB adapter, pty), set up by pyserial and locked against other programs that lock."""
    if not stat.S_ISCHR(Path(port).stat().st_mode):
        raise DeviceError(f"{port}: not a character device, so not a printer", "io")
    import serial

    line = serial.Serial(port, settings.baudrate, rtscts=settings.rtscts, xonxoff=settings.xonxoff, exclusive=True)

    def hang_up() -> None:
        try:
            if queued(line.fileno()):  # else close(2) waits up to 30 s for a printer that takes no bytes
                line.reset_output_buffer()
        finally:
            line.close()

    return Wire(port, line.fileno(), hang_up)


def open_tcp(port: str, connect_s: float) -> Wire:
    """A raw print server (port 9100). Keep-alives find a pulled cable in about 25 s where the printer answers no questions."""
    host, _, number = port.removeprefix("tcp:").rpartition(":")
    line = socket.create_connection((host.strip("[]"), int(number)), timeout=connect_s)
    line.setblocking(False)
    line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    line.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for option, value in ((socket.TCP_KEEPIDLE, 10), (socket.TCP_KEEPINTVL, 5), (socket.TCP_KEEPCNT, 3)):
        line.setsockopt(socket.IPPROTO_TCP, option, value)

    def hang_up() -> None:
        if queued(line.fileno()):  # cancel what is unsent by a reset; else the kernel goes on sending it, and it is printed late
            line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        line.close()

    return Wire(port, line.fileno(), hang_up)
