"""``kiosd mqtt doctor``'s checks one by one: each way in which a broker cannot be reached has a name, a cause and a remedy of its own."""

import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from kiosd.clock import Moment
from kiosd.findings import Finding
from kiosd.mqtt.outbox import BrokerView, FamilyView, LeftOutView
from kiosd.mqtt.settings import MqttSettings
from kiosd.mqtt.tools import network
from kiosd.mqtt.tools.certificate import validity
from kiosd.mqtt.tools.doctor import clock_finding, daemon_findings
from kiosd.mqtt.tools.files import check_files
from kiosd.mqtt.tools.network import check_network, reach
from kiosd.mqtt.tools.target import Target
from support.broker import broker, free_port
from support.certificates import DAY, NOW, Authority, tls_listener

SYNCED = Moment(NOW, 100.0, synced=True, boot="b")
LOST = replace(SYNCED, time=datetime(1970, 1, 1, 0, 0, 40, tzinfo=UTC), synced=False)
"""A board that starts without a network: no battery keeps its clock."""


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority.make(tmp_path_factory.mktemp("authority"))


def settings(port: int, **more: Any) -> MqttSettings:
    return MqttSettings.model_validate({"host": "127.0.0.1", "port": port} | more)


def last(found: Iterator[Finding]) -> Finding:
    return list(found)[-1]


# Name and TCP.


def test_a_name_that_is_none() -> None:
    finding = last(check_network(settings(1883, host="kiosd-test.invalid", insecure=True), SYNCED))
    assert (finding.check, finding.verdict) == ("name", "failed")
    assert "kiosd-test.invalid" in finding.result and finding.cause and finding.remedy


