"""Logging to standard error: with priorities when journald reads it, as plain lines when a person does.

Rule 1  One record is one line. Control characters are written as escapes, so no text from outside can begin a line of its own.
Rule 2  No line holds an identity number (domain section 9).
"""

import logging
import os
import sys
from typing import Any, TextIO

from kiosd.redact import redact

PRIORITIES = ((logging.CRITICAL, 2), (logging.ERROR, 3), (logging.WARNING, 4), (logging.INFO, 6), (logging.NOTSET, 7))
"""Lowest logging level of each syslog priority (sd-daemon(3))."""
OURS = ("kiosd", "kiosd_drivers", "kiosd_sim")
"""Loggers that get the configured level; libraries speak from WARNING on, for their debug output repeats what they carry."""


def clean(text: str) -> str:
    """``text`` as one printable line without identity numbers."""
    line = "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)
    return redact(line)  # last, for an escape ends in digits too


class OneLine(logging.Formatter):
    """A record as one clean line; ``journald`` puts the priority in front, as journald expects on a stream."""

    def __init__(self, journald: bool) -> None:
        shape = "%(name)s: %(message)s" if journald else "%(asctime)s %(levelname)-7s %(name)s: %(message)s"
        super().__init__(shape, datefmt="%H:%M:%S")
        self._journald = journald

    def formatException(self, ei: Any) -> str:  # noqa: N802 - the name is logging's
        """The traceback on one line: its lines joined by a bar."""
        return " | ".join(line.strip() for line in super().formatException(ei).splitlines())

    def format(self, record: logging.LogRecord) -> str:
        line = clean(super().format(record))
        if not self._journald:
            return line
        priority = next(number for level, number in PRIORITIES if record.levelno >= level)
        return f"<{priority}>{line}"


class StderrHandler(logging.StreamHandler[TextIO]):
    """Writes to standard error. A record that cannot be formatted is named, never dumped: its arguments may be personal."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - the name is logging's
        error = type(sys.exc_info()[1]).__name__
        place = f"{record.name} ({record.filename}:{record.lineno})"
        try:
            self.stream.write(clean(f"a log record of {place} could not be written: {error}") + self.terminator)
        except (OSError, ValueError):
            return  # standard error is gone: there is nobody left to tell


def journald_reads(stream: TextIO) -> bool:
    """Whether ``stream`` is the one systemd connected to the journal: JOURNAL_STREAM names its device and inode (systemd.exec(5))."""
    try:
        stat = os.fstat(stream.fileno())
    except (OSError, ValueError):
        return False
    return os.environ.get("JOURNAL_STREAM") == f"{stat.st_dev}:{stat.st_ino}"


def setup(level: str = "info") -> None:
    """Send all logging to standard error; ``level``: debug, info, warning or error. Calling it again changes the level."""
    root = logging.getLogger()
    for old in [handler for handler in root.handlers if isinstance(handler, StderrHandler)]:
        root.removeHandler(old)
    handler = StderrHandler(sys.stderr)
    handler.setFormatter(OneLine(journald_reads(sys.stderr)))
    root.addHandler(handler)
    root.setLevel(logging.WARNING)
    for name in OURS:
        logging.getLogger(name).setLevel(level.upper())
    logging.captureWarnings(True)
