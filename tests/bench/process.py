"""The daemon as a process: how soon it is ready, what memory it holds, what it uses while nobody comes."""

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from bench.figures import Bound, Figure, Pair, Spread, compared
from bench.limits import timed
from bench.plant import FarSide, cpu_s, daemon, environment, memory_mb, write_config
from bench.whole import Kiosk
from support.broker import broker

IMPORTS = "import asyncio, sqlite3, pydantic"
IDLE = """
import asyncio, socket, sqlite3, sys, pydantic
from paho.mqtt.client import Client, MQTTv5
from paho.mqtt.enums import CallbackAPIVersion

class Model(pydantic.BaseModel):
    text: str

async def main():
    client = Client(CallbackAPIVersion.VERSION2, protocol=MQTTv5)
    client.connect("127.0.0.1", int(sys.argv[1]))
    client.loop_start()
    print("ready", flush=True)
    await asyncio.sleep(3600)

asyncio.run(main())
"""
"""A program that only has what ours is made of, connected to the broker, and does nothing."""


def starts(directory: Path, scratch: Path, count: int) -> list[Figure]:
    """``count`` starts of the daemon with everything plugged in, and of a Python that only imports what it needs."""
    pair, state = Pair(), directory / "starts"
    with broker(scratch) as running, closing(FarSide()) as far:
        config = write_config(directory / "starts.toml", far.ports, running.port)
        with daemon(config, state, scratch):
            pass  # the first one makes the journal, and bytecode where there is none
        for _ in range(count):
            pair.raw.append(timed(_bare) / 1000)
            with daemon(config, state, scratch) as it:
                pair.ours.append(it.start_s)
    return [compared("start to READY", "s", pair, f'python -c "{IMPORTS}"', Bound("value", 0.7))]


def _bare() -> None:
    subprocess.run([sys.executable, "-c", IMPORTS], check=True, env=environment())


@contextmanager
def bare(port: int) -> Iterator[int]:
    """The process id of ``IDLE``, running and connected."""
    with subprocess.Popen([sys.executable, "-c", IDLE, str(port)], stdout=subprocess.PIPE, env=environment()) as process:
        try:
            if process.stdout is None or process.stdout.readline() != b"ready\n":
                raise AssertionError("the bare interpreter did not connect")
            yield process.pid
        finally:
            process.kill()


def memory(it: Kiosk) -> list[Figure]:
    """What the kiosk's daemon holds now; looked at before there is another Python that would share its pages."""
    found = memory_mb(it.daemon.pid)
    with bare(it.port) as pid:
        limits = memory_mb(pid)
    name, is_a = "memory after 60 tickets, MQTT connected", "bare interpreter with asyncio, pydantic, paho"
    kinds = zip(("VmRSS", "PSS beside the bench"), found, limits, strict=True)
    return [Figure(f"{name}: {kind}", "MB", Spread(ours), Spread(raw), is_a, Bound("value", 45.0)) for kind, ours, raw in kinds]


def idle(it: Kiosk, seconds: float) -> list[Figure]:
    """Processor time of the kiosk's daemon while nobody comes, beside that of a program that only waits."""
    with bare(it.port) as pid:
        time.sleep(min(1.0, seconds))  # what the last visitor caused is over
        begin, ours, raw = time.perf_counter(), cpu_s(it.daemon.pid), cpu_s(pid)
        time.sleep(seconds)
        percent = 100 / (time.perf_counter() - begin)
        measured, limit = (cpu_s(it.daemon.pid) - ours) * percent, (cpu_s(pid) - raw) * percent
    name = f"idle CPU over {seconds:g} s"
    return [Figure(name, "%", Spread(measured), Spread(limit), "bare interpreter, connected", Bound("value", 0.2))]
