"""A counter: an officer's call keys and a scanner.

``KEYS`` is every function a key can have. Two of them look at what the counter is doing, so that two keys are enough for a day's work:
``advance`` goes one step on, ``repeat`` calls again and, after the last call, marks the visitor absent. ``undo`` takes back whatever was
the last step.
"""

import asyncio
import hashlib
import hmac
import logging
from collections.abc import Callable

from kiosd.clock import Clock
from kiosd.ports import BadScan, ButtonPanel, Fault, LampState, Scanner
from kiosd.queue import commands as cmd
from kiosd.queue.commands import Command
from kiosd.queue.interface import CounterView, Queue, Reply
from kiosd.queue.model import CounterState
from kiosd.queue.steady import UNREACHABLE
from kiosd.redact import groups
from kiosd.stations.pace import changed_or
from kiosd.supervisor import Health

log = logging.getLogger(__name__)

TOKEN_BYTES = 16  # domain section 9
Forward = Callable[[str, str, Reply], None]
"""What is done with a scan beside the queue: its token, its payload, and what the queue said to it."""
LAMP = "ready"
LAMP_CHECK_S = 5.0  # whether the hub is there
REFUSED_BLINK_S = 2.0


def _advance(view: CounterView, max_calls: int) -> Command:
    del max_calls
    return cmd.Start(counter=view.counter) if view.state is CounterState.CALLING else cmd.CallNext(counter=view.counter)


def _repeat(view: CounterView, max_calls: int) -> Command:
    return cmd.MarkAbsent(counter=view.counter) if view.calls >= max_calls else cmd.Recall(counter=view.counter)


def _pause(view: CounterView, max_calls: int) -> Command:
    del max_calls
    paused = view.state is CounterState.PAUSED
    return cmd.OpenCounter(counter=view.counter) if paused else cmd.PauseCounter(counter=view.counter)


_UNDO: dict[str, type[cmd.UndoCall | cmd.UndoStart | cmd.UndoFinish]] = {
    "undo_call": cmd.UndoCall,
    "undo_start": cmd.UndoStart,
    "undo_finish": cmd.UndoFinish,
}
_UNDO_IN = {CounterState.CALLING: "undo_call", CounterState.SERVING: "undo_start"}


def undo_command(view: CounterView) -> Command:
    """Takes back the last step at a counter; when it is too late for that, the queue says so to the command that would have."""
    return _UNDO[view.undo or _UNDO_IN.get(view.state, "undo_finish")](counter=view.counter)


KEYS: dict[str, tuple[str, Callable[[CounterView, int], Command]]] = {
    "next": ("call the next ticket; finishes the one being served", lambda view, _: cmd.CallNext(counter=view.counter)),
    "recall": ("call the same ticket once more", lambda view, _: cmd.Recall(counter=view.counter)),
    "start": ("the visitor is here, without a card", lambda view, _: cmd.Start(counter=view.counter)),
    "absent": ("the visitor did not come", lambda view, _: cmd.MarkAbsent(counter=view.counter)),
    "undo": ("take back the last call, start or finish", lambda view, _: undo_command(view)),
    "invite": ("ask the visitor who is being served to rate", lambda view, _: cmd.Invite(counter=view.counter)),
    "finish": ("the visit is over", lambda view, _: cmd.Finish(counter=view.counter)),
    "open": ("open the counter", lambda view, _: cmd.OpenCounter(counter=view.counter)),
    "pause": ("away for a moment; the same key comes back", _pause),
    "close": ("close the counter", lambda view, _: cmd.CloseCounter(counter=view.counter)),
    "advance": ("called -> start; else call the next, finishing the one being served", _advance),
    "repeat": ("recall; after the last call: mark absent", _repeat),
}


def token(site_key: bytes, payload: str) -> str:
    """What kiosd keeps of a scan: the first 16 bytes of HMAC-SHA256(site key, payload), in four groups of hexadecimal digits."""
    return groups(hmac.new(site_key, payload.encode(), hashlib.sha256).digest()[:TOKEN_BYTES].hex())


class CounterStation:
    """One counter's devices and the queue."""

    def __init__(self, queue: Queue, clock: Clock, number: int, site_key: bytes, forward: Forward | None = None) -> None:
        self._queue, self._clock, self._number, self._site_key, self._forward = queue, clock, number, site_key, forward
        self._refused = asyncio.Event()

    async def use_keys(self, panel: ButtonPanel, health: Health) -> None:
        """Each key press becomes a command; a refused one is told in the log and is an event already.

        The lamp says that a press was heard until its answer comes, and then whether that was a refusal.
        """
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._lamp(panel))
            async for press in panel.presses():
                if isinstance(press, Fault):
                    await health.fault(press)
                    continue
                await panel.lamp(LAMP, LampState.WAIT)
                reply = await self.press(press.button)
                if reply is not None and reply.done:
                    await panel.lamp(LAMP, LampState.ON)
                else:
                    self._refused.set()

    async def _lamp(self, panel: ButtonPanel) -> None:
        while True:
            away = (await self._queue.snapshot()).why == UNREACHABLE
            await panel.lamp(LAMP, LampState.FAULT if away else LampState.ON)
            if await changed_or(self._clock, self._refused, LAMP_CHECK_S):
                self._refused.clear()
                await panel.lamp(LAMP, LampState.REFUSED)
                await self._clock.sleep(REFUSED_BLINK_S)

    async def press(self, key: str) -> Reply | None:
        """What the key ``key`` asks for, done; None when the counter is unknown to the queue."""
        state = await self._queue.snapshot()
        view = state.counter(self._number)
        if view is None:
            return None
        asked = KEYS[key][1](view, state.max_calls).model_copy(update={"actor": "officer", "place": f"counter/{self._number}"})
        reply = await self._queue.execute(asked)
        if not reply.done:
            log.info("counter %d: %s: %s", self._number, key, reply.message)
        return reply

    async def use_scanner(self, scanner: Scanner, health: Health) -> None:
        """Each scan becomes a token here; the payload goes no further, unless the site forwards it to the central system."""
        del health
        async for scan in scanner.scans():
            if isinstance(scan, BadScan):
                await self._queue.execute(cmd.RejectScan(counter=self._number, reason=scan.reason))
                continue
            mark = token(self._site_key, scan.payload)
            reply = await self._queue.execute(cmd.AttachScan(counter=self._number, token=mark))
            if self._forward is not None:
                self._forward(mark, scan.payload, reply)
