"""A rating panel: four buttons, and a lamp that asks for a rating while one would count."""

import asyncio

from kiosd.clock import Clock
from kiosd.ports import ButtonPanel, Fault, LampState
from kiosd.queue.commands import Rate
from kiosd.queue.interface import Queue
from kiosd.stations.pace import changed_or
from kiosd.supervisor import Health

SCORES: dict[str, tuple[str, int]] = {
    "4": ("Sangat Puas", 4),
    "3": ("Puas", 3),
    "2": ("Kurang Puas", 2),
    "1": ("Tidak Puas", 1),
}
"""A button's name, what it says (domain section 1) and its score."""
LAMP = "rate"
LAMP_CHECK_S = 5.0  # the window closes by time alone, which is no event


class RatingPanel:
    """The panel at one counter."""

    def __init__(self, queue: Queue, clock: Clock, counter: int) -> None:
        self._queue, self._clock, self._counter = queue, clock, counter

    async def use(self, panel: ButtonPanel, health: Health) -> None:
        """Presses to the queue, the invitation to the lamp."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._presses(panel, health))
            tasks.create_task(self._invite(panel))

    async def _presses(self, panel: ButtonPanel, health: Health) -> None:
        async for press in panel.presses():
            if isinstance(press, Fault):
                await health.fault(press)
                continue
            age = max(0.0, self._clock.now().monotonic - press.at)
            score, place = SCORES[press.button][1], f"rating/{self._counter}"
            await self._queue.execute(Rate(counter=self._counter, score=score, age_s=round(age, 3), actor="public", place=place))

    async def _invite(self, panel: ButtonPanel) -> None:
        changed = asyncio.Event()
        since = (await self._queue.snapshot()).sequence
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._notice(changed, since))
            while True:
                view = (await self._queue.snapshot()).counter(self._counter)
                if view and view.rateable:
                    await panel.lamp(LAMP, LampState.RATE_NOW)
                    await changed_or(self._clock, changed, LAMP_CHECK_S)
                else:
                    await panel.lamp(LAMP, LampState.OFF)
                    await changed.wait()
                changed.clear()

    async def _notice(self, changed: asyncio.Event, since: int) -> None:
        async for record in self._queue.events(since):
            if getattr(record.event, "counter", None) == self._counter:
                changed.set()
