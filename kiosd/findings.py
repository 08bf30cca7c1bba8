"""What a check found, and how it reads: a result, and for a failure its cause and remedy in plain words."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any, Literal

from kiosd.logs import clean

Verdict = Literal["ok", "note", "skipped", "failed"]
"""``note``: works, but somebody should know. ``skipped``: not tried, ``result`` says why."""
SIGNS: dict[Verdict, str] = {"ok": "ok", "note": "NOTE", "skipped": "-", "failed": "FAILED"}
INDENT = " " * 22


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

    def __str__(self) -> str:
        """For people: what was seen, and below it why and what to do."""
        lines = [f"{self.check:<14} {SIGNS[self.verdict]:<6} {clean(self.result)}"]
        lines += [f"{INDENT}{name}: {clean(words)}" for name, words in (("cause", self.cause), ("remedy", self.remedy)) if words]
        return "\n".join(lines)


def good(findings: Iterable[Finding]) -> bool:
    """Whether nothing failed."""
    return all(finding.verdict != "failed" for finding in findings)


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
