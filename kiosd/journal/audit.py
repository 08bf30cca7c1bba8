"""Check a whole journal beside the service, gently: its own read-only connection, its own lane, short steps with pauses.

A start reads and checks only what it depends on (``Journal.tail``); a flipped bit in last year's rows must not keep the queue closed,
but it must be found. Checking 2.5 million rows takes minutes at this pace and no command waits for it.
"""

import asyncio
from functools import partial
from pathlib import Path

from kiosd.errors import JournalError
from kiosd.journal.journal import FILE, Audit
from kiosd.threads import lane

STRUCTURE_DEADLINE_S = 600.0  # SQLite's quick_check reads the whole file once
STEP_DEADLINE_S = 60.0
REST_S = 0.02  # after a step of some 5 ms: at most a fifth of one core


SMALL_BYTES = 8 * 1024 * 1024  # about 20,000 events: checked in a tenth of a second


def check_small(path: Path) -> None:
    """Check a journal that is small enough wholly before anything else reads it; ``JournalError`` when it is damaged."""
    files = [part for part in (path, path.with_name(f"{path.name}-wal")) if part.exists()]
    if not files or sum(part.stat().st_size for part in files) > SMALL_BYTES:
        return
    audit = Audit(path)
    try:
        audit.whole()
    finally:
        audit.close()


async def audit_beside(state: Path) -> dict[str, object]:
    """``{"ok": True, "events": n}``, or ``JournalError`` naming the first thing that is wrong."""
    async with lane("audit", JournalError) as side:
        audit = await side.run(partial(Audit, state / FILE), STEP_DEADLINE_S)
        try:
            await side.run(audit.structure, STRUCTURE_DEADLINE_S)
            steps, count = audit.chain(), 0
            while (checked := await side.run(partial(next, steps, None), STEP_DEADLINE_S)) is not None:
                count = checked
                await asyncio.sleep(REST_S)
        finally:
            audit.interrupt()
            await side.run(audit.close, STEP_DEADLINE_S)
    return found(count, audit.sheets)


def found(events: int, sheets: int) -> dict[str, object]:
    """What a check that found nothing wrong tells: how many events it read, and how many days are sheets."""
    return {"ok": True, "events": events, **({"sheets": sheets} if sheets else {})}
