"""Tell systemd how the daemon is: sd_notify(3) and sd_watchdog_enabled(3), without a library."""

import logging
import os
import socket
from collections.abc import Mapping

from kiosd.threads import VITAL

log = logging.getLogger(__name__)

SEND_TIMEOUT_S = 1.0  # systemd reads at once; a hung one must not hold the event loop


def notify(*assignments: str) -> bool:
    """Send ``READY=1``, ``STATUS=...``, ``WATCHDOG=1``, ``STOPPING=1``; False when nobody listens or it could not be sent.

    A line break inside an assignment would begin another one, so it becomes a space.
    """
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address:
        return False
    message = "\n".join(" ".join(line.splitlines()) for line in assignments)
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sock:
            sock.settimeout(SEND_TIMEOUT_S)
            sock.connect("\0" + address[1:] if address.startswith("@") else address)
            sock.sendall(message.encode())
    except OSError as exc:
        log.warning("systemd could not be told %r: %s", message, exc)
        return False
    return True


def feed(now: float) -> None:
    """``WATCHDOG=1``, unless a vital thread is dead for good: then only a new process helps, and systemd starts it. ``now`` as for it."""
    if dead := VITAL.dead(now):
        log.critical("%s is dead, so systemd's watchdog gets no sign of life", ", ".join(dead))
    else:
        notify("WATCHDOG=1")


def watchdog_interval(environ: Mapping[str, str] | None = None, pid: int | None = None) -> float | None:
    """Seconds between two ``WATCHDOG=1``: a third of the unit's ``WatchdogSec``; None when systemd does not watch this process."""
    environ = os.environ if environ is None else environ
    pid = os.getpid() if pid is None else pid
    microseconds = environ.get("WATCHDOG_USEC", "")
    if not (microseconds.isascii() and microseconds.isdigit()) or int(microseconds) == 0:
        return None
    if environ.get("WATCHDOG_PID", str(pid)) != str(pid):
        return None
    return int(microseconds) / 3_000_000
