"""Run a command that ends when its parent does, however that ends: ``python leash.py PARENT COMMAND...``. Imports nothing heavy.

The kernel clears the wish when a program changes its user, so what runs on this leash must not (mosquitto as root: ``user root``).
"""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1  # linux/prctl.h
NOT_FOUND = 127  # what a shell says


def main(parent: int, command: list[str]) -> int:
    """Become ``command``, with SIGTERM to come when process ``parent`` is gone."""
    if ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0) != 0 or os.getppid() != parent:
        return 1  # it died before we asked
    try:
        os.execvp(command[0], command)  # noqa: S606 - no shell is wanted
    except OSError as exc:
        print(f"{command[0]}: {exc.strerror}", file=sys.stderr)
    return NOT_FOUND


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), sys.argv[2:]))
