"""A walk through one device: what the installer is told and asked, and what the device does meanwhile, in one order.

Rule 1  Everything that happens arrives in one queue: what is typed, what the device tells, and its end.
Rule 2  Every question has a deadline, and Enter answers it. Without somebody to ask (``--yes``) it is not asked.
Rule 3  Only the registry and the ports of ``kiosd.ports`` are used: a walk holds for every driver of a port.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any

from kiosd.errors import DeviceError
from kiosd.findings import Finding, failed, note, ok
from kiosd.ports import BadScan, Driver, DriverConfig, Fault, Press, Scan

OPEN_S = 45.0  # a driver's own deadlines are shorter: importing python-escpos from a slow card has the longest, 30 s
USE_S = 180.0  # for one call to a device: a ticket has 120 s
NO_WORDS = {"n", "no", "t", "tidak"}

Item = Press | Fault | Scan | BadScan
"""What a device tells by itself."""


@dataclass(frozen=True, slots=True)
class Typed:
    """A line that the installer typed; None: the end of all lines."""

    text: str | None


REMEDIES = {
    "absent": ("it is off, not plugged in, or has another name", "kiosd devices prints the name that it has now"),
    "ambiguous": ("several devices fit its rules", "kiosd devices prints rules that fit one"),
    "busy": (
        "another program has it open; of a printer: it is off behind its adapter, or at work",
        "stop that program: a print system, ModemManager, brltty, a second kiosd (kiosd doctor finds them); switch the printer on",
    ),
    "denied": ("this user may not open it", "run this as root (sudo); for the daemon see kiosd doctor"),
    "permission": ("this user may not open it", "run this as root (sudo); for the daemon see kiosd doctor"),
    "timeout": ("it does not take what is sent, or does not answer", "see its cable, its power, its speed (baudrate) and its flow control"),
    "pin_in_use": ("another program holds a pin", "kiosd doctor names it"),
    "gpio": ("the pin library does not work here", "kiosd doctor: gpio and libraries"),
    "program": ("a program that it needs is not installed", "kiosd doctor: programs"),
    "config": ("a file that the configuration names is wrong", "correct that file; docs/drivers says what is in it"),
    "paper_out": ("there is no paper in the printer", "put in a roll"),
    "cover_open": ("the cover is open", "close it until it clicks"),
    "cutter": ("the cutter is stuck", "switch the printer off, open the cover, take the paper out, switch it on"),
    "overheated": ("the print head is too hot", "wait some minutes"),
    "error": ("the printer needs to be switched off and on", "switch it off and on"),
}
"""What a device's error code means and what to do."""
UNKNOWN = ("the device does not work as its driver expects", "see docs/drivers, and kiosd doctor")


