"""A satellite is made known: one secret file from the hub, taken in on another board, and a real broker lets it in."""

import base64
import hashlib
import re
import stat
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from kiosd import enrolment
from kiosd.config import SatelliteSettings, load_any
from kiosd.stations.scan_key import load_scan_key
from support.kiosk import write_config
from support.served import Said, sayer
from support.sitebroker import ROOT, SiteBroker, Somebody, site_broker

KEY = bytes(range(32))
HUB = '[mqtt.site]\nhost = "127.0.0.1"\nusername = "hub"\n'
CA = """-----BEGIN CERTIFICATE-----
MIIBlzCCAT6gAwIBAgIUEjW0b6HD1EgTNPUnP3z8zbqHUPcwCgYIKoZIzj0EAwIw
-----END CERTIFICATE-----
"""
Say = Callable[..., Said]


@pytest.fixture(scope="module")
def mosquitto(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SiteBroker]:
    with site_broker(tmp_path_factory.mktemp("broker")) as it:
        yield it


@pytest.fixture
def say(capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Say:
    """``kiosd`` on a hub that has started before, in the folder of its administrator."""
    state = tmp_path / "state"
    state.mkdir()
    (state / "scan.key").write_bytes(KEY)
    (state / "scan.key").chmod(0o600)
    write_config(tmp_path, more=HUB)
    monkeypatch.setenv("KIOSD_STATE", str(state))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "kiosd.toml").rename(state / "kiosd.toml")
    (tmp_path / "etc").mkdir()
    return sayer(capsys)


def accepted(say: Say, folder: str = "etc", *more: str, file: str = "loket-1.enrolment.toml") -> SatelliteSettings:
    assert say("enroll", "--accept", file, "--config-dir", folder, *more).status == 0
    settings = load_any(Path(folder) / "kiosd.toml")
    assert isinstance(settings, SatelliteSettings)
    return settings


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def secret_of(file: Path) -> dict[str, str]:
    secrets: dict[str, str] = tomllib.loads(file.read_text())["secrets"]
    return secrets


async def admitted(broker: SiteBroker, user: str, password: str, ca: Path) -> str:
    """What the broker says to this password."""
    somebody = Somebody(broker, user, password, ca=ca)
    try:
        await somebody.connect()
        if somebody.reason != "Success":
            return somebody.reason
        return await somebody.publish(f"{ROOT}/sat/{user}/cmd/next")
    finally:
        somebody.close()


async def test_from_the_hub_to_another_board_and_into_the_broker(say: Say, mosquitto: SiteBroker, tmp_path: Path) -> None:
    passwd = mosquitto.folder / "site.passwd"
    passwd.chmod(0o640)
    before = passwd.read_text()
    words = ("--counters", "1,2", "--hub-host", "127.0.0.1", "--port", str(mosquitto.port), "--ca-file", str(mosquitto.folder / "ca.crt"))
    made = say("enroll", "loket-1", *words, "--passwd-file", str(passwd))
    file = tmp_path / "loket-1.enrolment.toml"
    assert made.status == 0 and made.err == "" and mode(file) == 0o600
    assert "[satellites.loket-1]\ncounters = [1, 2]\n" in made.out and "sudo systemctl reload mosquitto" in made.out
    password = secret_of(file)["password"]
    assert password not in made.out, "a terminal keeps what it showed"
    assert passwd.read_text().startswith(before) and mode(passwd) == 0o640

    settings = accepted(say)
    assert (settings.node.id, settings.node.hub, settings.site.id, settings.site.timezone) == ("loket-1", "hub", "CTH01", "Asia/Jakarta")
    assert settings.counters.keys() == {1, 2}
    assert say("check-config", "etc/kiosd.toml").status == 0
    broker = settings.broker
    assert broker.password_file is not None and broker.ca_file is not None
    assert (broker.host, broker.port, broker.username) == ("127.0.0.1", mosquitto.port, "loket-1")
    assert broker.password_file.read_text().strip() == password
    assert load_scan_key(settings.scan.key_file, tmp_path / "nowhere", make=False) == KEY
    assert [mode(tmp_path / "etc" / name) for name in ("mqtt-site.password", "scan.key", "ca.crt", "kiosd.toml")] == [
        0o600,
        0o600,
        0o644,
        0o644,
    ]
    assert password not in (tmp_path / "etc" / "kiosd.toml").read_text()

    mosquitto.stop()
    mosquitto.start()
    assert await admitted(mosquitto, "loket-1", password, broker.ca_file) in {"Success", "No matching subscribers"}
    assert await admitted(mosquitto, "loket-1", f"{password}x", broker.ca_file) == "Not authorized"


