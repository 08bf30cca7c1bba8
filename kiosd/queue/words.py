"""Numbers as words, Indonesian and English: a synthesiser is never handed digits (domain section 11). ASCII only."""

import re

from kiosd.queue.settings import Language

LARGEST = 999_999

_DIGITS: dict[Language, tuple[str, ...]] = {
    "id": ("nol", "satu", "dua", "tiga", "empat", "lima", "enam", "tujuh", "delapan", "sembilan"),
    "en": ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"),
}
_TEENS = ("ten", "eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen")
_TENS = ("", "", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
_SIZES = ((1000, "ribu"), (100, "ratus"), (10, "puluh"))
_NUMBER = re.compile(r"([A-Z]*)([0-9]+)")
_ANNOUNCEMENT: dict[Language, str] = {
    "id": "Nomor antrean, {number}. Silakan menuju loket {counter}.",
    "en": "Queue number, {number}. Please go to counter {counter}.",
}


def number_words(n: int, language: Language) -> str:
    """``n`` in words, 0 to ``LARGEST``: ``seratus sebelas``, ``one hundred and eleven``; no commas. ``ValueError`` outside."""
    if not 0 <= n <= LARGEST:
        raise ValueError(f"no words for {n}: numbers run from 0 to {LARGEST}")
    return _indonesian(n) if language == "id" else _english(n)


def spell(number: str, language: Language) -> str:
    """A ticket's number digit by digit, with a comma after the letter so that the voice pauses: ``D005`` -> ``D, nol nol lima``.

    ``ValueError`` when it is not capital letters (or none) and then digits.
    """
    match = _NUMBER.fullmatch(number)
    if match is None:
        raise ValueError(f"{number!r} is no ticket number")
    letter, digits = match.groups()
    spoken = " ".join(_DIGITS[language][int(digit)] for digit in digits)
    return f"{letter}, {spoken}" if letter else spoken


def announcement(number: str, counter: int, language: Language) -> str:
    """What the voice says when ``number`` is called to ``counter``: ``Nomor antrean, D, nol nol lima. Silakan menuju loket empat.``"""
    return _ANNOUNCEMENT[language].format(number=spell(number, language), counter=number_words(counter, language))


def _indonesian(n: int) -> str:
    if n < 10:
        return _DIGITS["id"][n]
    if 10 < n < 20:
        head, name, rest = n - 10, "belas", 0
    else:
        size, name = next(row for row in _SIZES if n >= row[0])
        head, rest = divmod(n, size)
    first = f"se{name}" if head == 1 else f"{_indonesian(head)} {name}"  # one is a prefix: sepuluh, sebelas, seratus, seribu
    return f"{first} {_indonesian(rest)}" if rest else first


def _english(n: int) -> str:
    if n < 20:
        return (_DIGITS["en"] + _TEENS)[n]
    if n < 100:
        ten, one = divmod(n, 10)
        return f"{_TENS[ten]}-{_DIGITS['en'][one]}" if one else _TENS[ten]
    size, name = (1000, "thousand") if n >= 1000 else (100, "hundred")
    head, rest = divmod(n, size)
    joint = " and " if 0 < rest < 100 else " "
    return f"{_english(head)} {name}" + (joint + _english(rest) if rest else "")
