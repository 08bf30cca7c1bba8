"""Serial ports by pyserial: open, write and close with deadlines, errors translated. Shared by serial scanners and displays."""

import errno
import select
import termios
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import StringConstraints

from kiosd.errors import DeviceError

if TYPE_CHECKING:
    import serial

Baudrate = Literal[1200, 2400, 4800, 9600, 19200, 38400, 57600, 115200]
Flow = Literal["none", "rtscts", "xonxoff"]
PortPath = Annotated[str, StringConstraints(pattern=r"^/[^\x00-\x1f]+$", max_length=255)]
"""Where the port is. A name under /dev/serial/by-id or by-path stays the same after a replug; ttyUSB0 does not."""

OPEN_S = 6.0  # a USB adapter answers each of the control transfers of an open within 5 s, or the kernel gives up
CLOSE_S = 2.0
DRAIN_POLL_S = 0.005  # five characters at 9600 baud

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
        raise DeviceError(f"{path}: {errno.errorcode.get(number, number)}", CODES.get(number, "io")) from exc


def open_port(path: str, baudrate: int, write_timeout_s: float = 1.0, flow: Flow = "none") -> "serial.Serial":
    """Open ``path`` 8N1 for us alone; reads take what is there, writes end within ``write_timeout_s`` seconds. Blocks."""
    import serial

    with translated(path):
        return serial.Serial(
            path,
            baudrate,
            timeout=0,
            write_timeout=write_timeout_s,
            exclusive=True,
            rtscts=flow == "rtscts",
            xonxoff=flow == "xonxoff",
        )


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
            time.sleep(DRAIN_POLL_S)


def close_port(port: "serial.Serial") -> None:
    """Close without waiting for output: the kernel would wait 30 s for a jammed line to take what is in its buffer."""
    with suppress(OSError, termios.error):
        port.reset_output_buffer()
    with suppress(OSError):
        port.close()
