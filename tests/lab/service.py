"""kiosd under systemd as PID 1: the watchdog, a kill, a wrong configuration; numbers go on."""

from lab.kiosk import Kiosk

MOST_EXPOSED = 2.5  # of 10; as tests/unit/test_unit_file.py
CONFIG = "/etc/kiosd/kiosd.toml"


def _show(kiosk: Kiosk, name: str) -> str:
    return kiosk.machine.run(f"systemctl show -P {name} kiosd").strip()


def _restarted(kiosk: Kiosk, before: int, count: int) -> None:
    kiosk.machine.until(
        "kiosd to be back", lambda: int(_show(kiosk, "NRestarts")) > count and kiosk.pid() not in {0, before} and _active(kiosk), 180
    )


def _active(kiosk: Kiosk) -> bool:
    return _show(kiosk, "ActiveState") == "active"


def _number(kiosk: Kiosk) -> int:
    """The number of a ticket that is issued now."""
    kiosk.look()
    kiosk.machine.run("runuser -u kiosd -- /opt/kiosd/bin/kiosd issue G --state /var/lib/kiosd", 90)
    return int(kiosk.event("ticket.issued")["subject"][1:])


def systemd(kiosk: Kiosk) -> str:
    """A daemon that hangs is killed by the watchdog and started again; so is one that was killed; a wrong configuration is not retried."""
    lab = kiosk.machine
    assert _show(kiosk, "Type") == "notify" and _active(kiosk)
    first = _number(kiosk)
    for how in ("STOP", "KILL"):
        pid, count = kiosk.pid(), int(_show(kiosk, "NRestarts"))
        lab.run(f"kill -{how} {pid}")
        _restarted(kiosk, pid, count)
    assert "Watchdog timeout" in lab.run("journalctl -q -u kiosd -o cat --no-pager"), "nothing of a watchdog in the log"
    second = _number(kiosk)
    assert second == first + 1, (first, second)
    wrong = _wrong_configuration(kiosk)
    return f"hung: watchdog, killed: restart, G{second:03} follows G{first:03}; {wrong}; {_figures(kiosk)}"


def _figures(kiosk: Kiosk) -> str:
    """What a shipped daemon is like here: who may look into its state, how exposed it is, how long it starts, how much it needs."""
    lab = kiosk.machine
    owner = lab.run("stat -c '%U %a' /var/lib/kiosd").strip()
    assert owner == "kiosd 700", owner
    rated = lab.run("systemd-analyze security kiosd.service --no-pager | tail -1").partition("kiosd.service:")[2].split()[:2]
    assert float(rated[0]) <= MOST_EXPOSED, rated
    began, ready = (int(_show(kiosk, name)) / 1e6 for name in ("ExecMainStartTimestampMonotonic", "ActiveEnterTimestampMonotonic"))
    resident = int(lab.run(f"awk '/^VmRSS/ {{ print $2 }}' /proc/{kiosk.pid()}/status")) / 1024
    return f"state of {owner}; exposure {' '.join(rated)}; ready {ready - began:.1f} s after its start, {resident:.0f} MiB resident"


def _wrong_configuration(kiosk: Kiosk) -> str:
    lab = kiosk.machine
    lab.run(f"cp {CONFIG} /run/good.toml; sed -i 's/^type = 4/type = 9/' {CONFIG}; systemctl restart kiosd || true", 120)
    lab.until("kiosd to give up", lambda: _show(kiosk, "ActiveState") == "failed")
    assert _show(kiosk, "ExecMainStatus") == "78", _show(kiosk, "ExecMainStatus")
    lab.run(f"cat /run/good.toml > {CONFIG}; systemctl restart kiosd", 120)
    assert _active(kiosk)
    return "a wrong configuration ends it with status 78, once"
