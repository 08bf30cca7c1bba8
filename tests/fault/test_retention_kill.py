"""kill -9 while days are sealed and tokens erased: each day is wholly there or wholly a sheet, each page erased with its proof or not."""

import asyncio
import random
import sys
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest

from kiosd.journal.past import Past
from support.olddays import TODAY, aged, bytes_of, days_before, raw_days, sheet_dates, token_of, whole

KILLS, DAYS, TICKETS = 10, 90, 40
LONGEST_LIFE_S = {"seal": 0.05, "erase": 0.3}
KEEPER = """
import asyncio, sys
from pathlib import Path
from support.olddays import keeping, days_before, TODAY

async def main():
    async with keeping(Path(sys.argv[1])) as (queue, retention):
        print("ready", flush=True)
        if sys.argv[2] == "seal":
            await retention.seal_due()
        else:
            await retention.erase(TODAY.isoformat(), False)
        print("done", flush=True)

asyncio.run(main())
"""


async def _kept(state: Path, what: str, life_s: float | None) -> bool:
    """Let a process seal or erase, for ``life_s`` seconds only; whether it was through before it was killed."""
    command = (sys.executable, "-c", KEEPER, str(state), what)
    path = ":".join([str(Path(__file__).parents[1]), str(Path(__file__).parents[2])])
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE, env={"PYTHONPATH": path})
    assert process.stdout is not None
    assert await process.stdout.readline() == b"ready\n"
    if life_s is not None:
        await asyncio.sleep(life_s)  # not a synchronisation: the random moment itself
        if process.returncode is None:
            process.kill()
    left = await process.stdout.read()
    await process.wait()
    return left == b"done\n"


@pytest.mark.parametrize("what", ["seal", "erase"])
async def test_a_kill_leaves_all_of_a_step_or_nothing(tmp_path: Path, what: str) -> None:
    dice = random.Random(20260701)
    path = aged(tmp_path, DAYS, TICKETS)
    every = [day.isoformat() for day in days_before(TODAY, DAYS)]
    seen: set[int] = set()
    for _ in range(KILLS):
        through = await _kept(tmp_path, what, dice.uniform(0, LONGEST_LIFE_S[what]))
        whole(path)
        sheets, raw = sheet_dates(path), raw_days(path)
        assert [*sheets, *(day.date for day in raw)] == every
        with closing(Past(path)) as past:
            tokens = [past.tokens(day.first, day.last) for day in raw]
        erased = tokens.count(0)
        assert tokens == [0] * erased + [TICKETS] * (len(raw) - erased), "oldest first, and whole days"
        seen.add(len(sheets) if what == "seal" else erased)
        if through:
            break
    assert len(seen) > 3, "it was killed at different places"
    assert await _kept(tmp_path, what, None)
    whole(path)
    content = bytes_of(path)
    gone = days_before(TODAY - timedelta(days=31), DAYS - 31) if what == "seal" else list(days_before(TODAY, DAYS))[:-1]
    assert not [day for day in gone for n in range(1, TICKETS + 1) if token_of(day, n).encode() in content]
