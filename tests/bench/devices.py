"""Devices: from a scan to its event, from a call to the board, paper at a printer's own pace, and what many of them cost."""

import asyncio
import json
import threading
import time
from contextlib import closing
from pathlib import Path
from typing import Any
from uuid import uuid4

import tomli_w

from bench.figures import Bound, Figure, Pair, Spread, compared
from bench.plant import FarSide, cpu_s, daemon, document, serial_devices, write_config
from bench.whole import COMMAND_BYTES, EVENT_BYTES, QUIET_S, RAW, REPLY, TOPIC, Kiosk, is_event, kiosk
from kiosd_sim.printer import sim_printer_pty
from support.broker import broker

PRINT_MM_PER_S = 150.0  # of a common 80 mm printer
SETTLE_S = 0.03  # what a command caused at boards and broker is over
WARM_UP = 3
MANY = 20
SCAN_PAUSE_S = 0.05  # the counter has dealt with the code
LINE_S = 0.2  # longer than two faces need on a line of 9600 baud, with the pause between them
FACE_BYTES = 50  # of a 2x20 display


def figures(directory: Path, scratch: Path, count: int, idle_s: float, starts: int, slips: int) -> list[Figure]:
    """``count`` scans and calls, ``slips`` tickets, ``idle_s`` seconds with many devices, ``starts`` starts with and without any."""
    with kiosk(directory, scratch) as it:
        found = [_scans(it, count), _calls(it, count)]
    return [*found, _paper(directory, scratch, slips), _many(directory, scratch, idle_s), _absent(directory, scratch, starts)]


def _scans(it: Kiosk, count: int) -> Figure:
    """What is scanned at a counter nobody was called to."""
    pair = Pair()
    for turn in range(WARM_UP + count):
        code = f"BENCH-{turn:06}\r".encode()
        begin = it.far.send("scanner_1", code)
        came, _ = it.subscriber.wait(lambda message: message.topic == f"{TOPIC}/ev/scan")
        time.sleep(SCAN_PAUSE_S)
        raw = time.perf_counter()
        it.line.send(code)
        it.commits.commit()
        it.publisher.publish(RAW, b"x" * EVENT_BYTES)
        raw_came, _ = it.subscriber.wait(lambda message: message.topic == RAW)
        if turn >= WARM_UP:
            pair.ours.append((came - begin) * 1000)
            pair.raw.append((raw_came - raw) * 1000)
        time.sleep(SETTLE_S)
    return compared("scan -> event at a subscriber", "ms", pair, "the code through a pty, raw commit, raw paho QoS 1")


def _calls(it: Kiosk, count: int) -> Figure:
    """From the command ``next`` to the last byte of the frame that shows the number on the call board."""
    pair = Pair()
    for turn in range(WARM_UP + count):
        _ask(it, "issue", args={"service": "A", "slip": False})
        time.sleep(LINE_S)
        begin = time.perf_counter()
        called = _ask(it, "next", counter=1)
        came, frame = _frame(it, called["result"]["number"].encode())
        time.sleep(LINE_S)
        raw = time.perf_counter()
        it.publisher.publish(RAW, b"x" * COMMAND_BYTES)
        it.subscriber.wait(lambda message: message.topic == RAW)
        it.commits.commit()
        raw_came = it.line.send(frame)
        if turn >= WARM_UP:
            pair.ours.append((came - begin) * 1000)
            pair.raw.append((raw_came - raw) * 1000)
        _ask(it, "start", counter=1)
    return compared("call over MQTT -> frame at the board", "ms", pair, "raw paho QoS 1, raw commit, same bytes through a pty")


def _ask(it: Kiosk, command: str, **fields: Any) -> dict[str, Any]:
    """The reply to a command, done."""
    it.publisher.publish(f"{TOPIC}/cmd/{command}", json.dumps({"id": str(uuid4()), **fields}).encode(), REPLY)
    _, message = it.subscriber.wait(lambda message: message.topic == REPLY)
    reply: dict[str, Any] = json.loads(message.payload)
    if reply["status"] != "done":
        raise AssertionError(f"{command} was refused: {reply}")
    return reply


def _frame(it: Kiosk, number: bytes) -> tuple[float, bytes]:
    """When the whole of the face with ``number`` had come, and its bytes: its two lines may come in pieces."""
    face = b""
    while True:
        came, data = it.far.frames.get(timeout=10.0)
        face = face[-FACE_BYTES:] + data
        if number in face and b"LOKET" in face and face.endswith(b"\r"):
            return came, face[face.rindex(b"\x1bQA") :]