def test_a_name_server_that_is_silent(monkeypatch: pytest.MonkeyPatch) -> None:
    def busy(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")

    monkeypatch.setattr(socket, "getaddrinfo", busy)
    assert "name server does not answer" in last(check_network(settings(1883), SYNCED)).cause


def test_nobody_listens_on_the_port() -> None:
    finding = last(check_network(settings(free_port()), SYNCED))
    assert (finding.check, finding.verdict) == ("TCP", "failed")
    assert "refused" in finding.result and "nothing listens" in finding.cause


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (TimeoutError("timed out"), "packets get lost"),
        (OSError(101, "Network is unreachable"), "no way leads"),
        (OSError(113, "No route to host"), "no way leads"),
        (OSError(13, "Permission denied"), "does not allow"),
    ],
)
def test_a_way_that_is_shut(error: OSError, words: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> socket.socket:
        raise error

    monkeypatch.setattr(socket, "create_connection", fail)
    finding = reach(settings(1883))
    assert finding.verdict == "failed" and words in finding.cause and finding.remedy


# TLS, with real brokers and certificates of any days.


@contextmanager
def tls_broker(folder: Path, authority: Authority, certificate: Path, more: str = "") -> Iterator[MqttSettings]:
    with broker(folder, tls_listener(authority, certificate, more)) as it:
        yield settings(it.port, ca_file=authority.certificate)


def tls(found: Iterator[Finding]) -> Finding:
    return next(finding for finding in found if finding.check == "TLS")


def test_a_good_certificate_and_its_days(authority: Authority, tmp_path: Path) -> None:
    with tls_broker(tmp_path, authority, authority.issue("good")) as it:
        found = list(check_network(it, SYNCED))
    assert [(finding.check, finding.verdict) for finding in found] == [(name, "ok") for name in ("name", "TCP", "TLS", "certificate")]
    assert "364 days" in found[-1].result or "365 days" in found[-1].result


def test_a_certificate_that_ends_soon(authority: Authority, tmp_path: Path) -> None:
    with tls_broker(tmp_path, authority, authority.issue("soon", end=NOW + 9 * DAY)) as it:
        finding = last(check_network(it, SYNCED))
    assert finding.verdict == "note" and "renew" in finding.remedy


def test_an_expired_certificate(authority: Authority, tmp_path: Path) -> None:
    old = authority.issue("old", begin=NOW - 9 * DAY, end=NOW - 2 * DAY)
    with tls_broker(tmp_path, authority, old) as it:
        finding = tls(check_network(it, SYNCED))
    assert finding.verdict == "failed" and "expired" in finding.cause
    assert f"{NOW - 2 * DAY:%Y-%m-%d %H:%M}" in finding.result


def test_not_yet_valid_and_a_clock_that_nobody_set_is_the_clocks_fault(authority: Authority, tmp_path: Path) -> None:
    """OpenSSL goes by the machine's clock, so here the certificate is early instead; the board's clock is what decides the words."""
    early = authority.issue("early", begin=NOW + 2 * DAY, end=NOW + 9 * DAY)
    with tls_broker(tmp_path, authority, early) as it:
        lost, synced = tls(check_network(it, LOST)), tls(check_network(it, SYNCED))
    assert "clock is wrong" in lost.cause and "time server" in lost.remedy and "1970-01-01" in lost.result
    assert "not yet valid" in synced.cause and "clock is wrong" not in synced.cause


def test_another_authority(authority: Authority, tmp_path: Path) -> None:
    other = Authority.make(tmp_path / "other")
    with tls_broker(tmp_path, other, other.issue("good")) as it:
        finding = tls(check_network(it.model_copy(update={"ca_file": authority.certificate}), SYNCED))
    assert finding.verdict == "failed" and "another authority" in finding.cause


def test_another_name(authority: Authority, tmp_path: Path) -> None:
    with tls_broker(tmp_path, authority, authority.issue("elsewhere", san="DNS:elsewhere.example")) as it:
        finding = tls(check_network(it, SYNCED))
    assert "another name than 127.0.0.1" in finding.cause


def test_tls_to_a_plain_broker(authority: Authority, tmp_path: Path) -> None:
    with broker(tmp_path) as it:
        finding = tls(check_network(settings(it.port, ca_file=authority.certificate), SYNCED))
    assert finding.verdict == "failed" and "speaks MQTT without TLS" in finding.cause


def test_tls_to_something_else(authority: Authority, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(network, "STEP_S", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        finding = tls(check_network(settings(silent.getsockname()[1], ca_file=authority.certificate), SYNCED))
    assert "speaks no TLS" in finding.cause and "no answer" in finding.result


def test_a_client_certificate_is_wanted(authority: Authority, tmp_path: Path) -> None:
    with tls_broker(tmp_path, authority, authority.issue("good"), "require_certificate true") as it:
        without = tls(check_network(it, SYNCED))
        own = authority.issue("kiosk")
        with_one = tls(check_network(it.model_copy(update={"cert_file": own, "key_file": own.with_suffix(".key")}), SYNCED))
    assert without.verdict == "failed" and "client certificate" in without.cause
    assert with_one.verdict == "ok"


def test_in_clear_to_another_machine_is_noted(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: [(2, 1, 6, "", ("192.0.2.1", 1883))])
    monkeypatch.setattr(network, "reach", lambda _: Finding("TCP", "ok", "accepts"))
    finding = last(check_network(settings(1883, host="broker.example", insecure=True), SYNCED))
    assert finding.verdict == "note" and "in clear" in finding.result


def test_the_days_of_a_certificate(authority: Authority) -> None:
    begin, end = NOW.replace(microsecond=0) - DAY, datetime(2060, 1, 2, 3, 4, 5, tzinfo=UTC)  # from 2050 on in the other form
    der = ssl.PEM_cert_to_DER_cert(authority.issue("long", begin=begin, end=end).read_text())
    assert validity(der) == (begin, end)
    for broken in (b"", b"\x30", der[:40], b"\x30\x82\xff\xff" * 9):
        with pytest.raises(ValueError, match="no certificate"):
            validity(broken)


# Files.


def test_files_that_are_missing_open_to_all_or_empty(tmp_path: Path, authority: Authority) -> None:
    secret, hollow = tmp_path / "password", tmp_path / "hollow"
    secret.write_text("s3cr3t-word")
    secret.chmod(0o644)
    hollow.touch(0o600)
    more: dict[str, Any] = {"username": "hub"}
    assert {finding.verdict for finding in check_files("central", settings(1, **more))} == {"ok"}
    everybody = last(check_files("central", settings(1, **more, password_file=secret)))
    assert "everybody" in everybody.cause and str(secret) in everybody.remedy
    assert "empty" in last(check_files("central", settings(1, **more, password_file=hollow))).result
    gone = last(check_files("central", settings(1, ca_file=tmp_path / "gone")))
    assert "No such file" in gone.result and "correct ca_file" in gone.remedy
    no_pem = last(check_files("central", settings(1, ca_file=secret)))
    assert "not what its key says" in no_pem.cause
    found = [everybody, gone, no_pem, *check_files("central", settings(1, **more, password_file=secret, ca_file=authority.certificate))]
    assert not any("s3cr3t-word" in text for finding in found for text in finding.facts().values())


# The clock, and what the daemon says.

TARGET = Target("central", settings(1883), "kiosd/1/cth01/hub", "kiosd/1/cth01", "hub", "kiosd-cth01-hub", trust_rtc=False, zone="UTC")


def view(**held: str) -> BrokerView:
    families = tuple(FamilyView(family=name, cursor=4, owed=2, held=code) for name, code in held.items())
    return BrokerView(broker="central", connection=7, reason="connected", families=families)


def test_the_clock() -> None:
    assert clock_finding(SYNCED).verdict == "ok"
    assert clock_finding(LOST).verdict == "note" and "not synchronised" in clock_finding(LOST).result


def test_what_the_daemon_knows() -> None:
    assert [finding.verdict for finding in daemon_findings(TARGET, view(ticket=""), runs=True)] == ["ok", "ok"]
    refused = last(daemon_findings(TARGET, view(ticket="not_authorized", scan=""), runs=True))
    assert refused.verdict == "failed" and "ev/ticket (not_authorized)" in refused.result and "kiosd/1/cth01/hub/ev/#" in refused.remedy
    unheard = last(daemon_findings(TARGET, view(ticket="nobody_listens"), runs=True))
    assert unheard.verdict == "note" and "nobody takes ev/ticket" in unheard.result
    lost = [LeftOutView(sequence=9, code="too_large", time=NOW - timedelta(hours=1))]
    poisoned = last(daemon_findings(TARGET, view(ticket="").model_copy(update={"left_out": 1, "quarantined": tuple(lost)}), runs=True))
    assert poisoned.verdict == "note" and "9: too_large" in poisoned.result
    away = next(daemon_findings(TARGET, view().model_copy(update={"connection": None, "reason": "no route"}), runs=True))
    assert away.verdict == "note" and "no route" in away.result
    assert [finding.verdict for finding in daemon_findings(TARGET, None, runs=True)] == ["skipped"]


def test_a_second_login_is_risky_only_where_users_are_clients_and_the_broker_is_elsewhere() -> None:
    def risky(host: str, username: str | None) -> bool:
        return replace(TARGET, settings=MqttSettings(host=host, username=username, insecure=True)).one_per_user

    assert risky("broker.example", "hub") and risky("broker.example", "kiosd-cth01-hub")
    assert not risky("127.0.0.1", "hub") and not risky("broker.example", "somebody") and not risky("broker.example", None)
