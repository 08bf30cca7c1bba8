"""The whole kiosk, from a contact that closes to paper, subscriber and reply: the real daemon, a real mosquitto, ptys."""

import json
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

from paho.mqtt.client import MQTTMessage

from bench.figures import Bound, Figure, Pair, compared
from bench.limits import RawClient, RawCommits, RawPty, raw_answerer, raw_client, raw_commits
from bench.plant import Daemon, FarSide, Finger, daemon, document, serial_devices, write_config
from support.broker import broker

ROOM = "max_queued_messages 200000"  # the contract's broker: with mosquitto's 1000 a burst of 10,000 tickets would be cut short
QUIET_S = 0.06  # longer than a contact's debounce, and everybody is idle again
SETTLE_S = 0.02  # after a command: what it caused at boards and broker is over
ROW_BYTES = 900  # an issued ticket with its reply and hash
EVENT_BYTES = 750  # its CloudEvent
COMMAND_BYTES = 90
TOPIC = "kiosd/1/cth01/hub"
RAW, RAW_ASK, RAW_ANSWER, REPLY = "raw/event", "raw/ask", "raw/answer", "bench/reply"
WARM_UP = 5


@dataclass(frozen=True, slots=True)
class Kiosk:
    """Everything that takes part."""

    daemon: Daemon
    far: FarSide
    finger: Finger
    subscriber: RawClient
    publisher: RawClient
    commits: RawCommits
    line: RawPty
    pins: dict[str, int]
    state: Path
    port: int


def _event(message: MQTTMessage) -> dict[str, Any]:
    if not message.topic.startswith(f"{TOPIC}/ev/"):
        return {}
    event: dict[str, Any] = json.loads(message.payload)
    return event


def is_event(message: MQTTMessage, kind: str, subject: str = "") -> bool:
    """Whether ``message`` is an event of ``kind``, about ``subject`` if one is given."""
    event = _event(message)
    return event.get("type") == f"kiosd.{kind}.v1" and subject in {"", event.get("subject")}


def _all_up(subscriber: RawClient, devices: set[str]) -> None:
    def last(message: MQTTMessage) -> bool:
        if is_event(message, "device.up"):
            devices.discard(_event(message)["subject"])
        return not devices

    subscriber.wait(last)


@contextmanager
def kiosk(directory: Path, scratch: Path, instead: Mapping[str, str] | None = None) -> Iterator[Kiosk]:
    """A kiosk with its state in ``directory``, all devices up and the broker connected. ``instead``: other ports for some devices."""
    state = directory / "whole"
    with ExitStack() as stack:
        port = stack.enter_context(broker(scratch, ROOM)).port
        far = stack.enter_context(closing(FarSide()))
        subscriber = stack.enter_context(raw_client(port, f"{TOPIC}/ev/#", RAW, RAW_ANSWER, REPLY))
        publisher = stack.enter_context(raw_client(port))
        commits = stack.enter_context(raw_commits(directory, ROW_BYTES))
        line = stack.enter_context(closing(RawPty()))
        plan = document(dict.fromkeys(serial_devices(), ""), port)
        running = stack.enter_context(daemon(write_config(directory / "whole.toml", far.ports | dict(instead or {}), port), state, scratch))
        _all_up(subscriber, set(plan["devices"]))
        finger = stack.enter_context(closing(Finger(running.pins)))
        pins = plan["devices"]["ticket_buttons"]["buttons"]
        yield Kiosk(running, far, finger, subscriber, publisher, commits, line, pins, state, port)


@dataclass(slots=True)
class Presses:
    """What became of presses, in milliseconds: to the first and last byte at the printer, to the subscriber, and with nothing of ours."""

    begun: Pair
    paper: Pair
    told: Pair

    def __iadd__(self, more: "Presses") -> "Presses":
        for mine, other in ((self.begun, more.begun), (self.paper, more.paper), (self.told, more.told)):
            mine.ours += other.ours
            mine.raw += other.raw
        return self


