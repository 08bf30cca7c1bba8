"""Identity numbers never leave: a run of 16 digits is an Indonesian identity number (NIK), whoever typed it (domain section 9)."""

import re

IDENTITY = re.compile(r"\d(?:[ .\-]?\d){15,}")
"""16 digits or more in a row, also when grouped by single spaces, dots or dashes."""
PLAIN = re.compile(r"\d{16}")
"""16 digits in a row: for machine words, where dashes belong (a UUID may be all digits)."""
REDACTED = "[angka dihapus]"


def groups(digits: str) -> str:
    """Hexadecimal ``digits`` in groups of eight, so that 16 decimal ones never stand in a row."""
    return "-".join(digits[at : at + 8] for at in range(0, len(digits), 8))


def redact(text: str) -> str:
    """``text`` with every run of 16 or more digits replaced."""
    return IDENTITY.sub(REDACTED, text)
