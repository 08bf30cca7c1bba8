"""What a check found: a result, and for a failure its cause and remedy in plain words."""

from dataclasses import asdict, dataclass
from typing import Any, Literal

Verdict = Literal["ok", "note", "skipped", "failed"]
"""``note``: works, but somebody should know. ``skipped``: not tried, ``result`` says why."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One check. ``result`` is what was seen; only a failure has a ``cause`` and a ``remedy``, a note may."""

    check: str
    verdict: Verdict
    result: str
    cause: str = ""
    remedy: str = ""

    def facts(self) -> dict[str, Any]:
        """For programs."""
        return asdict(self)


def ok(check: str, result: str) -> Finding:
    """It works."""
    return Finding(check, "ok", result)


def note(check: str, result: str, cause: str = "", remedy: str = "") -> Finding:
    """It works, but somebody should know."""
    return Finding(check, "note", result, cause, remedy)


def skipped(check: str, why: str) -> Finding:
    """It was not tried."""
    return Finding(check, "skipped", why)


def failed(check: str, result: str, cause: str, remedy: str) -> Finding:
    """It does not work."""
    return Finding(check, "failed", result, cause, remedy)
