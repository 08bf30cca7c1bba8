"""Commands over a real mosquitto: a correlated answer for every one, and nothing executed that should not be.

How much of them is taken is in ``unit/test_mqtt_limits.py``, what the real queue makes of them in ``test_mqtt_commands_obeyed.py``.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

import pytest

from kiosd.clock import ManualClock, SystemClock
from kiosd.errors import Refused, Unavailable
from kiosd.links.base import Message
from kiosd.links.mqtt import MqttLink
from kiosd.mqtt.commands import RESPONSE_TOPIC as RESPONSE_TOPIC_SHAPE
from kiosd.mqtt.commands import serve_commands
from kiosd.mqtt.settings import MqttSettings
from kiosd.mqtt.topics import Topics
from kiosd.queue.commands import CallNext, Command, MarkAbsent, Rate
from kiosd.queue.interface import Reply
from support.broker import Broker, broker
from support.fakequeue import FakeQueue
from support.mqtt_peer import CORRELATION, EXPIRY, RESPONSE_TOPIC, USER, Peer, Received, peer, until

TOPICS = Topics("kiosd", "CTH01", "hub")
ROOT = TOPICS.root
NOON = datetime(2026, 7, 1, 5, tzinfo=UTC)
IDENTITY = "3201150101900001"
CORRELATIONS = count(1)


@pytest.fixture(scope="module")
def mosquitto(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    with broker(tmp_path_factory.mktemp("broker")) as it:
        yield it


@dataclass
class Desk:
    """A served queue and somebody who asks it; answers come to ``answers``."""

    queue: FakeQueue
    clock: ManualClock
    peer: Peer
    answers: str = "central/answers"

    async def ask(self, name: str, payload: object, retain: bool = False, more: dict[int, Any] | None = None) -> Received:
        """The answer to a command, found by its correlation data."""
        raw = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
        mark = b"%d" % next(CORRELATIONS)
        properties = {RESPONSE_TOPIC: self.answers, CORRELATION: mark} | (more or {})
        self.peer.publish(f"{ROOT}/cmd/{name}", raw, retain=retain, properties=properties)
        await self.peer.until(lambda: self._answers(mark))
        return self._answers(mark)[0]

    def _answers(self, mark: bytes) -> list[Received]:
        return [message for message in self.peer.messages if message.properties.get(CORRELATION) == mark]

    async def in_vain(self, name: str, payload: object, properties: dict[int, Any] | None = None) -> None:
        """Ask without getting an answer; returns when a later command was answered."""
        self.peer.publish(f"{ROOT}/cmd/{name}", json.dumps(payload).encode(), properties=properties)
        await self.ask("next", {"id": f"after-{next(CORRELATIONS)}", "counter": 1})


@pytest.fixture
async def desk(mosquitto: Broker) -> AsyncIterator[Desk]:
    clock = ManualClock(NOON)
    queue = FakeQueue(clock)
    async with serving(mosquitto.port, queue, clock):
        with peer(mosquitto.port, "central", "central/#", f"{ROOT}/reply/#") as central:
            yield Desk(queue, clock, central)


@asynccontextmanager
async def serving(port: int, queue: FakeQueue, clock: ManualClock, per_s: int = 200) -> AsyncIterator[None]:
    settings = MqttSettings(host="127.0.0.1", port=port)
    async with MqttLink(settings, "kiosd-cth01-hub", SystemClock()) as link, asyncio.TaskGroup() as group:
        task = group.create_task(serve_commands(queue, link, TOPICS, clock, per_s=per_s, source="mqtt-site"))
        await link.connected()
        with suppress(Refused):
            await link.publish(Message("sync", b""))  # the broker has seen the subscription that came before it
        yield
        task.cancel()


async def test_a_command_is_executed_and_answered_with_its_result(desk: Desk) -> None:
    desk.queue.answer = lambda command: Reply(id=command.id, status="done", sequence=7, result={"number": "A005"})
    answer = await desk.ask("next", {"id": "c-1", "counter": 3})
    assert answer.json == {"id": "c-1", "status": "done", "result": {"number": "A005"}, "sequence": 7}
    assert (answer.topic, answer.qos, answer.retain) == (desk.answers, 1, False)
    assert 58 <= answer.properties[EXPIRY] <= 60
    (command,) = desk.queue.executed
    assert isinstance(command, CallNext)
    assert (command.id, command.counter) == ("c-1", 3)


async def test_counter_and_args_are_the_commands_fields(desk: Desk) -> None:
    await desk.ask("rate", {"id": "c-1", "counter": 2, "args": {"score": 4}})
    await desk.ask("absent", {"id": "c-2", "counter": 2, "args": {"force": "salah panggil"}, "issued_at": "2026-07-01T05:00:00Z", "ttl": 5})
    rate, absent = desk.queue.executed
    assert isinstance(rate, Rate)
    assert (rate.counter, rate.score) == (2, 4)
    assert isinstance(absent, MarkAbsent)
    assert absent.force == "salah panggil"


async def test_a_command_says_who_asks_and_comes_from_here(desk: Desk) -> None:
    await desk.ask("next", {"id": "c-1", "counter": 2})
    await desk.ask("open", {"id": "c-2", "counter": 2, "actor": "manager", "client": "board-2"})
    first, second = desk.queue.executed
    assert (first.actor, first.by, first.place) == (None, "officer", "mqtt")
    assert (second.by, second.place) == ("manager", "mqtt/board-2")


async def test_a_refusal_by_the_queue_is_answered_with_its_words(desk: Desk) -> None:
    no = Reply(id="c-1", status="rejected", code="nobody_waits", message="Tidak ada antrean.", sequence=9)
    desk.queue.answer = lambda _command: no
    answer = await desk.ask("next", {"id": "c-1", "counter": 1})
    assert answer.json == {"id": "c-1", "status": "rejected", "reason": "nobody_waits", "message": "Tidak ada antrean.", "sequence": 9}
    assert not desk.queue.refusals


async def test_asking_twice_with_one_id_gives_the_same_answer(desk: Desk) -> None:
    numbers = count(1)
    desk.queue.answer = lambda command: Reply(id=command.id, status="done", sequence=next(numbers))
    first = await desk.ask("next", {"id": "c-1", "counter": 1})
    assert (await desk.ask("next", {"id": "c-1", "counter": 1})).json == first.json


async def test_a_queue_that_cannot_be_asked_is_a_failed_answer(desk: Desk) -> None:
    def unavailable(_command: Command) -> Reply:
        raise Unavailable("the hub does not answer")

    desk.queue.answer = unavailable
    answer = await desk.ask("next", {"id": "c-1", "counter": 1})
    assert (answer.json["status"], answer.json["reason"]) == ("failed", "unavailable")


async def test_without_a_response_topic_a_client_is_answered_on_its_own_topic(desk: Desk) -> None:
    desk.peer.publish(f"{ROOT}/cmd/next", b'{"id": "c-1", "counter": 1, "client": "board-2"}')
    await desk.peer.until(lambda: desk.peer.on(f"{ROOT}/reply/board-2"))
    assert desk.peer.on(f"{ROOT}/reply/board-2")[0].json["id"] == "c-1"


async def test_commands_that_come_together_are_executed_in_their_order(desk: Desk) -> None:
    for n in range(100):
        desk.peer.publish(f"{ROOT}/cmd/next", b'{"id": "c-%d", "counter": 1, "client": "x"}' % n)
    await desk.peer.until(lambda: len(desk.peer.on(f"{ROOT}/reply/x")) == 100)
    assert [command.id for command in desk.queue.executed] == [f"c-{n}" for n in range(100)]


@pytest.mark.parametrize(
    ("name", "payload", "reason"),
    [
        ("next", b"", "not_json"),
        ("next", b"{", "not_json"),
        ("next", b"\xff\xfe", "not_json"),
        ("next", b"[" * 8000, "not_json"),
        ("next", b'{"args":' * 900, "not_json"),
        ("next", b'{"id": "c-1", "counter": ' + b"9" * 7000 + b"}", "not_json"),
        ("next", b'{"id": "c-1", "counter": 1' + b"0" * 2000 + b"}", "bad_field"),
        ("next", b"[]", "bad_payload"),
        ("next", b"null", "bad_payload"),
        ("next", b'{"id": "c-1", "counter": 1, "args": {"x": "' + b"y" * 8200 + b'"}}', "too_large"),
        ("next", {"counter": 1}, "bad_field"),
        ("next", {"id": 7, "counter": 1}, "bad_field"),
        ("next", {"id": "a b", "counter": 1}, "bad_field"),
        ("next", {"id": "x" * 65, "counter": 1}, "bad_field"),
        ("next", {"id": "c-1"}, "bad_field"),
        ("next", {"id": "c-1", "counter": "1"}, "bad_field"),
        ("next", {"id": "c-1", "counter": True}, "bad_field"),
        ("next", {"id": "c-1", "counter": 0}, "bad_field"),
        ("next", {"id": "c-1", "counter": 1, "colour": "red"}, "unknown_field"),
        ("next", {"id": "c-1", "counter": 1, "args": {"colour": "red"}}, "unknown_field"),
        ("next", {"id": "c-1", "counter": 1, "args": {IDENTITY: "red"}}, "unknown_field"),
        ("next", {"id": "c-1", "counter": 1, "args": {"age_s": 3600}}, "bad_args"),
        ("next", {"id": "c-1", "args": {"counter": 1}}, "bad_args"),
        ("next", {"id": "c-1", "counter": 1, "args": {"actor": "manager"}}, "bad_args"),
        ("next", {"id": "c-1", "counter": 1, "args": {"place": "button/D"}}, "bad_args"),
        ("next", {"id": "c-1", "counter": 1, "args": {"seen": 1}}, "bad_args"),
        ("next", {"id": "c-1", "counter": 1, "args": {"late": False}}, "bad_args"),
        ("next", {"id": "c-1", "counter": 1, "expect_rev": -1}, "bad_field"),
        ("next", {"id": "c-1", "counter": 1, "expect_rev": "1"}, "bad_field"),
        ("issue", {"id": "c-1", "args": {"service": "A"}, "expect_rev": 1}, "bad_field"),
        ("next", {"id": "c-1", "counter": 1, "actor": "system"}, "bad_field"),
        ("next", {"id": "c-1", "counter": 1, "place": "button/D"}, "unknown_field"),
        ("next", {"id": "c-1", "counter": 1, "client": IDENTITY}, "bad_field"),
        ("next", {"id": "c-1", "counter": 1, "ttl": 0}, "bad_field"),
        ("next", {"id": "c-1", "counter": 1, "ttl": 3601}, "bad_field"),
        ("next", b'{"id": "c-1", "counter": 1, "ttl": NaN}', "bad_field"),
        ("next", {"id": "c-1", "counter": 1, "issued_at": "yesterday"}, "bad_field"),
        ("next", {"id": "c-1", "counter": 1, "issued_at": "2026-07-01T12:00:00"}, "bad_field"),
        ("next", {"id": "c-1", "counter": 1, "client": "a/b"}, "bad_field"),
        ("rate", {"id": "c-1", "counter": 1, "args": {"score": 5}}, "bad_field"),
        ("issue", {"id": "c-1", "counter": 1, "args": {"service": "A"}}, "unknown_field"),
        ("issue", {"id": "c-1", "args": {"service": IDENTITY}}, "bad_field"),
        ("dance", {"id": "c-1"}, "unknown_command"),
        (IDENTITY, {"id": "c-1"}, "unknown_command"),
        ("report_device", {"id": "c-1", "args": {"device": "printer", "state": "down"}}, "unknown_command"),
        ("scan", {"id": "c-1", "counter": 1, "args": {"token": "0" * 32}}, "unknown_command"),
    ],
)
async def test_what_is_no_command_is_refused_answered_and_recorded(desk: Desk, name: str, payload: object, reason: str) -> None:
    answer = await desk.ask(name, payload)
    assert (answer.json["status"], answer.json["reason"]) == ("rejected", reason)
    assert set(answer.json) == {"id", "status", "reason", "message", "sequence"}
    assert len(desk.queue.executed) == 1
    (refusal,) = desk.queue.refusals
    assert (refusal.source, refusal.code) == ("mqtt-site", reason)
    assert IDENTITY not in answer.payload.decode() + refusal.model_dump_json()


async def test_a_refusal_names_the_command_it_can_tell(desk: Desk) -> None:
    answer = await desk.ask("next", {"id": "c-1", "counter": 0})
    assert answer.json["id"] == "c-1"
    assert desk.queue.refusals[0].command == "next"
    assert "counter" in answer.json["message"]


@pytest.mark.parametrize(("synced", "late"), [(True, True), (False, False)])
async def test_a_command_after_its_time_is_late_when_the_clock_is_right(desk: Desk, synced: bool, late: bool) -> None:
    desk.clock.step_to(NOON, synced)
    before = (NOON - timedelta(seconds=11)).isoformat()
    await desk.ask("next", {"id": "c-1", "counter": 1, "issued_at": before})
    assert [command.late for command in desk.queue.executed] == [late]


@pytest.mark.parametrize("issued_at", ["9999-12-31T23:59:59Z", "2026-07-01T04:59:51Z"])
async def test_a_command_in_its_time_is_not_late(desk: Desk, issued_at: str) -> None:
    await desk.ask("next", {"id": "c-1", "counter": 1, "issued_at": issued_at})
    assert [command.late for command in desk.queue.executed] == [False]


async def test_a_retained_command_is_refused_and_cleared_from_the_broker(desk: Desk, mosquitto: Broker) -> None:
    answer = await desk.ask("next", {"id": "c-1", "counter": 1}, retain=True)
    assert answer.json["reason"] == "retained"
    assert not [command for command in desk.queue.executed if isinstance(command, CallNext)]
    with peer(mosquitto.port, "later", f"{ROOT}/cmd/#", "end") as later:
        later.publish("end", b"")
        await later.until(lambda: later.messages)
        assert [message.topic for message in later.messages] == ["end"]


async def test_a_command_retained_before_the_start_is_not_executed(mosquitto: Broker) -> None:
    clock = ManualClock(NOON)
    queue = FakeQueue(clock)
    with peer(mosquitto.port, "central", "central/#") as central:
        central.publish(f"{ROOT}/cmd/next", b'{"id": "old", "counter": 1}', retain=True)
        await central.until(lambda: central.acks)
        async with serving(mosquitto.port, queue, clock):
            await Desk(queue, clock, central).ask("next", {"id": "new", "counter": 1})
            central.publish(f"{ROOT}/cmd/next", b"", retain=True)
    assert [command.id for command in queue.executed] == ["new"]


@pytest.mark.parametrize("topic", ["$SYS/x", f"{ROOT}/cmd/next", f"{ROOT}/status", ROOT, f"{ROOT}/reply", "a" * 257])
async def test_an_answer_goes_nowhere_it_could_do_harm(desk: Desk, topic: str) -> None:
    await desk.in_vain("next", {"id": "c-1", "counter": 1}, {RESPONSE_TOPIC: topic})
    assert "c-1" not in {command.id for command in desk.queue.executed}
    assert desk.queue.refusals[0].code == "bad_reply_topic"


@pytest.mark.parametrize("topic", ["a/#", "a/+", "", "a\x00", "a\nb"])
def test_a_broken_response_topic_is_seen_even_if_the_broker_let_it_pass(topic: str) -> None:
    assert not RESPONSE_TOPIC_SHAPE.fullmatch(topic)


async def test_an_answer_may_go_to_our_own_reply_topic(desk: Desk) -> None:
    desk.answers = f"{ROOT}/reply/central"
    assert (await desk.ask("next", {"id": "c-1", "counter": 1})).topic == desk.answers


async def test_who_gives_no_address_is_served_without_an_answer(desk: Desk) -> None:
    await desk.in_vain("next", {"id": "c-1", "counter": 1})
    assert desk.queue.executed[0].id == "c-1"


async def test_a_role_may_be_named_beside_the_payload(desk: Desk) -> None:
    await desk.ask("open", {"id": "c-1", "counter": 2}, more={USER: [("role", "manager"), ("colour", "red")]})
    await desk.ask("open", {"id": "c-2", "counter": 2, "actor": "officer"}, more={USER: [("role", "officer")]})
    assert [command.by for command in desk.queue.executed] == ["manager", "officer"]


@pytest.mark.parametrize(
    ("actor", "beside"),
    [
        (None, ["system"]),
        (None, ["boss"]),
        (None, [""]),
        (None, [IDENTITY]),
        (None, ["officer", "manager"]),
        ("officer", ["manager"]),
        ("manager", ["system"]),
    ],
)
async def test_a_role_that_is_none_or_two_is_refused(desk: Desk, actor: str | None, beside: list[str]) -> None:
    payload = {"id": "c-1", "counter": 2} | ({"actor": actor} if actor else {})
    answer = await desk.ask("open", payload, more={USER: [("role", role) for role in beside]})
    assert (answer.json["status"], answer.json["reason"]) == ("rejected", "bad_role")
    assert IDENTITY not in answer.payload.decode()


async def test_the_same_message_twice_is_one_command(desk: Desk) -> None:
    """As a client sends it again that did not see the broker's acknowledgement."""
    for dup in (False, True):
        desk.peer.publish(f"{ROOT}/cmd/next", b'{"id": "c-1", "counter": 1, "client": "x"}', dup=dup)
    await desk.peer.until(lambda: len(desk.peer.on(f"{ROOT}/reply/x")) == 2)
    first, second = desk.peer.on(f"{ROOT}/reply/x")
    assert first.payload == second.payload


async def test_mosquitto_rr_gets_its_answer(desk: Desk, mosquitto: Broker) -> None:
    where = ["-V", "5", "-h", "127.0.0.1", "-p", str(mosquitto.port), "-t", f"{ROOT}/cmd/next", "-e", "rr/1", "-W", "5"]
    process = await asyncio.create_subprocess_exec(
        "mosquitto_rr", *where, "-m", '{"id": "rr-1", "counter": 1}', stdout=asyncio.subprocess.PIPE
    )
    out, _ = await process.communicate()
    assert json.loads(out) == {"id": "rr-1", "status": "done", "result": {}, "sequence": 0}
    await until(lambda: process.returncode == 0)
