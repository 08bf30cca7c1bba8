"""Waiting for something to change, but not for ever, by the injected clock."""

import asyncio

from kiosd.clock import Clock


async def changed_or(clock: Clock, event: asyncio.Event, seconds: float) -> bool:
    """Wait until ``event`` is set (True) or ``seconds`` have passed (False)."""
    async with asyncio.TaskGroup() as tasks:
        waits = {tasks.create_task(event.wait()), tasks.create_task(clock.sleep(seconds))}
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        for task in waits:
            task.cancel()
    return event.is_set()