class _PrinterThread:
    """A simulated printer with the speed of a real one, on a loop of its own; ``mm`` is how long its newest slip is."""

    def __init__(self, link: Path) -> None:
        self.mm = 0.0
        self._link = link
        self._loop = asyncio.new_event_loop()
        self._there = threading.Event()
        self._stop = asyncio.Event()
        self._thread = threading.Thread(target=self._loop.run_until_complete, args=(self._run(),), daemon=True)
        self._thread.start()
        if not self._there.wait(10.0):
            raise AssertionError("the simulated printer does not start")

    async def _run(self) -> None:
        def out(slip: Any) -> None:
            self.mm = slip.mm

        async with sim_printer_pty(self._link, on_slip=out) as printer:
            printer.set(mm_per_s=PRINT_MM_PER_S)
            self._there.set()
            await self._stop.wait()

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(10.0)
        self._loop.close()


def _paper(directory: Path, scratch: Path, count: int) -> Figure:
    """From a press to the event that the printer confirmed the ticket, beside the time in which that much paper moves."""
    pair, place = Pair(), directory / "paper"
    place.mkdir()
    with (
        closing(_PrinterThread(scratch / "slow-printer")) as printer,
        kiosk(place, scratch, {"printer": str(scratch / "slow-printer")}) as it,
    ):
        for pin in list(it.pins.values())[:1] * count:
            begin = it.finger.press(pin)
            came, _ = it.subscriber.wait(lambda message: is_event(message, "ticket.printed"))
            it.finger.release(pin)
            pair.ours.append(came - begin)
            pair.raw.append(printer.mm / PRINT_MM_PER_S)
            time.sleep(QUIET_S)
    limit = f"that length of paper at {PRINT_MM_PER_S:g} mm/s"
    return compared("press -> print confirmed, printer of 150 mm/s", "s", pair, limit, Bound("ratio", 1.2))


def _document(ports: dict[str, str], mqtt_port: int) -> dict[str, Any]:
    """The type-1 kiosk with ``MANY`` devices: two more desks, a display on every desk, a second board."""
    it = document({name: ports.get(name, "") for name in serial_devices()}, mqtt_port)
    for desk in ("4", "5"):
        it["counters"][desk] = {"services": ["A"], "scanner": f"scanner_{desk}"}
        it["devices"][f"scanner_{desk}"] = it["devices"]["scanner_1"] | {"port": ports[f"scanner_{desk}"]}
    for desk, counter in it["counters"].items():
        counter["display"] = f"display_{desk}"
    it["call_board"]["displays"] += ["board_2"]
    for name in (*(f"display_{desk}" for desk in it["counters"]), "board_2"):
        it["devices"][name] = it["devices"]["board"] | {"port": ports[name]}
    if len(it["devices"]) != MANY:
        raise AssertionError(f"{len(it['devices'])} devices instead of {MANY}")
    return it


def _many(directory: Path, scratch: Path, seconds: float) -> Figure:
    """Processor time of a daemon with 20 devices that all work, while nobody comes."""
    names = [*serial_devices(), "scanner_4", "scanner_5", *(f"display_{desk}" for desk in range(1, 6)), "board_2"]
    with broker(scratch) as running, closing(FarSide(names)) as far:
        config = directory / "many.toml"
        config.write_text(tomli_w.dumps(_document(far.ports, running.port)))
        with daemon(config, directory / "many", scratch) as it:
            time.sleep(min(3.0, seconds))
            begin, used = time.perf_counter(), cpu_s(it.pid)
            time.sleep(seconds)
            percent = 100 * (cpu_s(it.pid) - used) / (time.perf_counter() - begin)
    return Figure(f"idle CPU with {MANY} devices over {seconds:g} s", "%", Spread(percent), bound=Bound("value", 0.5))


def _absent(directory: Path, scratch: Path, count: int) -> Figure:
    """Starts of the daemon with no device there, beside starts with all of them."""
    pair = Pair()
    with broker(scratch) as running, closing(FarSide()) as far:
        there = write_config(directory / "there.toml", far.ports, running.port)
        absent = write_config(directory / "absent.toml", mqtt_port=running.port)
        for turn in range(count + 1):
            for config, times in ((there, pair.raw), (absent, pair.ours)):
                with daemon(config, directory / config.stem, scratch) as it:
                    if turn:  # the first one makes the journal
                        times.append(it.start_s)
    return compared("start to READY with every device absent", "s", pair, "the same with all there", Bound("ratio", 1.1))
