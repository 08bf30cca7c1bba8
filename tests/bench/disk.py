"""What a whole visit costs the disk (press, call, start, finish, rating): bytes written and fsyncs, an uplink's cursors included."""

import asyncio
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

from bench.figures import Figure, Spread
from bench.limits import raw_client
from bench.plant import ROOT, write_config
from bench.queue_alone import running_queue
from bench.whole import TOPIC
from kiosd.clock import SystemClock
from kiosd.config import load
from kiosd.mqtt.session import run_session
from kiosd.queue import commands as cmd
from support.broker import broker

SYNC = re.compile(r"\bf(data)?sync\(")
COMMANDS = 5  # each is one commit


def _written() -> int:
    """Bytes that this process has caused to be written to storage (proc(5), /proc/pid/io)."""
    return int(re.findall(r"^write_bytes: (\d+)$", Path("/proc/self/io").read_text(encoding="ascii"), re.MULTILINE)[0])


async def _visits(state: Path, config: Path, tickets: int) -> int:
    """``tickets`` visits with an uplink running; bytes written."""
    settings, clock = load(config), SystemClock(trust_rtc=True)
    who: dict[str, Any] = {"site": settings.site.id, "node": settings.node.id, "config_hash": settings.hash}
    async with running_queue(state, config) as queue, asyncio.TaskGroup() as group:
        session = group.create_task(
            run_session("central", settings.mqtt["central"], **who, queue=queue, cursors=queue.cursors, clock=clock)
        )
        await queue.execute(cmd.OpenCounter(counter=1))
        before = _written()
        for _ in range(tickets):
            for command in (cmd.IssueTicket(service="A"), cmd.CallNext(counter=1), cmd.Start(counter=1), cmd.Finish(counter=1)):
                await queue.execute(command)
            await queue.execute(cmd.Rate(counter=1, score=4))
        written = _written() - before
        session.cancel()
    return written


def figures(directory: Path, scratch: Path, tickets: int) -> list[Figure]:
    """The visits run in a process of their own, under strace, which counts what they sync."""
    trace, state = scratch / "syncs", directory / "disk"
    state.mkdir()
    with broker(scratch) as mosquitto, raw_client(mosquitto.port, f"{TOPIC}/ev/#"):
        config = write_config(directory / "disk.toml", mqtt_port=mosquitto.port)
        asked = [sys.executable, "-m", "bench.disk", str(state), str(config), str(tickets)]
        traced = ["strace", "-f", "-qq", "-e", "trace=fsync,fdatasync", "-o", str(trace), *asked]
        done = subprocess.run(traced, cwd=ROOT / "tests", check=True, capture_output=True, text=True)
    syncs = len(SYNC.findall(trace.read_text(encoding="utf-8")))
    per_ticket = json.loads(done.stdout)["written"] / tickets / 1024
    return [
        Figure(f"written to disk for one visit ({COMMANDS} commands), cursors included", "KiB", Spread(per_ticket)),
        Figure(f"fsyncs for one visit ({COMMANDS} commands), cursors included", "fsyncs", Spread(syncs / tickets)),
    ]


if __name__ == "__main__":
    print(json.dumps({"written": asyncio.run(_visits(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])))}))