async def test_enrolling_again_makes_the_old_password_worthless(say: Say, mosquitto: SiteBroker, tmp_path: Path) -> None:
    passwd, ca = mosquitto.folder / "site.passwd", mosquitto.folder / "ca.crt"
    words = (
        "--counters",
        "2",
        "--hub-host",
        "127.0.0.1",
        "--port",
        str(mosquitto.port),
        "--ca-file",
        str(ca),
        "--passwd-file",
        str(passwd),
    )
    passwords = []
    for more in ((), ("--force",)):
        assert say("enroll", "loket-2", *words, *more).status == 0
        passwords.append(secret_of(tmp_path / "loket-2.enrolment.toml")["password"])
    assert passwd.read_text().count("loket-2:") == 1 and "central:" in passwd.read_text()
    mosquitto.stop()
    mosquitto.start()
    assert [await admitted(mosquitto, "loket-2", one, ca) for one in passwords] == ["Not authorized", "No matching subscribers"]


def test_a_satellite_keeps_its_devices_when_it_gets_a_new_password(say: Say, mosquitto: SiteBroker, tmp_path: Path) -> None:
    words = ("--counters", "1", "--hub-host", "hub.local", "--ca-file", str(mosquitto.folder / "ca.crt"))
    say("enroll", "loket-1", *words)
    accepted(say)
    config, password = tmp_path / "etc" / "kiosd.toml", tmp_path / "etc" / "mqtt-site.password"
    edited = config.read_text().replace('# keys = "keys"', 'keys = "keys"').replace("# [devices.keys]", "[devices.keys]")
    edited = edited.replace('# driver = "gpio_buttons"\n# buttons = { advance', 'driver = "gpio_buttons"\nbuttons = { advance')
    config.write_text(edited)
    old = password.read_text()
    say("enroll", "loket-1", *words, "--force")
    refused = say("enroll", "--accept", "loket-1.enrolment.toml", "--config-dir", "etc")
    assert refused.status == 1 and "mqtt-site.password, scan.key, ca.crt, kiosd.toml already; say --force" in refused.err
    assert password.read_text() == old
    assert accepted(say, "etc", "--force").counters[1].keys == "keys"
    assert config.read_text() == edited and password.read_text() != old

    say("enroll", "loket-9", *words)
    accepted(say, "etc", "--force", file="loket-9.enrolment.toml")
    assert (tmp_path / "etc" / "kiosd.toml.old").read_text() == edited
    assert 'id = "loket-9"' in config.read_text()


def test_a_board_behind_a_display_gets_no_scan_key(say: Say, tmp_path: Path) -> None:
    made = say("enroll", "papan", "--hub-host", "192.168.1.10", "--insecure", "-o", "it.toml")
    assert made.status == 0 and "[satellites.papan]\n\n" in made.out
    assert secret_of(tmp_path / "it.toml") == {"password": secret_of(tmp_path / "it.toml")["password"], "ca": "", "scan_key": ""}
    settings = accepted(say, file="it.toml")
    assert settings.call_board is not None and settings.broker.insecure and settings.broker.port == 1883
    assert sorted(path.name for path in (tmp_path / "etc").iterdir()) == ["kiosd.toml", "mqtt-site.password"]