class Walk:
    """One installer and one device. ``say`` shows a line; ``found`` collects what was found out."""

    def __init__(
        self, say: Callable[[str], None], alone: bool = False, answer_s: float = 120.0, act_s: float = 30.0, settle_s: float = 1.0
    ) -> None:
        """``alone``: nobody is there to ask. Seconds to answer a question, to do something with the device, and until it has told all."""
        self.say, self.alone = say, alone
        self._answer_s, self._act_s, self._settle_s = answer_s, act_s, settle_s
        self.findings: list[Finding] = []
        self.faults: dict[str, Fault] = {}
        self._queue: asyncio.Queue[Typed | Item | DeviceError] = asyncio.Queue()

    def found(self, finding: Finding) -> None:
        """Note and show a finding."""
        self.findings.append(finding)
        self.say(str(finding))

    def happened(self, what: Typed | Item | DeviceError) -> None:
        """Something that was typed or that the device told, from the loop's thread."""
        self.alone = self.alone or what == Typed(None)
        self._queue.put_nowait(what)

    async def listen(self, stream: AsyncIterator[Item]) -> None:
        """Take what the device tells, until it is gone."""
        try:
            async for item in stream:
                self.happened(item)
            self.happened(DeviceError("the device ended by itself"))
        except DeviceError as exc:
            self.happened(exc)

    async def next(self, seconds: float) -> Typed | Item | None:
        """What happens next; None when nothing does within ``seconds``. Raises when the device is gone."""
        try:
            async with asyncio.timeout(seconds):
                what = await self._queue.get()
        except TimeoutError:
            return None
        if isinstance(what, DeviceError):
            raise what
        if isinstance(what, Fault):
            self._keep(what)
        return what

    def _keep(self, fault: Fault) -> None:
        self.faults.pop(fault.subject, None)
        if fault.code:
            self.faults[fault.subject] = fault

    async def settle(self) -> list[Item]:
        """What the device tells after an action: bounces within milliseconds, a printer's word on its paper with a poll.

        What is typed meanwhile is forgotten.
        """
        told: list[Item] = []
        loop = asyncio.get_running_loop()
        end = loop.time() + self._settle_s
        while (what := await self.next(max(0.0, end - loop.time()))) is not None:
            if not isinstance(what, Typed):
                told.append(what)
        return told

    async def ask(self, question: str) -> bool | None:
        """Whether it is so: Enter is yes; None when nobody answers."""
        if self.alone:
            return None
        self.say(f"? {question} [Y/n]")
        while (what := await self.next(self._answer_s)) is not None:
            if isinstance(what, Typed):
                return None if what.text is None else what.text.strip().lower() not in NO_WORDS
        return None

    async def asked(self, check: str, question: str, good: str, cause: str, remedy: str) -> None:
        """Ask, and note the answer: ``good`` when it is so, else ``cause`` and ``remedy``."""
        answer = await self.ask(question)
        if answer:
            self.found(ok(check, good))
        elif answer is None:
            self.found(note(check, "nobody looked"))
        else:
            self.found(failed(check, "not as it should be", cause, remedy))

    async def wait_for(self, prompt: str, fits: Callable[[Item], bool]) -> Item | str:
        """Ask to do something; the first thing that the device tells and that ``fits``, or why there is none: ``skipped``, ``nothing``."""
        if self.alone:
            return "skipped"
        self.say(f"> {prompt} ({self._act_s:g} s; Enter skips)")
        while (what := await self.next(self._act_s)) is not None:
            if isinstance(what, Typed):
                return "skipped"
            if fits(what):
                return what
        return "nothing"


Steps = Callable[[Walk, Any, DriverConfig], Awaitable[None]]
Stream = Callable[[Any], AsyncIterator[Item]]


async def go(walk: Walk, driver: Driver[Any, Any], config: DriverConfig, steps: Steps, stream: Stream | None) -> None:
    """Open the device, walk through it, close it; what fails on the way is a finding."""
    async with AsyncExitStack() as stack:
        try:
            async with asyncio.timeout(OPEN_S):
                device = await stack.enter_async_context(driver.open(config))
            walk.found(ok("open", "found and opened"))
            await _use(walk, device, config, steps, stream)
        except TimeoutError:
            walk.found(failed("device", "it does not come back", *REMEDIES["timeout"]))
        except DeviceError as exc:
            walk.found(failed("device", str(exc), *REMEDIES.get(exc.code, UNKNOWN)))


async def _use(walk: Walk, device: Any, config: DriverConfig, steps: Steps, stream: Stream | None) -> None:
    """The steps beside the device's own words. A ``DeviceError`` comes out as itself, not in a group."""
    gone: list[DeviceError | TimeoutError] = []
    async with asyncio.TaskGroup() as group:
        listener = group.create_task(walk.listen(stream(device))) if stream is not None else None
        try:
            await steps(walk, device, config)
        except (DeviceError, TimeoutError) as exc:
            gone.append(exc)
        finally:
            if listener is not None:
                listener.cancel()
    if gone:
        raise gone[0]
