"""One broker and many sites, each with a connection of its own: how soon it acknowledges, and what that takes."""

import json
import queue
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from bench.figures import Figure, Spread
from bench.limits import PATIENCE_S, raw_client
from bench.plant import cpu_s, environment, memory_mb
from bench.whole import EVENT_BYTES, RAW
from support.broker import Broker, broker

RATE_PER_S = 500.0
LIMITS = "max_queued_messages 200000\nmax_inflight_messages 200\n"  # as config/mosquitto has them
QUIET_S = 0.01  # between two messages: each meets a broker that is idle


def _raw(port: int, count: int) -> list[float]:
    """Milliseconds from a publish of one paho client to its acknowledgement, one at a time, with somebody who listens."""
    acknowledged: queue.SimpleQueue[float] = queue.SimpleQueue()
    with raw_client(port, RAW), raw_client(port) as publisher:
        publisher.client.on_publish = lambda *_: acknowledged.put(time.perf_counter())
        found = []
        for _ in range(count):
            begin = time.perf_counter()
            publisher.publish(RAW, b"x" * EVENT_BYTES)
            found.append((acknowledged.get(timeout=PATIENCE_S) - begin) * 1000)
            time.sleep(QUIET_S)
    return found


def run(it: Broker, sites: int, seconds: float, rate: float = RATE_PER_S) -> dict[str, Any]:
    """What ``kiosd fleet`` says of it, with ``broker_cpu``, its share of a core, and ``broker_mb``."""
    words = ["fleet", "--host", "127.0.0.1", "--port", str(it.port), "--sites", str(sites), "--rate", str(rate), "--seconds", str(seconds)]
    before = cpu_s(it.pid)
    command = [sys.executable, "-m", "kiosd", *words, "--verify", "--json"]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment(), check=False)
    facts: dict[str, Any] = json.loads(done.stdout)
    if not facts["good"]:
        raise AssertionError(f"the broker lost or refused something: {facts}")
    return facts | {"broker_cpu": (cpu_s(it.pid) - before) / seconds, "broker_mb": memory_mb(it.pid)[0]}


def figures(scratch: Path, sites: int, seconds: float) -> list[Figure]:
    """``sites`` sites with ``RATE_PER_S`` events a second together."""
    with broker(scratch, LIMITS) as it:
        raw = _raw(it.port, max(10, int(20 * seconds)))
        facts = run(it, sites, seconds)
    name = f"{sites:,} sites, one broker, {RATE_PER_S:g} events/s"
    return [
        Figure(
            f"{name}: due -> PUBACK", "ms", Spread(facts["puback_p50_ms"], facts["puback_p99_ms"]), Spread.of(raw),
            "raw paho, one client, one message at a time",
        ),
        Figure(f"{name}: the broker's share of a core", "%", Spread(facts["broker_cpu"] * 100)),
        Figure(f"{name}: the broker's memory", "MB", Spread(facts["broker_mb"])),
        Figure(f"{name}: memory of kiosd fleet", "MB", Spread(facts["memory_mb"])),
    ]  # fmt: skip
