"""A hub and a satellite as two processes, a real mosquitto between them: a press at the desk until its answer is seen there, and memory."""

import asyncio
import json
import os
import queue
import threading
import time
import tty
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tomli_w

from bench.figures import Bound, Figure, Pair, Spread, compared
from bench.limits import RawClient, RawCommits, raw_answerer, raw_client, raw_commits
from bench.plant import PATIENCE_S, Daemon, Finger, daemon, memory_mb
from bench.process import bare
from bench.whole import COMMAND_BYTES, QUIET_S, RAW_ANSWER, RAW_ASK, ROW_BYTES, SETTLE_S, WARM_UP
from kiosd.links.unix import CONTROL_SOCKET, connect_unix
from kiosd.queue.commands import IssueTicket
from kiosd.queue.remote import RemoteQueue
from support.broker import broker
from support.kiosk import write_config

NODE = "loket-1"
NEXT, START, READY = 5, 6, 12
LOOK_S = 0.0005  # between two looks at the lamp: each takes the satellite some of its time
SATELLITE: dict[str, Any] = {
    "site": {"id": "CTH01"},
    "node": {"id": NODE, "role": "satellite"},
    "clock": {"trust_rtc": True},
    "counters": {"1": {"keys": "keys", "rating": "rating", "display": "display"}},
    "devices": {
        "keys": {"driver": "gpio_buttons", "buttons": {"next": NEXT, "start": START}, "lamps": {"ready": READY}, "hold_off_s": 0.0},
        "rating": {"driver": "gpio_buttons", "buttons": {"4": 17, "3": 27, "2": 22, "1": 23}, "lamps": {"rate": 24}},
        "display": {"driver": "serial_display", "protocol": "cd5220"},
    },
}


class Screen:
    """The display's end of a serial line: what came, and when."""

    def __init__(self) -> None:
        self._far, self._near = os.openpty()
        tty.setraw(self._near)
        self.port = os.ttyname(self._near)
        self.came: queue.SimpleQueue[tuple[float, bytes]] = queue.SimpleQueue()
        threading.Thread(target=self._read, name="screen", daemon=True).start()

    def _read(self) -> None:
        with suppress(OSError), closing(os.fdopen(self._far, "rb", buffering=0)) as far:  # OSError: our end was closed
            while data := far.read(65_536):
                self.came.put((time.perf_counter(), data))

    def shown(self, wanted: bytes) -> float:
        """When ``wanted`` came; what came before is thrown away."""
        rest = b""
        while True:
            at, data = self.came.get(timeout=PATIENCE_S)
            rest += data
            if wanted in rest:
                return at

    def close(self) -> None:
        os.close(self._near)


class Eye(Finger):
    """Looks at a lamp without leaving the socket, as a finger stays on it: a look takes about 0.1 ms."""

    def look(self, pin: int) -> tuple[bool, int]:
        """Whether the lamp at ``pin`` is lit, and how often that has changed."""
        self._socket.sendall(b"state\n")
        return next((bool(row["level"]), row["changes"]) for row in json.loads(self._answers.readline()) if row["pin"] == pin)


@dataclass(frozen=True, slots=True)
class Desk:
    """Everything that takes part."""

    hub: Path
    board: Daemon
    finger: Finger
    eye: Eye
    screen: Screen
    publisher: RawClient
    commits: RawCommits
    port: int


@contextmanager
def desk(directory: Path, scratch: Path, tickets: int) -> Iterator[Desk]:
    """A hub where ``tickets`` people wait, and a satellite in touch with it."""
    hub, board = scratch / "hub", scratch / "board"
    hub.mkdir()
    board.mkdir()
    with ExitStack() as stack:
        port = stack.enter_context(broker(scratch)).port
        screen = stack.enter_context(closing(Screen()))
        site = f'[mqtt.site]\nhost = "127.0.0.1"\nport = {port}\n[satellites.{NODE}]\ncounters = [1]\n'
        stack.enter_context(daemon(write_config(hub, more=site), directory / "hub", hub))
        asyncio.run(_issue(directory / "hub", tickets))
        running = stack.enter_context(daemon(_config(board, port, screen), directory / "board", board))
        screen.shown(b"Silakan")
        finger, eye = stack.enter_context(closing(Finger(running.pins))), stack.enter_context(closing(Eye(running.pins)))
        publisher = stack.enter_context(raw_client(port, RAW_ANSWER))
        commits = stack.enter_context(raw_commits(directory, ROW_BYTES))
        yield Desk(directory / "hub", running, finger, eye, screen, publisher, commits, port)


