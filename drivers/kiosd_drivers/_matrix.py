"""LED matrices of MAX7219 chips on the kernel's spidev, drawn by luma: blocking, for a driver's lane.

luma asks for python3-spidev, which needs a compiler, only to send bytes; the kernel's device file does that by itself: one write is one
frame with chip select. luma registers an exit hook for every display object it makes, so there is one for each port, kept for good.
"""

import errno
import fcntl
import os
import select
import stat
from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING, Literal

from kiosd.errors import DeviceError
from kiosd_drivers._reasons import reason

if TYPE_CHECKING:
    from luma.led_matrix.device import max7219
    from PIL import Image

SPI_IOC_WR_MODE = 0x40016B01  # linux/spi/spidev.h: _IOW('k', 1, __u8)
SPI_IOC_WR_MAX_SPEED_HZ = 0x40046B04  # _IOW('k', 4, __u32)
MODE_0 = b"\x00"
WRITE_S = 1.0  # a frame is 128 bytes at most, 1 ms at 1 MHz

CODES = {
    errno.ENOENT: "absent",
    errno.ENXIO: "absent",
    errno.ENODEV: "absent",
    errno.EPIPE: "absent",
    errno.EACCES: "denied",
    errno.EPERM: "denied",
    errno.EAGAIN: "timeout",
    errno.ENOTTY: "unsupported",
}


class Spi:
    """An SPI device as luma wants a "serial interface"; errors are ``DeviceError``."""

    def __init__(self, path: str, speed_hz: int) -> None:
        self._path, self._speed_hz = path, speed_hz
        self._fd = -1

    def open(self) -> None:
        """Open the device and set its clock."""
        try:
            self._fd = os.open(self._path, os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY)
            if not stat.S_ISFIFO(os.fstat(self._fd).st_mode):  # a simulation's far side has no clock
                fcntl.ioctl(self._fd, SPI_IOC_WR_MODE, MODE_0)
                fcntl.ioctl(self._fd, SPI_IOC_WR_MAX_SPEED_HZ, self._speed_hz.to_bytes(4, "little"))
        except OSError as exc:
            self.cleanup()
            raise self._error(exc) from exc

    def data(self, data: Sequence[int]) -> None:
        """Send one frame."""
        try:
            if not select.select([], [self._fd], [], WRITE_S)[1]:
                raise BlockingIOError(errno.EAGAIN, "no room")
            os.write(self._fd, bytes(data))
        except OSError as exc:
            raise self._error(exc) from exc

    def command(self, *data: int) -> None:
        """The same: these chips have no line that tells commands from data."""
        self.data(data)

    def cleanup(self) -> None:
        """Close the device."""
        fd, self._fd = self._fd, -1
        if fd >= 0:
            os.close(fd)

    def _error(self, exc: OSError) -> DeviceError:
        number = exc.errno or 0
        words = "took no frame in time" if number == errno.EAGAIN else reason(number)
        return DeviceError(f"{self._path}: {words}", CODES.get(number, "io"))


class Matrix:
    """A row of 8x8 blocks."""

    def __init__(self, spi: Spi, chips: int, orientation: Literal[0, 90, -90, 180], reverse: bool, upside_down: bool) -> None:
        self._spi, self._chips = spi, chips
        self._options = {
            "block_orientation": orientation,
            "blocks_arranged_in_reverse_order": reverse,
            "rotate": 2 if upside_down else 0,
        }
        self._device: max7219 | None = None

    def open(self) -> None:
        """Open the port; the blocks go dark. ``DeviceError``: ``absent``, ``denied``, ``unsupported`` or ``missing`` (no luma)."""
        try:
            from luma.led_matrix.device import max7219
        except ImportError as exc:
            raise DeviceError("luma.led_matrix is not installed: install kiosd[matrix]", "missing") from exc
        self._spi.open()
        if self._device is None:
            self._device = max7219(self._spi, cascaded=self._chips, **self._options)

    def draw(self, image: "Image.Image", brightness: int) -> None:
        """Show ``image`` at a ``brightness`` of 0 to 15; wakes the chips too: one that lost its power sleeps until it is told."""
        from luma.led_matrix.const import max7219 as chip

        device = self._device
        if device is None:
            raise DeviceError("not open", "io")
        for register, value in ((chip.SCANLIMIT, 7), (chip.DECODEMODE, 0), (chip.DISPLAYTEST, 0)):
            device.data([register, value] * self._chips)
        device.contrast(brightness << 4)
        device.display(image)
        device.show()

    def close(self) -> None:
        """Close the port; what is shown stays."""
        self._spi.cleanup()


@cache
def matrix(path: str, speed_hz: int, chips: int, orientation: Literal[0, 90, -90, 180], reverse: bool, upside_down: bool) -> Matrix:
    """The matrix of this port, closed at first."""
    return Matrix(Spi(path, speed_hz), chips, orientation, reverse, upside_down)


def drawn(text: str) -> "Image.Image":
    """``text`` (ASCII) as a picture, 8 pixels high and at least one wide."""
    from luma.core.legacy import text as write
    from luma.core.legacy import textsize
    from luma.core.legacy.font import LCD_FONT, proportional
    from PIL import Image, ImageDraw

    font = proportional(LCD_FONT)
    image = Image.new("1", (max(1, textsize(text, font)[0]), 8))
    write(ImageDraw.Draw(image), (0, 0), text, fill="white", font=font)
    return image


def window(strip: "Image.Image", width: int, left: int) -> "Image.Image":
    """``width`` columns of ``strip`` from ``left`` on, dark behind its end; left of 0 is dark too."""
    from PIL import Image

    image = Image.new("1", (width, 8))
    image.paste(strip, (-left, 0))
    return image
