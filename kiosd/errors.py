"""Every error kiosd raises on purpose, by the reaction it needs.

KiosdError
 +-- ConfigError      the file is wrong: say file, key and reason; exit 78, which systemd does not restart
 +-- JournalError     SQLite or fsync failed: fatal; leave, be restarted, verify; never retry
 +-- DeviceError      this device is not working: its supervisor reopens it, the rest goes on
 +-- QueueError
      +-- Refused     the queue understood and said no: show it to the person
      +-- Unavailable the queue could not be asked in time: say so, invent nothing
"""

from collections.abc import Mapping


class KiosdError(Exception):
    """Base of all errors kiosd raises on purpose."""


class ConfigError(KiosdError, ValueError):
    """The configuration is wrong.

    Example scenarios: an unknown key, a pin used twice, a service that the kiosk type does not have.
    """

    exit_status = 78  # EX_CONFIG of sysexits.h


class JournalError(KiosdError, OSError):
    """The journal could not be read or written; what is on disk is the truth and must be read anew.

    Example scenarios: disk full, an fsync that failed, a broken hash chain, a second daemon on the same state directory.
    """

    exit_status = 74  # EX_IOERR of sysexits.h


class DeviceError(KiosdError, OSError):
    """A device is not working.

    Example scenarios: printer unplugged, serial port gone, a write that did not end before its deadline.
    """

    def __init__(self, message: str, code: str = "io") -> None:
        """``code`` is a short machine word (``absent``, ``timeout``, ``paper_out``, ``io`` ...) for events and ``status``."""
        super().__init__(message)
        self.code = code


class QueueError(KiosdError):
    """A command did not happen."""


class Refused(QueueError):
    """The queue understood the command and said no; ``facts`` fill the sentence that ``code`` stands for.

    Example scenarios: nobody is waiting, the counter is closed, the ticket is in another state, the service is closed now.
    """

    def __init__(self, code: str, facts: Mapping[str, object] | None = None) -> None:
        super().__init__(code)
        self.code = code
        self.facts = dict(facts or {})


class Unavailable(QueueError, TimeoutError):
    """The queue could not be asked in time; whether the command happened is unknown until the same id is asked again.

    Example scenarios: the daemon is not running, the control socket is gone, the hub does not answer.
    """