def presses(it: Kiosk, count: int) -> Presses:
    """``count`` presses of the ticket buttons, each followed by the machine's own way of doing the same."""
    measured = Presses(Pair(), Pair(), Pair())
    buttons = list(it.pins.values())
    for turn in range(WARM_UP + count):
        begun, paper, told, slip = _press(it, buttons[turn % len(buttons)])
        time.sleep(QUIET_S)
        raw_paper = _raw_paper(it, slip)
        time.sleep(SETTLE_S)
        raw_told = _raw_told(it)
        time.sleep(SETTLE_S)
        if turn >= WARM_UP:
            measured.begun.ours.append(begun)
            measured.begun.raw.append(raw_paper)
            measured.paper.ours.append(paper)
            measured.told.ours.append(told)
            measured.paper.raw.append(raw_paper)
            measured.told.raw.append(raw_told)
    return measured


def _press(it: Kiosk, pin: int) -> tuple[float, float, float, bytes]:
    begin = it.finger.press(pin)
    told, _ = it.subscriber.wait(lambda message: is_event(message, "ticket.issued"))
    begun, paper, slip = it.far.slips.get(timeout=10.0)
    it.subscriber.wait(lambda message: is_event(message, "ticket.printed"))
    it.finger.release(pin)
    return (begun - begin) * 1000, (paper - begin) * 1000, (told - begin) * 1000, slip


def _raw_paper(it: Kiosk, slip: bytes) -> float:
    begin = time.perf_counter()
    it.commits.commit()
    return (it.line.send(slip) - begin) * 1000


def _raw_told(it: Kiosk) -> float:
    begin = time.perf_counter()
    it.commits.commit()
    it.publisher.publish(RAW, b"x" * EVENT_BYTES)
    told, _ = it.subscriber.wait(lambda message: message.topic == RAW)
    return (told - begin) * 1000


def figures(measured: Presses) -> list[Figure]:
    """Paper and subscriber."""
    return [
        compared("press -> first byte at the printer's far side", "ms", measured.begun, "raw commit, same bytes through a pty"),
        compared("press -> last byte at the printer's far side", "ms", measured.paper, "raw commit, same bytes through a pty"),
        compared(
            "press -> MQTT subscriber, whole kiosk", "ms", measured.told, "raw commit, raw paho QoS 1 to subscriber", Bound("ratio", 2.5)
        ),
    ]


def commands(it: Kiosk, count: int) -> list[Figure]:
    """``count`` commands ``cmd/issue`` to the daemon, each followed by one to somebody who only commits and answers."""
    pair = Pair()
    with raw_answerer(it.port, RAW_ASK, it.commits):
        for turn in range(WARM_UP + count):
            ours, raw = _command(it), _raw_command(it)
            if turn >= WARM_UP:
                pair.ours.append(ours)
                pair.raw.append(raw)
    return [compared("command -> reply over MQTT", "ms", pair, "raw paho request, raw commit, raw answer", Bound("value", 2.0))]


def _command(it: Kiosk) -> float:
    body = {"id": str(uuid4()), "args": {"service": "A", "slip": False}}
    begin = time.perf_counter()
    it.publisher.publish(f"{TOPIC}/cmd/issue", json.dumps(body).encode(), REPLY)
    came, told = 0.0, False
    while not (came and told):  # the event may overtake the reply; the next turn begins when both are here and all is quiet
        at, message = it.subscriber.wait(lambda message: message.topic == REPLY or is_event(message, "ticket.issued"))
        if message.topic != REPLY:
            told = True
        elif json.loads(message.payload)["status"] == "done":
            came = at
        else:
            raise AssertionError(f"the command was refused: {message.payload!r}")
    return (came - begin) * 1000


def _raw_command(it: Kiosk) -> float:
    begin = time.perf_counter()
    it.publisher.publish(RAW_ASK, b"x" * COMMAND_BYTES, RAW_ANSWER)
    came, _ = it.subscriber.wait(lambda message: message.topic == RAW_ANSWER)
    return (came - begin) * 1000
