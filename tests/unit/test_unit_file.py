"""The systemd unit and its companions say what the daemon needs."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from kiosd.errors import ConfigError

SYSTEMD = Path(__file__).parents[2] / "systemd"
Unit = dict[str, dict[str, list[str]]]


def parse(path: Path) -> Unit:
    """Sections of a unit file; a key may come more than once."""
    unit: Unit = {}
    section: dict[str, list[str]] = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        if line.startswith("["):
            section = unit.setdefault(line.strip("[]"), {})
        elif line and not line.startswith("#"):
            key, _, value = line.partition("=")
            section.setdefault(key, []).append(value)
    return unit


@pytest.fixture(scope="module")
def unit() -> Unit:
    return parse(SYSTEMD / "kiosd.service")


SERVICE = {
    "Type": "notify",
    "WatchdogSec": "30",
    "Restart": "always",
    "RestartSec": "2",
    "User": "kiosd",
    "SupplementaryGroups": "gpio dialout input lp audio spi",
    "RuntimeDirectory": "kiosd",
    "StateDirectory": "kiosd",
    "CacheDirectory": "kiosd",
    "WorkingDirectory": "%t/kiosd",
    "ExecStart": "/opt/kiosd/bin/kiosd run --config /etc/kiosd/kiosd.toml --state %S/kiosd",
    "NoNewPrivileges": "yes",
    "ProtectSystem": "strict",
    "ProtectHome": "yes",
    "PrivateTmp": "yes",
    "UMask": "0077",
}


def test_service(unit: Unit) -> None:
    assert {key: unit["Service"].get(key) for key in SERVICE} == {key: [value] for key, value in SERVICE.items()}


def test_a_wrong_configuration_is_not_restarted_but_everything_else_is_for_ever(unit: Unit) -> None:
    assert unit["Service"]["RestartPreventExitStatus"] == [str(ConfigError.exit_status)]
    assert unit["Unit"]["StartLimitIntervalSec"] == ["0"]


def test_environment(unit: Unit) -> None:
    environment = dict(value.split("=", 1) for value in unit["Service"]["Environment"])
    assert environment["GPIOZERO_PIN_FACTORY"] == "lgpio"
    assert environment["ESCPOS_CAPABILITIES_PICKLE_DIR"] == "%C/kiosd"
    assert environment["MALLOC_ARENA_MAX"] == "1"


def test_nothing_that_would_blind_the_daemon(unit: Unit) -> None:
    """Hardware section 6: these hide the clock's state, the board's model or the devices."""
    blinding = {"ProtectClock", "ProcSubset", "PrivateDevices", "BindsTo", "DevicePolicy"}
    assert not blinding & (unit["Service"].keys() | unit["Unit"].keys())
    assert "AF_NETLINK" in unit["Service"]["RestrictAddressFamilies"][0]
    assert "adjtimex" in unit["Service"]["SystemCallFilter"][-1].split()


def test_it_waits_for_no_network_and_no_device(unit: Unit) -> None:
    waits = " ".join(value for key in ("After", "Requires", "Wants") for value in unit["Unit"].get(key, []))
    assert not re.search(r"network|time-sync|\.device", waits)


def test_every_group_that_debian_lacks_is_made() -> None:
    made = re.findall(r"^([gu]) (\w+)", (SYSTEMD / "kiosd.sysusers").read_text(), re.MULTILINE)
    assert set(made) == {("g", "gpio"), ("g", "input"), ("g", "spi"), ("u", "kiosd")}


def test_udev_rules_are_well_formed_and_do_what_hardware_needs() -> None:
    text = (SYSTEMD / "60-kiosd.rules").read_text()
    rules = [line for line in text.splitlines() if line and not line.startswith("#")]
    part = r'[A-Z]+(\{[\w/]+\})?(==|!=|=|\+=)"[^"]*"'
    assert all(re.fullmatch(rf"{part}(, {part})*", rule) for rule in rules)
    assert any('KERNEL=="gpiochip*"' in rule and 'GROUP="gpio"' in rule for rule in rules)
    assert any('ENV{ID_MM_DEVICE_IGNORE}="1"' in rule for rule in rules)
    assert any('ATTR{power/control}="on"' in rule for rule in rules)


MOST_EXPOSED = 2.5
"""Of systemd's 10, for a service that may open devices and the network. Debian 12 and 13 rate it alike within 0.1."""


def _analyze() -> str:
    analyze = shutil.which("systemd-analyze")
    assert analyze, "systemd is needed to read the unit files: apt install systemd (make test does it)"
    return analyze


def test_a_daemon_that_was_taken_over_can_do_little() -> None:
    asked = [_analyze(), "security", "--offline=yes", f"--threshold={MOST_EXPOSED * 10:g}", str(SYSTEMD / "kiosd.service")]
    done = subprocess.run(asked, capture_output=True, text=True, check=False, timeout=30)
    assert done.returncode == 0, done.stdout[-300:] + done.stderr


def test_systemd_itself_accepts_the_files(tmp_path: Path) -> None:
    analyze, sysusers = _analyze(), shutil.which("systemd-sysusers")
    assert sysusers
    copy = tmp_path / "kiosd.service"
    text = (SYSTEMD / "kiosd.service").read_text()
    copy.write_text(text.replace("/opt/kiosd/bin/kiosd run", f"{shutil.which('true')} run"))
    done = subprocess.run([analyze, "verify", str(copy)], capture_output=True, text=True, check=False, timeout=30)
    assert (done.returncode, [line for line in done.stderr.splitlines() if "kiosd" in line]) == (0, [])
    (tmp_path / "etc").mkdir()
    asked = [sysusers, f"--root={tmp_path}", str(SYSTEMD / "kiosd.sysusers")]
    done = subprocess.run(asked, capture_output=True, text=True, check=False, timeout=30)
    assert done.returncode == 0, done.stderr
    assert re.search(r"^kiosd:.*:/var/lib/kiosd:/usr/sbin/nologin$", (tmp_path / "etc/passwd").read_text(), re.MULTILINE)
