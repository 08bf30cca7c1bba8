"""``kiosd mqtt doctor`` as a person types it, against real brokers and what is none."""

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from kiosd.mqtt.tools import echo, network
from support.broker import Broker, broker
from support.certificates import Authority, tls_listener
from support.mqtt_peer import peer
from support.mqtttools import ROOT, SECRET, Kiosd, config, login, passwords
from support.served import sayer


@pytest.fixture
def kiosd(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Kiosd:
    monkeypatch.setattr(echo, "ECHO_S", 0.3)  # loopback
    return sayer(capsys)


def doctor(kiosd: Kiosd, folder: Path, port: int, more: str = "") -> tuple[int, dict[str, list[dict[str, Any]]]]:
    """Exit status, and findings by check."""
    said = kiosd("mqtt", "doctor", "--config", config(folder, port, more), "--state", str(folder / "state"), "--json")
    assert SECRET not in said.out + said.err
    found: dict[str, list[dict[str, Any]]] = {}
    for finding in json.loads(said.out)["findings"]:
        found.setdefault(finding["check"], []).append(finding)
        assert (finding["verdict"] == "failed") <= bool(finding["cause"] and finding["remedy"]), finding
    return said.status, found


def verdicts(found: list[dict[str, Any]]) -> list[str]:
    return [finding["verdict"] for finding in found]


def test_all_is_well_and_nobody_is_disturbed(kiosd: Kiosd, mosquitto: Broker, tmp_path: Path) -> None:
    with peer(mosquitto.port, "consumer", f"{ROOT}/#") as consumer:
        status, found = doctor(kiosd, tmp_path, mosquitto.port)
        consumer.wait(lambda: any(message.payload for message in consumer.messages))
        seen = list(consumer.messages)
    assert status == 0 and {finding["verdict"] for each in found.values() for finding in each} <= {"ok", "note", "skipped"}
    assert set(found) >= {"configuration", "clock", "daemon", "name", "TCP", "login", "permissions", "round trip"}
    assert "back here after" in found["round trip"][0]["result"]
    assert {message.topic.removeprefix(f"{ROOT}/") for message in seen} <= {"doctor", "device/doctor/status", "reply/doctor"}
    with peer(mosquitto.port, "later", f"{ROOT}/#") as later:
        assert not later.messages, "something is retained"


def test_for_a_person_a_failure_has_its_cause_and_remedy_below(kiosd: Kiosd, tmp_path: Path) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        said = kiosd("mqtt", "doctor", "--config", config(tmp_path, unused.getsockname()[1]), "--state", str(tmp_path))
    assert said.status == 1
    assert "TCP            FAILED" in said.out and "cause: " in said.out and "remedy: " in said.out
    assert said.out.rstrip().splitlines()[-1].startswith("login          -")


@pytest.mark.parametrize(("user", "secret"), [("kiosk", "wrong"), ("nobody", SECRET)])
def test_a_login_that_is_refused(user: str, secret: str, kiosd: Kiosd, tmp_path: Path) -> None:
    with broker(tmp_path, passwords(tmp_path)) as it:
        assert doctor(kiosd, tmp_path, it.port, login(tmp_path))[0] == 0
        status, found = doctor(kiosd, tmp_path, it.port, login(tmp_path, user, secret))
    assert status == 1 and verdicts(found["login"]) == ["failed"]
    assert "password" in found["login"][0]["cause"] and "username" in found["login"][0]["remedy"]


def test_a_broker_that_wants_a_user(kiosd: Kiosd, tmp_path: Path) -> None:
    with broker(tmp_path, passwords(tmp_path)) as it:
        _, found = doctor(kiosd, tmp_path, it.port)
    assert verdicts(found["login"]) == ["failed"] and "wants a user" in found["login"][0]["cause"]


def test_in_clear_to_a_tls_port(kiosd: Kiosd, tmp_path: Path) -> None:
    authority = Authority.make(tmp_path / "authority")
    with broker(tmp_path, tls_listener(authority, authority.issue("good"))) as it:
        status, found = doctor(kiosd, tmp_path, it.port)
        good, _ = doctor(kiosd, tmp_path, it.port, f'ca_file = "{authority.certificate}"\n')
    assert status == 1 and "the broker speaks TLS on this port" in found["login"][0]["cause"]
    assert good == 0


def test_something_that_is_no_broker(kiosd: Kiosd, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(network, "STEP_S", 0.5)
    with answerer(b"") as port:
        status, found = doctor(kiosd, tmp_path, port)
    assert status == 1 and "speaks no MQTT" in found["login"][0]["cause"]


@contextmanager
def answerer(answer: bytes) -> Iterator[int]:
    """The port of somebody who says ``answer`` to whatever is said to him, and hangs up."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=_answer, args=(server, answer), daemon=True)
        thread.start()
        yield server.getsockname()[1]
        server.shutdown(socket.SHUT_RDWR)
        thread.join(5)


def _answer(server: socket.socket, answer: bytes) -> None:
    while True:
        try:
            caller, _ = server.accept()
        except OSError:
            return
        with caller, suppress(OSError):
            if answer and caller.recv(4096):
                caller.sendall(answer)


def test_what_the_access_list_forbids_is_found_by_reason_code(kiosd: Kiosd, tmp_path: Path) -> None:
    acl = f"user kiosk\ntopic write {ROOT}/doctor\ntopic write {ROOT}/reply/#\n"
    with broker(tmp_path, passwords(tmp_path), acl=acl) as it:
        status, found = doctor(kiosd, tmp_path, it.port, login(tmp_path))
    assert status == 1
    assert verdicts(found["permissions"]) == ["ok", "failed", "ok", "ok"]
    refused = found["permissions"][1]
    assert "device/doctor/status is refused: not_authorized" in refused["result"] and f"{ROOT}/#" in refused["remedy"]
    assert found["round trip"][0]["verdict"] == "ok" and "may not read its own topics" in found["round trip"][0]["result"]


def test_mqtt_3_has_no_reason_codes_and_that_is_said(kiosd: Kiosd, mosquitto: Broker, tmp_path: Path) -> None:
    status, found = doctor(kiosd, tmp_path, mosquitto.port, 'protocol = "3.1.1"\n')
    assert status == 0 and "note" in verdicts(found["permissions"])


@pytest.mark.parametrize("connack", [b"\x20\x02\x00\x01", b"\x20\x03\x00\x84\x00"], ids=["as 3.1.1 says it", "as 5 says it"])
def test_a_broker_without_mqtt_5(connack: bytes, kiosd: Kiosd, tmp_path: Path) -> None:
    with answerer(connack) as port:
        status, found = doctor(kiosd, tmp_path, port)
    assert status == 1 and 'protocol = "3.1.1"' in found["login"][0]["remedy"]


def test_the_watermark_of_the_consumer(kiosd: Kiosd, mosquitto: Broker, tmp_path: Path) -> None:
    more = 'confirm = "consumer"\nconsumer = "pusat"\n'
    assert verdicts(doctor(kiosd, tmp_path, mosquitto.port, more)[1]["watermark"]) == ["note"]
    with peer(mosquitto.port, "pusat") as central:
        mid = central.publish(f"{ROOT}/ack/pusat", b'{"stream":"s","sequence":1}', retain=True)
        central.wait(lambda: mid in central.acks)
    assert verdicts(doctor(kiosd, tmp_path, mosquitto.port, more)[1]["watermark"]) == ["ok"]


def test_a_broker_that_is_not_configured(kiosd: Kiosd, tmp_path: Path) -> None:
    said = kiosd("mqtt", "doctor", "--config", config(tmp_path, 1883), "--broker", "site", "--state", str(tmp_path))
    assert said.status == 1 and "no [mqtt.site]" in said.err
