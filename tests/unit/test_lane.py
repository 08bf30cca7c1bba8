"""A lane at its deadline: what came in time is taken, what came late is closed, and nothing stays open with nobody."""

import asyncio
import threading
import time

import pytest

from kiosd.errors import DeviceError
from kiosd.threads import lane

SOON_S = 0.05


def _busy(seconds: float) -> None:
    """The loop is: answer and deadline come to it together."""
    time.sleep(seconds)


async def test_a_value_that_came_while_the_loop_was_busy_at_the_deadline_is_taken() -> None:
    """A port that was opened then would stay open, and locked, for as long as the daemon lives."""
    closed: list[str] = []
    async with lane("port") as it, asyncio.TaskGroup() as tasks:
        asking = tasks.create_task(it.run(lambda: "open", SOON_S, closed.append))
        await asyncio.sleep(0)  # it has asked
        _busy(2 * SOON_S)
        assert await asking == "open"
        assert not closed and not it.hung
        assert await it.run(lambda: "again", 5.0) == "again"


async def test_a_value_that_comes_late_is_closed() -> None:
    go, closed = threading.Event(), asyncio.Queue[str]()

    def late() -> str:
        go.wait(5.0)
        return "open"

    async with lane("port") as it:
        with pytest.raises(DeviceError, match="no answer"):
            await it.run(late, SOON_S, closed.put_nowait)
        go.set()
        async with asyncio.timeout(5):
            assert await closed.get() == "open"
        with pytest.raises(DeviceError, match="has not come back"):
            await it.run(lambda: "again", 5.0)


async def test_the_calls_own_timeout_is_its_own() -> None:
    def fails() -> str:
        raise TimeoutError("of the call")

    async with lane("port") as it:
        with pytest.raises(TimeoutError, match="of the call"):
            await it.run(fails, 5.0)
        assert not it.hung
