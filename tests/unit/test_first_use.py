"""What a start leaves for its first use, and what must be there before a second thread uses it; each in a process of its own."""

import subprocess
import sys
from pathlib import Path

PROGRAM = """
import asyncio
import sys
from pathlib import Path

import kiosd.{root}
from kiosd.journal.spool import KINDS, open_spool
from kiosd.queue.commands import ALL
from kiosd.queue.events import EVENTS


async def main():
    print(any(kind.__pydantic_complete__ for kind in ALL), all(kind.__pydantic_complete__ for kind in EVENTS.values()))
    async with open_spool(Path(sys.argv[1])):
        print(all(kind.__pydantic_complete__ for kind in KINDS.values()))


asyncio.run(main())
"""


def printed(root: str, tmp_path: Path) -> str:
    words = [sys.executable, "-c", PROGRAM.format(root=root), str(tmp_path / "spool.db")]
    return subprocess.run(words, capture_output=True, text=True, timeout=60, check=True).stdout


def test_a_hub_starts_without_the_validators_of_commands_but_with_those_its_journal_reads_with(tmp_path: Path) -> None:
    assert printed("daemon", tmp_path).splitlines()[0] == "False True"


def test_what_the_spool_reads_in_its_lane_was_made_before(tmp_path: Path) -> None:
    assert printed("satellite", tmp_path).splitlines() == ["False True", "True"]
