"""The MQTT contract on paper: topics, envelope, states, settings."""

import json
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from pydantic import ValidationError

from kiosd.clock import ManualClock
from kiosd.errors import Refused
from kiosd.links.base import matches
from kiosd.mqtt.envelope import event_message
from kiosd.mqtt.settings import MqttSettings
from kiosd.mqtt.states import Node, States, info_message, status_message
from kiosd.mqtt.topics import TOPICS, Topics
from kiosd.queue.events import EVENTS, FAMILIES, Record, TicketRefused, family
from support.fakequeue import STREAM, FakeQueue, called

NOON = datetime(2026, 7, 1, 5, 0, 0, 123_000, tzinfo=UTC)
TOPICS_HERE = Topics("kiosd", "CTH01", "hub")
NODE = Node(TOPICS_HERE, "1.2.3", "abc")


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(NOON)


def test_every_topic_lies_under_the_root_in_lower_case() -> None:
    assert TOPICS_HERE.root == "kiosd/1/cth01/hub"
    assert TOPICS_HERE.path("device", "printer") == "kiosd/1/cth01/hub/device/printer/status"
    assert TOPICS_HERE.path("counter", 3) == "kiosd/1/cth01/hub/counter/3"
    assert TOPICS_HERE.path("event", "ticket") == "kiosd/1/cth01/hub/ev/ticket"
    assert TOPICS_HERE.path("reply", "central") == "kiosd/1/cth01/hub/reply/central"
    assert matches(TOPICS_HERE.commands, TOPICS_HERE.path("command", "next"))


def test_states_are_retained_and_events_and_commands_never() -> None:
    kept = {row.name for row in TOPICS if row.retain}
    assert kept == {"status", "info", "device", "queue", "counter", "ack"}
    assert all(row.qos == 1 for row in TOPICS)


def test_every_event_has_a_family_and_so_a_topic() -> None:
    assert {family(kind) for kind in EVENTS} == set(FAMILIES)


def test_an_event_is_a_cloudevent(clock: ManualClock) -> None:
    message = event_message(Record(1234, clock.now(), called(5, counter=2), "c"), TOPICS_HERE, STREAM, clock.now())
    envelope = json.loads(message.payload)
    assert envelope == {
        "specversion": "1.0",
        "id": f"{STREAM}-000000000001234",
        "source": "/kiosd/cth01/hub",
        "type": "kiosd.ticket.called.v1",
        "subject": "A005",
        "time": "2026-07-01T05:00:00.123Z",
        "sequence": "000000000001234",
        "stream": STREAM,
        "boot": clock.now().boot,
        "clock": "synced",
        "replay": False,
        "data": {
            "actor": "", "place": "", "ticket": "CTH01-20260701-A005", "number": "A005", "service": "A", "training": False,
            "counter": 2, "call": 1, "out_of_order": None,
        },
    }  # fmt: skip
    assert all(re.fullmatch(r"[a-z0-9]{1,20}", name) for name in envelope)
    assert (message.topic, message.qos, message.retain, message.expiry_s) == ("kiosd/1/cth01/hub/ev/ticket", 1, False, None)
    assert message.content_type == "application/cloudevents+json"
    assert message.properties == (("type", "kiosd.ticket.called.v1"), ("sequence", "000000000001234"))


@pytest.mark.parametrize(("seconds", "replay"), [(0, False), (60, False), (61, True)])
def test_an_event_that_is_told_late_says_so(clock: ManualClock, seconds: int, replay: bool) -> None:
    record = Record(1, clock.now(), called(1), "c")
    clock.advance(seconds)
    assert json.loads(event_message(record, TOPICS_HERE, STREAM, clock.now()).payload)["replay"] is replay


@pytest.mark.parametrize(("then", "now", "replay"), [(True, True, False), (False, True, True), (True, False, True)])
def test_an_event_of_another_boot_is_late_unless_both_clocks_were_right(clock: ManualClock, then: bool, now: bool, replay: bool) -> None:
    record = Record(1, replace(clock.now(), synced=then), called(1), "c")
    clock.reboot(NOON + timedelta(seconds=30), synced=now)
    assert json.loads(event_message(record, TOPICS_HERE, STREAM, clock.now()).payload)["replay"] is replay


def test_an_event_over_8_kib_is_refused(clock: ManualClock) -> None:
    event = TicketRefused(service="A", code="x", message="m" * 9000)
    with pytest.raises(Refused) as refused:
        event_message(Record(1, clock.now(), event, "c"), TOPICS_HERE, STREAM, clock.now())
    assert refused.value.code == "too_large"


