"""Identity numbers never leave: a run of 16 digits is an Indonesian identity number (NIK), whoever typed it (domain section 9)."""

import re

IDENTITY = re.compile(r"\d(?:[ .\-]?\d){15,}")
"""16 digits or more in a row, also when grouped by single spaces, dots or dashes."""
PLAIN = re.compile(r"\d{16}")
"""16 digits in a row: for machine words, where dashes belong (a UUID may be all digits)."""
REDACTED = "[angka dihapus]"


def redact(text: str) -> str:
    """``text`` with every run of 16 or more digits replaced."""
    return IDENTITY.sub(REDACTED, text)
