"""What a complete code is worth: its AIM identifier, and the pattern that a site allows. Pure.

Rule 1  A pattern must be quick for every code that a visitor can bring: no groups, and at most two repetitions of open length for each
        alternative, so that 512 characters cost at most 512 x 512 steps (Python's regular expressions go back and try again).
Rule 2  It holds for the whole code, after the AIM identifier was taken off.
"""

import re
from typing import Annotated

from pydantic import AfterValidator, Field, StringConstraints

from kiosd.ports import BadScan, DriverConfig, Scan
from kiosd_drivers._codes import whole

AIM = re.compile(r"\][A-Za-z][0-9A-Za-z]")
"""AIM symbology identifier (ISO/IEC 15424): flag, kind of code, modifier; ]C0 is Code 128, ]E0 EAN-13, ]Q1 a QR code."""
ATOMS = re.compile(r"\\.|\[\^?\]?(?:\\.|[^\]\\])*\]")
OPEN_ENDED = re.compile(r"[*+?]|\{\d*,\d*\}")
MOST_OPEN_ENDED = 2


def _quick(pattern: str) -> str:
    try:
        re.compile(pattern)
    except re.error as exc:
        raise ValueError(f"this is no regular expression: {exc}") from exc
    bare = ATOMS.sub("x", pattern)
    if "(" in bare:
        raise ValueError("groups are not possible here: write alternatives out, with | between them")
    if any(len(OPEN_ENDED.findall(way)) > MOST_OPEN_ENDED for way in bare.split("|")):
        raise ValueError(f"only {MOST_OPEN_ENDED} of * + ? {{m,n}} in one alternative, or some codes would take minutes; {{n}} is free")
    return pattern


Pattern = Annotated[str, StringConstraints(min_length=1, max_length=200), AfterValidator(_quick)]


class CodeRules(DriverConfig):
    """What the scanner drivers ask of a code. Reasons of a refused one: ``aim``, ``pattern``."""

    aim: bool = Field(
        default=False, description="The scanner sends an AIM identifier (]C0, ]Q1 ...) before each code: taken off; without one refused."
    )
    allow: Pattern | None = Field(default=None, description="Regular expression without groups that a whole code must fit: '[0-9]{6,20}'.")
    silence_ends: bool = Field(
        default=False, description="Silence of idle_s ends a code instead of discarding it: for a scanner that sends no end."
    )

    def judge(self, text: str, at: float) -> Scan | BadScan:
        """``text``, complete at ``at``, as a scan."""
        symbology = ""
        if self.aim:
            if AIM.match(text) is None:
                return BadScan("aim", at)
            symbology, text = text[:3], text[3:]
        found = whole(text, at, symbology)
        if isinstance(found, Scan) and self.allow is not None and re.fullmatch(self.allow, text) is None:
            return BadScan("pattern", at)
        return found
