"""Serial ports by pyserial: find, open, write and close with deadlines, errors translated. Shared by serial scanners and displays."""

import errno
import fcntl
import os.path
import select
import struct
import termios
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import AfterValidator, StringConstraints

from kiosd.errors import DeviceError
from kiosd_drivers._match import SERIAL_LINKS, Match, usb_node
from kiosd_drivers._reasons import reason

if TYPE_CHECKING:
    import serial

Baudrate = Literal[1200, 2400, 4800, 9600, 19200, 38400, 57600, 115200]
Flow = Literal["none", "rtscts", "xonxoff"]
Bits = Literal[7, 8]
Parity = Literal["none", "even", "odd", "mark", "space"]
StopBits = Literal[1, 2]
PortPath = Annotated[str, StringConstraints(pattern=r"^/[^\x00-\x1f]+$", max_length=255), AfterValidator(os.path.normpath)]
"""Where the port is. A name under /dev/serial/by-id or by-path stays the same after a replug; ttyUSB0 does not."""

OPEN_S = 6.0  # a USB adapter answers each of the control transfers of an open within 5 s, or the kernel gives up
CLOSE_S = 2.0
DRAIN_POLL_S = 0.005  # five characters at 9600 baud
SERIAL_STRUCT = 128  # bytes; struct serial_struct of linux/serial.h has 72 or less
CLOSING_WAIT = struct.Struct("@H")
CLOSING_WAIT_AT = 40  # its place, before the first member that is as long as a pointer
NO_WAIT = 65535  # ASYNC_CLOSING_WAIT_NONE

CODES = {
    errno.ENOENT: "absent",
    errno.ENODEV: "absent",
    errno.ENXIO: "absent",
    errno.EIO: "absent",  # what a tty says after its device was unplugged
    errno.EAGAIN: "busy",  # the exclusive lock is taken
    errno.EBUSY: "busy",
    errno.EACCES: "denied",
    errno.EPERM: "denied",
}


def _errno(exc: BaseException | None) -> int | None:
    """The system's error number: pyserial often leaves it in the exception that it was handling."""
    while exc is not None:
        number = exc.args[0] if isinstance(exc, termios.error) else getattr(exc, "errno", None)
        if isinstance(number, int):
            return number
        exc = exc.__context__
    return None


@contextmanager
def translated(path: str) -> Iterator[None]:
    """Turn what pyserial and the tty raise into ``DeviceError``: ``absent``, ``busy``, ``denied``, ``timeout`` or ``io``."""
    import serial

    try:
        yield
    except serial.SerialTimeoutException as exc:
        raise DeviceError(f"{path}: the other side does not take what is written", "timeout") from exc
    except (OSError, termios.error) as exc:  # SerialException is an OSError
        number = _errno(exc)
        if number is None:  # pyserial's only error without a cause: "readiness to read but returned no data", an unplugged device
            raise DeviceError(f"{path}: gone", "absent") from exc
        raise DeviceError(f"{path}: {reason(number)}", CODES.get(number, "io")) from exc


def one_of(port: str | None, match: Match | None) -> None:
    """For a configuration that has both: ``ValueError`` unless exactly one of them is given."""
    if (port is None) == (match is None):
        raise ValueError("give either port, the path of the serial port, or match, the rules that find it")


def place(port: str | None, match: Match | None) -> str:
    """What to call a port before it is found."""
    return port or f"the serial port with {match}"


def find_port(port: str | None, match: Match | None) -> str:
    """The path of the port; ``DeviceError`` ``absent`` or ``ambiguous`` where rules find none or several. Blocks for a moment."""
    return port or usb_node("tty", match or Match(), SERIAL_LINKS)


def open_port(
    path: str,
    baudrate: int,
    write_timeout_s: float = 1.0,
    flow: Flow = "none",
    bits: Bits = 8,
    parity: Parity = "none",
    stop_bits: StopBits = 1,
) -> "serial.Serial":
    """Open ``path`` for us alone; reads take what is there, writes end within ``write_timeout_s`` seconds. Blocks."""
    import serial

    with translated(path):
        port = serial.Serial(
            path,
            baudrate,
            bits,
            parity[0].upper(),
            stop_bits,
            timeout=0,
            write_timeout=write_timeout_s,
            exclusive=True,
            rtscts=flow == "rtscts",
            xonxoff=flow == "xonxoff",
        )
    _forget_output_when_closed(port.fileno())
    return port


def _forget_output_when_closed(fd: int) -> None:
    """Let a close of a jammed port not wait 30 s for its output (lab: closing_wait); where that is not possible ``close_port`` helps.

    It is not possible for a pty, which needs no cure, and for a user that is not root: there a udev rule does it (60-kiosd.rules).
    """
    state = bytearray(SERIAL_STRUCT)
    with suppress(OSError):
        fcntl.ioctl(fd, termios.TIOCGSERIAL, state)
        CLOSING_WAIT.pack_into(state, CLOSING_WAIT_AT, NO_WAIT)
        fcntl.ioctl(fd, termios.TIOCSSERIAL, state)


def send(port: "serial.Serial", data: bytes) -> None:
    """Write ``data`` and wait until the driver passed it on, at most three times the port's write timeout; blocks.

    Without the second wait a display that holds its flow control would swallow a kernel buffer full of stale faces first.
    """
    import serial

    path, timeout_s = str(port.port), port.write_timeout or 0.0
    with translated(path):
        # pyserial spins at full speed while a full port says EAGAIN, so ask first
        if not select.select([], [port.fileno()], [], timeout_s)[1]:
            raise serial.SerialTimeoutException
        port.write(data)
        deadline = time.monotonic() + timeout_s
        while port.out_waiting:
            if time.monotonic() > deadline:
                raise serial.SerialTimeoutException
            time.sleep(DRAIN_POLL_S)  # in a lane: there is no event for "sent"


def close_port(port: "serial.Serial") -> None:
    """Close without waiting for output: the kernel would wait 30 s for a jammed line to take what is in its buffer."""
    with suppress(OSError, termios.error):
        port.reset_output_buffer()
    with suppress(OSError):
        port.close()
