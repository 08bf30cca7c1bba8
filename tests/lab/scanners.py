"""Scanners: what they type reaches kiosd and nobody else, none is lost, and they come and go."""

from lab.kiosk import Kiosk

SCANS = 20
SYSRQ_H = "0400460b00000000"
"""Left Alt, Print Screen and H: the kernel would print its help (Documentation/admin-guide/sysrq.rst)."""


def _scans(kiosk: Kiosk) -> list[str]:
    """Kinds of the scan events since the last look."""
    new = [one for one in kiosk.events() if int(one["sequence"]) > kiosk.seen]
    return [one["type"] for one in new if one["type"].startswith("kiosd.scan.")]


def _screen(kiosk: Kiosk) -> str:
    """What stands on the first console."""
    return kiosk.machine.run("tr -d '\\000' < /dev/vcs1")


def _helped(kiosk: Kiosk) -> int:
    return kiosk.machine.run("dmesg").count("sysrq: HELP")


def keyboard(kiosk: Kiosk) -> str:
    """A scanner that types: grabbed, so that neither the console nor the kernel's keys see it; 20 codes without a pause arrive."""
    lab = kiosk.machine
    kiosk.device("hid", "up")
    lab.run("echo 1 > /proc/sys/kernel/sysrq; systemctl restart getty@tty1")
    lab.until("a login prompt", lambda: "login:" in _screen(kiosk))
    kiosk.look()
    lab.devices("type", "hid", *(f"CARD-{number:04}" for number in range(SCANS)))
    lab.until(f"{SCANS} scans", lambda: len(_scans(kiosk)) >= SCANS)
    kinds = set(_scans(kiosk))
    assert "kiosd.scan.rejected.v1" not in kinds, kinds
    lab.devices("keys", "hid", SYSRQ_H)
    kiosk.event("scan.rejected")
    assert "card" not in _screen(kiosk).lower() and not _helped(kiosk), "the console saw what was scanned"
    other = _stranger(kiosk)
    return f"{SCANS} scans without a pause arrived; nothing of them on tty1, Alt-SysRq-H ignored. {other}"


def _stranger(kiosk: Kiosk) -> str:
    """Somebody's keyboard is not ours: it types at the console, and its SysRq works, so the checks above can fail."""
    lab = kiosk.machine
    lab.devices("plug", "stranger")
    lab.until("the keyboard's far end", lambda: lab.run("ls /dev/hidg1 2>/dev/null || true").strip())
    kiosk.look()
    before = _helped(kiosk)
    lab.run("systemctl restart getty@tty1")
    lab.until("a login prompt", lambda: "login:" in _screen(kiosk))
    lab.until("its keys on the console", lambda: lab.devices("type", "stranger", "guest") or "guest" in _screen(kiosk))
    lab.devices("keys", "stranger", SYSRQ_H)
    lab.until("the kernel's help", lambda: _helped(kiosk) > before)
    assert not _scans(kiosk), "a keyboard that nobody named was read"
    lab.devices("unplug", "stranger")
    return "Another keyboard was left alone: its keys are on tty1, its SysRq works"


def comes_and_goes(kiosk: Kiosk) -> str:
    """Both kinds of scanner, pulled out and put back under the running service; each is used again as soon as udev has named it."""
    lab = kiosk.machine
    lab.run("stty -F /dev/ttyGS0 raw -echo")
    for name in ("hid", "acm"):
        kiosk.device(name, "up")
        _scan(kiosk, name)
        lab.devices("unplug", name)
        kiosk.device(name, "down")
        lab.devices("plug", name)
        kiosk.device(name, "up")
        _scan(kiosk, name)
    return "keyboard and CDC-ACM scanners: scanned, unplugged, noticed, plugged in, scanned"


def _scan(kiosk: Kiosk, name: str) -> None:
    lab = kiosk.machine
    kiosk.look()
    if name == "hid":
        lab.until("the scanner's far end", lambda: lab.run("ls /dev/hidg0 2>/dev/null || true").strip())
        lab.devices("type", "hid", "CARD-7")
    else:
        lab.run("stty -F /dev/ttyGS0 raw -echo; printf 'CARD-7\\r' > /dev/ttyGS0")
    lab.until(f"a scan of {name}", lambda: _scans(kiosk))