def test_without_a_password_file_the_hub_is_told_what_to_enter(say: Say, tmp_path: Path) -> None:
    said = say("enroll", "loket-1", "--hub-host", "10.0.0.1", "--insecure").out
    entry = re.search(r"^echo 'loket-1:\$7\$101\$(\S+)\$(\S+)' \| sudo tee -a /etc/mosquitto/kiosd/site.passwd", said, re.MULTILINE)
    assert entry
    password = secret_of(tmp_path / "loket-1.enrolment.toml")["password"]
    assert len(password) == 32
    digest = hashlib.pbkdf2_hmac("sha512", password.encode(), base64.b64decode(entry[1]), 101)
    assert base64.b64decode(entry[2]) == digest


def test_a_hub_that_knows_the_satellite_is_not_told_again(say: Say, tmp_path: Path) -> None:
    config = tmp_path / "state" / "kiosd.toml"
    config.write_text(config.read_text() + "[satellites.loket-1]\ncounters = [2, 1]\n")
    words = ("enroll", "loket-1", "--hub-host", "10.0.0.1", "--insecure")
    assert "[satellites" not in say(*words, "--counters", "1,2").out
    assert "[satellites.loket-1]\ncounters = [1]\n" in say(*words, "--counters", "1", "--force").out


@pytest.mark.parametrize(
    ("words", "status", "sentence"),
    [
        ((), 2, "name the satellite that is made known here"),
        (("loket-1", "--accept", "x"), 2, "name the satellite that is made known here"),
        (("Loket_1",), 2, "NODE is small letters, digits and hyphens"),
        (("loket-1", "--counters", "1;2"), 2, "--counters is one number 1-99 or several"),
        (("loket-1", "--counters", "7"), 1, "has no [counters.7]; known: 1, 2"),
        (("hub",), 1, "hub is the hub itself"),
        (("loket-1", "--insecure"), 2, "--hub-host HOST is its name or address"),
        (("loket-1", "--hub-host", "a b", "--insecure"), 2, "HOST is a name or an address"),
        (("loket-1", "--hub-host", "h", "--port", "99999", "--insecure"), 2, "PORT is a number 1-65535"),
        (("loket-1", "--hub-host", "h", "--ca-file", "nowhere"), 78, "nowhere: No such file"),
        (("loket-1", "--hub-host", "h", "--ca-file", "state/kiosd.toml"), 78, "there is no certificate in it"),
        (("loket-1", "--hub-host", "h", "--insecure", "--config", "nowhere.toml"), 78, "nowhere.toml: cannot be read"),
        (("loket-1", "--hub-host", "h", "--insecure", "--passwd-file", "no/where"), 78, "no/where: No such file"),
        (("--accept", "nowhere.toml", "--config-dir", "etc"), 78, "nowhere.toml: cannot be read"),
        (("--accept", "state/kiosd.toml", "--config-dir", "etc"), 78, "this is no enrolment file"),
        (("--accept", "state/kiosd.toml", "--config-dir", "nowhere"), 1, "there is no folder"),
    ],
)
def test_what_cannot_be_is_said(words: tuple[str, ...], status: int, sentence: str, say: Say) -> None:
    said = say("enroll", *words)
    assert said.status == status and sentence in said.err and said.out == ""


def test_a_hub_without_a_broker_or_a_key_has_no_satellites(say: Say, tmp_path: Path) -> None:
    words = ("enroll", "loket-1", "--counters", "1", "--hub-host", "h", "--insecure")
    (tmp_path / "state" / "scan.key").unlink()
    said = say(*words)
    assert said.status == 1 and "the hub makes it when it starts for the first time" in said.err
    config = tmp_path / "state" / "kiosd.toml"
    config.write_text(config.read_text().replace(HUB, ""))
    said = say(*words)
    assert said.status == 1 and "has no [mqtt.site]" in said.err
    assert not (tmp_path / "loket-1.enrolment.toml").exists()


def test_a_file_is_never_replaced_without_being_told(say: Say, tmp_path: Path) -> None:
    words = ("enroll", "loket-1", "--hub-host", "h", "--insecure")
    say(*words)
    before = (tmp_path / "loket-1.enrolment.toml").read_text()
    said = say(*words)
    assert said.status == 1 and "exists; delete it, or say --force" in said.err
    assert (tmp_path / "loket-1.enrolment.toml").read_text() == before


