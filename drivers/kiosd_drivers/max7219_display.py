"""A strip of LED matrices (MAX7219 chips, 8x8 dots each) on the board's SPI: numbers stand, messages scroll.

[devices.display_1]
driver = "max7219_display"
port = "/dev/spidev0.0"
chips = 4

It needs ``kiosd[matrix]`` and SPI switched on (``dtparam=spi=on``). The chips cannot answer: nobody can tell a strip that was pulled off.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from functools import partial
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from kiosd.errors import DeviceError
from kiosd.ports import CallDisplay, DriverConfig, Face, safe_text
from kiosd.threads import Lane, lane
from kiosd_drivers._matrix import Matrix, drawn, matrix, window
from kiosd_drivers._serial import PortPath

if TYPE_CHECKING:
    from PIL import Image

CALL_S = 5.0  # opening and drawing are milliseconds; this is for a machine that is busy with all else
STEP_S = 0.05  # one column: 20 a second, three characters
REST_S = 1.5  # a message stands so long before it begins to move
DOTS = 8


class Config(DriverConfig):
    """A strip of blocks, one after the other from left to right."""

    port: PortPath = Field(description="The SPI device: bus and chip select, /dev/spidev0.0 is pin 24.")
    chips: int = Field(default=4, ge=1, le=16, description="How many 8x8 blocks; A1000 needs four, with the counter six.")
    orientation: Literal[0, 90, -90, 180] = Field(default=-90, description="How each block is turned, in degrees; strips of four: -90.")
    reverse: bool = Field(default=False, description="The cable comes in at the other end.")
    upside_down: bool = Field(default=False, description="The whole strip hangs upside down.")
    brightness: int = Field(default=4, ge=0, le=15, description="0 (dim) to 15; four blocks at 15 draw more than 1 A.")
    speed_hz: int = Field(default=1_000_000, ge=10_000, le=10_000_000, description="Clock of the SPI in Hz; slower for long cables.")
    show_counter: bool = Field(default=False, description="Show the counter behind the number.")


class MatrixDisplay:
    """The ``CallDisplay`` port: the newest face; what is wider than the strip moves."""

    def __init__(self, strip: Matrix, lane_: Lane, config: Config) -> None:
        self._strip, self._lane, self._config = strip, lane_, config
        self._width = config.chips * DOTS
        self._turn = asyncio.Lock()
        self._newest: Face | None = None
        self._changed = asyncio.Event()
        self._picture: Image.Image | None = None
        self._fault: DeviceError | None = None

    async def show(self, face: Face) -> None:
        """Show ``face``; one that waited while a newer one came is left out. ``DeviceError``: ``absent``, ``timeout`` or ``io``."""
        if self._fault is not None:
            raise self._fault
        self._newest = face
        async with self._turn:
            if face is self._newest:
                picture = drawn(text(face, self._config.show_counter))
                same = self._picture is not None and picture.tobytes() == self._picture.tobytes()
                if same and picture.width > self._width:
                    return  # it is on its way, and goes on where it is
                self._picture = picture
                self._changed.set()
                await self._draw(0)

    async def _draw(self, left: int) -> None:
        if self._picture is not None:
            draw = partial(self._strip.draw, window(self._picture, self._width, left), self._config.brightness)
            await self._lane.run(draw, CALL_S)

    async def scroll(self) -> None:
        """Move what is wider than the strip, for ever; a fault of the strip is told to whoever shows something next."""
        with suppress(DeviceError):
            while True:
                try:
                    await self._pass()
                except DeviceError as exc:
                    self._fault = exc
                    raise

    async def _pass(self) -> None:
        """Once through the message, from its beginning until it is gone; ends early when there is another one."""
        self._changed.clear()
        left, wait = 0, REST_S
        while not await self._changes(wait):
            if self._picture is None or self._picture.width <= self._width:
                await self._changed.wait()
                return
            left, wait = left + 1, STEP_S
            async with self._turn:
                if not self._changed.is_set():
                    await self._draw(left)
            if left > self._picture.width:
                left = -self._width  # comes in from the right

    async def _changes(self, seconds: float) -> bool:
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._changed.wait()
        return self._changed.is_set()


def text(face: Face, show_counter: bool) -> str:
    """What stands on the strip."""
    if not face.number:
        return safe_text(face.message)
    behind = f" {face.counter}" if show_counter and face.counter is not None else ""
    return safe_text(face.number + behind)


class Max7219DisplayDriver:
    config: ClassVar[type[DriverConfig]] = Config
    port: ClassVar[type] = CallDisplay

    @asynccontextmanager
    async def open(self, config: Config, /) -> AsyncIterator[MatrixDisplay]:
        """Open the SPI device; ``DeviceError`` when it is not there, or luma is not."""
        c = config
        strip = matrix(c.port, c.speed_hz, c.chips, c.orientation, c.reverse, c.upside_down)
        async with lane(f"display {c.port}") as it:
            failure: Exception | None = None
            try:
                await it.run(strip.open, CALL_S)
                async with asyncio.TaskGroup() as tasks:
                    display = MatrixDisplay(strip, it, config)
                    scrolling = tasks.create_task(display.scroll())
                    try:
                        yield display
                    except Exception as exc:  # noqa: BLE001 - a task group would wrap it; raised again below
                        failure = exc
                    finally:
                        scrolling.cancel()
            finally:
                with suppress(DeviceError):
                    await it.run(strip.close, CALL_S)
            if failure is not None:
                raise failure


DRIVER = Max7219DisplayDriver()