def _config(folder: Path, port: int, screen: Screen) -> Path:
    document = SATELLITE | {"mqtt": {"site": {"host": "127.0.0.1", "port": port}}}
    document["devices"] = SATELLITE["devices"] | {"display": {"driver": "serial_display", "protocol": "cd5220", "port": screen.port}}
    path = folder / "kiosd.toml"
    path.write_text(tomli_w.dumps(document))
    return path


async def _issue(state: Path, count: int) -> None:
    async with connect_unix(state / CONTROL_SOCKET) as link:
        hub = RemoteQueue(link)
        for _ in range(count):
            reply = await hub.execute(IssueTicket(service="F", slip=False, actor="receptionist"))
            if not reply.done:
                raise AssertionError(f"a ticket was refused: {reply.message}")


def _press(it: Desk, pin: int, seen: Callable[[], float]) -> tuple[float, float]:
    """Milliseconds until the lamp says that the press was answered, and until ``seen``."""
    _, before = it.eye.look(READY)
    begin = it.finger.press(pin)
    while it.eye.look(READY) < (True, before + 2):  # lit, and it was dark: for some 4 ms, which a look may miss
        _in_time(begin)
        time.sleep(LOOK_S)
    lamp, shown = time.perf_counter(), seen()
    it.finger.release(pin)
    time.sleep(QUIET_S)
    return (lamp - begin) * 1000, (shown - begin) * 1000


def _in_time(begin: float) -> None:
    if time.perf_counter() - begin > PATIENCE_S:
        raise AssertionError("the lamp does not say that the press was answered")


def _raw(it: Desk) -> float:
    begin = time.perf_counter()
    it.publisher.publish(RAW_ASK, b"x" * COMMAND_BYTES, RAW_ANSWER)
    came, _ = it.publisher.wait(lambda message: message.topic == RAW_ANSWER)
    time.sleep(SETTLE_S)
    return (came - begin) * 1000


def figures(directory: Path, scratch: Path, count: int) -> list[Figure]:
    """``count`` calls by the desk's key, each followed by the machine's own way of asking somebody who commits."""
    lamp, shown = Pair(), Pair()
    with desk(directory, scratch, WARM_UP + count) as it, raw_answerer(it.port, RAW_ASK, it.commits):
        for turn in range(WARM_UP + count):
            number = f"F{turn + 1:03}".encode()
            answered, called = _press(it, NEXT, lambda: it.screen.shown(number))  # noqa: B023 - called in this turn
            raw = _raw(it)
            it.finger.press(START)
            time.sleep(QUIET_S)
            it.finger.release(START)
            time.sleep(QUIET_S)
            if turn >= WARM_UP:
                lamp.ours.append(answered)
                shown.ours.append(called)
                lamp.raw.append(raw)
                shown.raw.append(raw)
        found = _memory(it)
    way = "raw paho request, raw commit, raw answer"
    return [
        compared("press at a satellite -> reply at its lamp", "ms", lamp, way, Bound("value", 5.0)),
        compared("press at a satellite -> number on its display", "ms", shown, way),
        *found,
    ]


def _memory(it: Desk) -> list[Figure]:
    found = memory_mb(it.board.pid)
    with bare(it.port) as pid:
        limits = memory_mb(pid)
    is_a = "bare interpreter with asyncio, pydantic, paho"
    kinds = zip(("VmRSS", "PSS beside the bench"), found, limits, strict=True)
    name, most = "memory of a satellite", Bound("value", 35.0)
    return [Figure(f"{name}: {kind}", "MB", Spread(ours), Spread(raw), is_a, most) for kind, ours, raw in kinds]