def test_status_names_boot_and_connection(clock: ManualClock) -> None:
    message = status_message(NODE, clock, "lost", 42)
    assert message.retain
    assert json.loads(message.payload) == {
        "state": "lost",
        "boot": clock.now().boot,
        "conn": 42,
        "since": "2026-07-01T05:00:00.123Z",
        "version": "1.2.3",
    }


async def test_info_tells_what_can_be_asked_and_what_will_be_told(clock: ManualClock) -> None:
    info = json.loads(info_message(NODE, await FakeQueue(clock).snapshot()).payload)
    assert info["stream"] == STREAM
    assert {"next", "issue"} <= set(info["commands"])
    assert "report_refusal" not in info["commands"]
    assert info["counters"] == [{"counter": 1, "services": ["A"]}]


async def test_states_come_once_and_again_only_when_they_change(clock: ManualClock) -> None:
    queue, states = FakeQueue(clock), States(NODE, clock)
    first = states.changed(await queue.snapshot())
    assert [message.topic.removeprefix("kiosd/1/cth01/hub/") for message in first] == ["queue", "counter/1", "device/printer/status"]
    clock.advance(5)
    queue.add(called(1))
    assert states.changed(await queue.snapshot()) == []
    queue.waiting = 3
    (changed,) = states.changed(await queue.snapshot())
    body = json.loads(changed.payload)
    assert body["services"][0]["waiting"] == 3
    assert body["as_of_sequence"] == 1
    states.forget()
    assert len(states.changed(await queue.snapshot())) == 3


async def test_states_tell_what_visitors_should_expect_and_hear(clock: ManualClock) -> None:
    snapshot = await FakeQueue(clock).snapshot()
    service = snapshot.services[0].model_copy(update={"wait_low_min": 25, "wait_high_min": 30})
    counter = snapshot.counters[0].model_copy(update={"spoken": "Nomor antrean, A, nol nol satu.", "undo": "undo_call"})
    device = snapshot.devices[0].model_copy(update={"repair_until": NOON, "repair_reason": "ganti kepala cetak"})
    now = snapshot.model_copy(update={"training": True, "services": (service,), "counters": (counter,), "devices": (device,)})
    queue, desk, printer = (json.loads(message.payload) for message in States(NODE, clock).changed(now))
    assert queue["training"] is True
    assert (queue["services"][0]["wait_low_min"], queue["services"][0]["wait_high_min"]) == (25, 30)
    assert desk["spoken"] == "Nomor antrean, A, nol nol satu."
    assert "undo" not in desk, "its end is no event: the state would be out of date"
    assert (printer["repair_until"], printer["repair_reason"]) == ("2026-07-01T05:00:00.123000Z", "ganti kepala cetak")


async def test_a_revision_rises_also_over_a_restart_of_the_daemon(clock: ManualClock) -> None:
    snapshot = await FakeQueue(clock).snapshot()
    before = [json.loads(message.payload)["rev"] for message in States(NODE, clock).changed(snapshot)]
    clock.advance(0.5)
    after = [json.loads(message.payload)["rev"] for message in States(NODE, clock).changed(snapshot)]
    assert max(before) < min(after)


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.2", "::1", "localhost"])
def test_this_machine_needs_no_tls(host: str) -> None:
    assert not MqttSettings(host=host).tls


@pytest.mark.parametrize(
    ("given", "complaint"),
    [
        ({"host": "broker.example"}, "another machine"),
        ({"host": "127.0.0.1", "cert_file": "a"}, "belong together"),
        ({"host": "127.0.0.1", "cert_file": "a", "key_file": "b"}, "give ca_file"),
        ({"host": "127.0.0.1", "password_file": "a"}, "username"),
        ({"host": "127.0.0.1", "prefix": "a/#"}, "match"),
        ({"host": "a" * 64}, "match"),
        ({"host": "a..b", "insecure": True}, "match"),
        ({"host": "127.0.0.1", "password": "secret"}, "not permitted"),
    ],
)
def test_settings_that_would_not_do_are_refused(given: dict[str, object], complaint: str) -> None:
    with pytest.raises(ValidationError, match=complaint):
        MqttSettings.model_validate(given)


def test_another_machine_by_tls_or_by_saying_insecure() -> None:
    assert MqttSettings(host="broker.example", ca_file=Path("ca.pem")).tls
    assert not MqttSettings(host="10.0.0.1", insecure=True).tls
