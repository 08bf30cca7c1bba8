"""Somebody who does what ``kiosd test`` asks for: by a table from words of a prompt to a deed."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping

from kiosd.commissioning.walk import Typed, Walk, go
from kiosd.commissioning.ways import WAYS
from kiosd.findings import Finding
from kiosd.ports import Driver, DriverConfig

Deed = str | None | Callable[[], object]
"""What is typed (None: the terminal is hung up), or what is done to the device."""


class Installer:
    """``lines`` is all that was shown. A question without a deed is answered by Enter, so is a prompt."""

    def __init__(self, deeds: Mapping[str, Deed] | None = None, alone: bool = False, act_s: float = 10.0, settle_s: float = 0.3) -> None:
        self.walk = Walk(self._read, alone, answer_s=10.0, act_s=act_s, settle_s=settle_s)
        self.lines: list[str] = []
        self._deeds = dict(deeds or {})
        self._todo: asyncio.Queue[Deed] = asyncio.Queue()

    def _read(self, line: str) -> None:
        self.lines.append(line)
        if line.startswith((">", "?")):
            self._todo.put_nowait(next((deed for words, deed in self._deeds.items() if words in line), ""))

    async def _obey(self) -> None:
        while True:
            deed = await self._todo.get()
            if deed is None or isinstance(deed, str):
                self.walk.happened(Typed(deed))
            elif isinstance(done := deed(), Awaitable):
                await done

    async def test(self, kind: str, driver: Driver[DriverConfig, object], config: DriverConfig) -> dict[str, Finding]:
        """The walk; what was found, by check (the last finding of each)."""
        async with asyncio.TaskGroup() as group:
            hands = group.create_task(self._obey())
            await go(self.walk, driver, config, WAYS[kind].steps, WAYS[kind].stream)
            hands.cancel()
        return {finding.check: finding for finding in self.walk.findings}
