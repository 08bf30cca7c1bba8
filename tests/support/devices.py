"""Help for tests of drivers."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from pathlib import Path
from typing import Any, Protocol

from kiosd.ports import BadScan, Scan


class Scans(Protocol):
    def scans(self) -> AsyncIterator[Scan | BadScan]: ...


def brief(code: Scan | BadScan) -> str:
    """A scan as its payload, a bad one as ``!reason``."""
    return code.payload if isinstance(code, Scan) else f"!{code.reason}"


def open_files() -> int:
    """How many files this process has open: the same before and after a driver that cleans up."""
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


async def take(scanner: Scans, count: int, timeout_s: float = 5.0) -> list[str]:
    """The next ``count`` codes of ``scanner``, brief."""
    found: list[str] = []
    scans: Any = scanner.scans()
    async with asyncio.timeout(timeout_s), aclosing(scans):
        async for code in scans:
            found.append(brief(code))
            if len(found) == count:
                break
    return found
