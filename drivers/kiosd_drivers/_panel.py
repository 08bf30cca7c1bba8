"""A panel's edges from another thread, and the ``presses`` that come of them by the rules of ``_press``."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass

from kiosd.errors import DeviceError
from kiosd.ports import Fault, Press, boottime
from kiosd.threads import Inbox
from kiosd_drivers._press import JABBER, JABBER_S, Contact, Presses, PressRules

CHECK_S = 2.0  # how late a stuck button is noticed


@dataclass(frozen=True, slots=True)
class Edge:
    """A contact closed or opened; ``at`` as in ``Press``."""

    contact: str
    down: bool
    at: float


class Contacts:
    """The contacts of one panel by what they are called in a fault, each with its button.

    ``levels`` tells which are closed now; it raises ``DeviceError`` when the panel cannot work any more.
    """

    def __init__(self, rules: PressRules, levels: Callable[[], Mapping[str, bool]]) -> None:
        self.inbox: Inbox[Edge] = Inbox(256)
        self._rules, self._levels = rules, levels
        self._of: dict[str, tuple[str, Contact]] = {}
        self._lost, self._overflow = 0, False
        self.lost = 0  # edges that the kernel lost

    def add(self, contact: str, button: str, down: bool) -> None:
        """One more, closed now or not."""
        self._of[contact] = button, Contact(self._rules.debounce_s, self._rules.stuck_s, down, boottime())

    def changed(self, contact: str, down: bool) -> None:
        """From any thread: an edge, now. A contact that jabbers fills no inbox: the others' presses are in it."""
        at, one = boottime(), self._of[contact][1]
        if one.muted:
            one.heard_at = at
        else:
            self.inbox.put_from_thread(Edge(contact, down, at))

    async def presses(self) -> AsyncIterator[Press | Fault]:
        """See ``ButtonPanel``."""
        clock, presses = asyncio.get_running_loop().time, Presses(self._rules)
        check_at, every = clock(), min(CHECK_S, self._rules.stuck_s / 4)
        while True:
            if clock() >= check_at:
                for fault in self._check():
                    yield fault
                check_at = clock() + every - clock() % every  # all panels at once: one waking of an idle board for all of them
            settle_at = check_at if presses.due is None else clock() + max(0.0, presses.due - boottime())
            edge = await self._next(min(check_at, settle_at))
            for item in presses.settle(boottime()) if edge is None else self._heard(edge, presses):
                yield item

    async def _next(self, until: float) -> Edge | None:
        try:
            async with asyncio.timeout_at(until):
                return await self.inbox.get()
        except TimeoutError:
            return None

    def _heard(self, edge: Edge, presses: Presses) -> list[Press | Fault]:
        button, contact = self._of[edge.contact]
        before = contact.muted
        if contact.edge(edge.down, edge.at):
            return presses.press(button, edge.at)
        return [self._fault(edge.contact)] if contact.muted and not before else []

    def _check(self) -> list[Fault]:
        """What a person should know now."""
        levels, now = self._levels(), boottime()
        changed = [name for name, (_, contact) in self._of.items() if contact.check(levels[name], now)]
        return [self._fault(name) for name in changed] + self._overflow_faults()

    def _fault(self, name: str) -> Fault:
        contact = self._of[name][1]
        if contact.muted:
            shakes = f"button {name} opens and closes more than {JABBER / JABBER_S:g} times a second"
            return Fault("jabber", f"{shakes}, and is not listened to: its contact or a plug is loose", name)
        if contact.stuck:
            held = f"button {name} has been down for more than {self._rules.stuck_s:g} s"
            return Fault("stuck", f"{held}: it is jammed, or its cable has a short circuit", name)
        return Fault("", f"button {name} is free again", name)

    def _overflow_faults(self) -> list[Fault]:
        lost = self.inbox.dropped + self.lost
        new, self._lost = lost - self._lost, lost
        before, self._overflow = self._overflow, new > 0
        if new:
            return [Fault("overflow", f"{new} button signals were lost: they came faster than they could be handled")]
        return [Fault("", "button signals are handled again")] if before else []

    def failed(self, error: DeviceError) -> None:
        """From any thread: the reader of the presses gets ``error``."""
        self.inbox.fail_from_thread(error)
