"""Identity numbers as people and cards carry them, and the search for them in whatever left a kiosk (domain section 9)."""

import io
import json
import random
import re
import unicodedata
from collections.abc import Iterable

from pypdf import PdfReader
from stdnum.id import nik  # the oracle for what is such a number

DISTRICTS = ("110101", "320115", "317101", "357801", "640201", "940101")
RUN = re.compile(r"\d{16,}")
GROUPED = re.compile(r"\d(?:[ .\-]?\d){15,}")
WIDE = str.maketrans("0123456789", "".join(chr(0xFF10 + digit) for digit in range(10)))


def numbers(count: int, seed: int = 16) -> list[str]:
    """Different valid identity numbers: district, day of birth (women's 40 higher), month, year, and a number of that day."""
    dice = random.Random(seed)
    found: set[str] = set()
    while len(found) < count:
        district, day, month = dice.choice(DISTRICTS), dice.randint(1, 28) + dice.choice((0, 40)), dice.randint(1, 12)
        one = f"{district}{day:02d}{month:02d}{dice.randint(50, 99)}{dice.randint(1, 9999):04d}"
        assert nik.is_valid(one), one
        found.add(one)
    return sorted(found)


def grouped(number: str, *sizes: int, by: str = " ") -> str:
    """``number`` in groups of these sizes."""
    ends = [sum(sizes[:n]) for n in range(len(sizes) + 1)]
    return by.join(number[begin:end] for begin, end in zip(ends, [*ends[1:], None], strict=True) if number[begin:end])


def on_a_card(number: str) -> list[str]:
    """What a scanner may send for a card with this number: bare, grouped, in other formats, with a symbology prefix (AIM)."""
    return [
        number, f"]Q3{number}", f"]C1{number}\x1dA", f"]d2(21){number}", grouped(number, 4, 4, 4), grouped(number, 6, 6, by="."),
        grouped(number, 6, 6, by="-"), grouped(number, 8, by="/"), f"https://siapkerja.example/id?nik={number}&v=2",
        json.dumps({"nik": number, "nama": "CONTOH"}), f"NIK:{number};NAMA:CONTOH", f"{number}|CONTOH|L", number[::-1], number * 2,
        number.translate(WIDE), f"{number}{'9' * 600}",
    ]  # fmt: skip


def in_words(number: str) -> list[str]:
    """What people may write into a remark."""
    return [
        number, f"NIK {number} hilang", f"nik{number}x",
        grouped(number, 4, 4, 4), grouped(number, 6, 6, by="."), grouped(number, 6, 6, by="-"),
        f"{number} {number}", f"{number}99", grouped(number, 1, 1, 1), number.translate(WIDE), f"bawa KTP:{number}, KK:{number[::-1]}.",
    ]  # fmt: skip


def _digits(text: str) -> str:
    return "".join(str(unicodedata.digit(char)) for char in text if char.isdigit())


def leaks(output: bytes, known: Iterable[str]) -> list[str]:
    """Runs of 16 digits in ``output``, and known numbers in groups."""
    text = pdf_text(output) if output.startswith(b"%PDF") else output.decode("utf-8", "replace")
    wanted = {form for number in known for form in (number, number[::-1])}
    in_groups = [match[0] for match in GROUPED.finditer(text) if any(form in _digits(match[0]) for form in wanted)]
    return RUN.findall(text) + in_groups + [form for form in wanted if form.encode() in output]


def pdf_text(document: bytes) -> str:
    """What is written on the pages and about the document."""
    pdf = PdfReader(io.BytesIO(document))
    return "\n".join([*(page.extract_text() for page in pdf.pages), *map(str, (pdf.metadata or {}).values())])