def test_a_certificate_s_key_never_leaves_the_hub(say: Say, mosquitto: SiteBroker, tmp_path: Path) -> None:
    (tmp_path / "both.pem").write_bytes((mosquitto.folder / "ca.crt").read_bytes() + (mosquitto.folder / "ca.key").read_bytes())
    said = say("enroll", "loket-1", "--hub-host", "h", "--ca-file", "both.pem")
    assert said.status == 78 and "private key" in said.err


GOOD: dict[str, Any] = {
    "made": "2026-07-01T01:05:00.000Z", "node": "loket-1", "hub": "hub", "site": "CTH01", "timezone": "Asia/Jakarta", "language": "id",
    "counters": [1], "host": "hub.local", "port": 8883, "prefix": "kiosd",
}  # fmt: skip
PASSWORD = "Zm9yLXRlc3RzLW9ubHktbm90aGluZy1lbHNl"  # noqa: S105 - nobody's


def spoilt(tmp_path: Path, place: dict[str, Any], secrets: dict[str, Any]) -> Path:
    path = tmp_path / "file.toml"
    lines = [f"{key} = {enrolment._quoted(value)}" for key, value in (GOOD | place).items()]
    lines += ["[secrets]", *(f"{key} = {enrolment._quoted(value)}" for key, value in ({"password": PASSWORD} | secrets).items())]
    path.write_text("\n".join(["[enrolment]", *lines]))
    return path


@pytest.mark.parametrize(
    ("place", "secrets", "sentence"),
    [
        ({"node": "../../etc"}, {}, "[enrolment] node: found '../../etc'"),
        ({"host": "h\n[log]"}, {}, "[enrolment] host"),
        ({"version": 2}, {}, "[enrolment] version: found 2"),
        ({"timezone": "Mars"}, {}, "[enrolment] timezone"),
        ({"counters": [0]}, {}, "[enrolment] counters"),
        ({"more": 1}, {}, "[enrolment] more: unknown key"),
        ({}, {"password": "short"}, "[secrets]: password: allowed: 16 to 64 letters"),
        ({}, {"password": PASSWORD + "\n"}, "[secrets]: password: allowed"),
        ({}, {"scan_key": "?"}, "[secrets]: scan_key: allowed: base64"),
        ({}, {"scan_key": "AAAA"}, "[secrets]: scan_key: allowed: 16 to 1024 bytes"),
        ({}, {"ca": "verborgen"}, "[secrets]: ca: there is no certificate in it"),
        ({}, {"ca": CA}, "[secrets]: ca: a certificate in it cannot be read"),
        ({}, {"ca": f"{CA}# and more"}, "[secrets]: ca: a cert"),
        ({}, {"more": "x"}, "[secrets] more: unknown key"),
    ],
)
def test_a_spoilt_file_is_refused_whole_and_no_secret_is_repeated(
    place: dict[str, Any], secrets: dict[str, Any], sentence: str, say: Say, tmp_path: Path
) -> None:
    path = spoilt(tmp_path, place, secrets)
    said = say("enroll", "--accept", str(path), "--config-dir", "etc")
    assert said.status == 78 and f"{path}: {sentence}" in said.err
    assert not any(str(value) in said.err for value in secrets.values() if len(str(value)) > 4)
    assert PASSWORD not in said.err and list((tmp_path / "etc").iterdir()) == []


def test_a_file_that_is_too_long_is_not_read(say: Say, tmp_path: Path) -> None:
    (tmp_path / "long.toml").write_bytes(b"#" * 300_000)
    said = say("enroll", "--accept", "long.toml", "--config-dir", "etc")
    assert said.status == 78 and "is longer than 256 KiB" in said.err


def test_the_secrets_are_not_shown_by_accident() -> None:
    secrets = enrolment.Secrets(password=PASSWORD)
    assert PASSWORD not in repr(secrets)
