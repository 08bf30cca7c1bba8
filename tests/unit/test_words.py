"""Words for the voice and the official date and time, against num2words and Babel (domain section 11)."""

from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from babel.dates import format_date, format_time, get_timezone_name
from num2words import num2words  # type: ignore[import-untyped]  # the library has no types

from kiosd.queue.model import ticket_number
from kiosd.queue.settings import ZONE_SHORT, Language
from kiosd.queue.texts import official_date, official_time
from kiosd.queue.words import LARGEST, announcement, number_words, spell

LANGUAGES: tuple[Language, ...] = ("id", "en")
CLDR: dict[Language, str] = {"id": "id", "en": "en_GB"}
"""English is the British form: the day before the month, as in Indonesian."""
DAYS = [date(2026, 1, 1) + timedelta(days=n) for n in range(365 + 365)]
DIGIT_WORDS: dict[Language, str] = {
    "id": "nol satu dua tiga empat lima enam tujuh delapan sembilan",
    "en": "zero one two three four five six seven eight nine",
}


def oracle(n: int, language: Language) -> str:
    """num2words without its commas: "one thousand, one hundred" makes a voice pause in the middle of a number."""
    return str(num2words(n, lang=language)).replace(",", "")


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_number_to_9999_is_said_as_num2words_says_it(language: Language) -> None:
    for n in range(10_000):
        assert number_words(n, language) == oracle(n, language)


@pytest.mark.parametrize("language", LANGUAGES)
def test_larger_numbers_too(language: Language) -> None:
    for n in [*range(10_000, LARGEST, 997), 10_000, 11_011, 100_000, 100_001, 101_101, 200_020, LARGEST]:
        assert number_words(n, language) == oracle(n, language)


@pytest.mark.parametrize("n", [-1, LARGEST + 1])
def test_a_number_without_words_is_an_error(n: int) -> None:
    with pytest.raises(ValueError, match="no words"):
        number_words(n, "id")


@pytest.mark.parametrize(
    ("number", "indonesian", "english"),
    [
        ("D005", "D, nol nol lima", "D, zero zero five"),
        ("A1000", "A, satu nol nol nol", "A, one zero zero zero"),
        ("010", "nol satu nol", "zero one zero"),
        ("100", "satu nol nol", "one zero zero"),
    ],
)
def test_a_ticket_is_spelled(number: str, indonesian: str, english: str) -> None:
    assert spell(number, "id") == indonesian
    assert spell(number, "en") == english


@pytest.mark.parametrize("language", LANGUAGES)
def test_spelling_loses_nothing_and_holds_no_digit(language: Language) -> None:
    words = DIGIT_WORDS[language].split()
    for n in range(1, 1100):
        number = ticket_number("K", n)
        letter, _, said = spell(number, language).partition(", ")
        assert letter + "".join(str(words.index(word)) for word in said.split()) == number


@pytest.mark.parametrize("number", ["", "D", "D-005", "d005", "5D", "D005\n", "D\u0661\u0662", "D005 "])
def test_what_is_no_ticket_number_is_not_spoken(number: str) -> None:
    with pytest.raises(ValueError, match="no ticket number"):
        spell(number, "id")


def test_a_call_is_announced() -> None:
    assert announcement("D005", 4, "id") == "Nomor antrean, D, nol nol lima. Silakan menuju loket empat."
    assert announcement("D005", 4, "en") == "Queue number, D, zero zero five. Please go to counter four."
    assert announcement("A1000", 12, "id") == "Nomor antrean, A, satu nol nol nol. Silakan menuju loket dua belas."


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_synthesiser_gets_no_digit_and_only_ascii(language: Language) -> None:
    for counter in range(1, 100):
        said = announcement(ticket_number("B", 7 * counter), counter, language)
        assert said.isascii() and not any(char.isdigit() for char in said)


@pytest.mark.parametrize("language", LANGUAGES)
def test_dates_have_the_names_of_cldr(language: Language) -> None:
    for day in DAYS:
        assert official_date(day, language) == format_date(day, "EEEE, d MMMM y", locale=CLDR[language])


@pytest.mark.parametrize("language", LANGUAGES)
def test_dates_are_the_full_form_of_cldr_but_for_a_leading_zero(language: Language) -> None:
    """CLDR's Indonesian writes "01 Juli", official letters "1 Juli". The British comma came and went with CLDR's editions."""
    for day in DAYS:
        cldr = format_date(day, "full", locale=CLDR[language]).replace(" 0", " ")
        assert official_date(day, language).replace(",", "") == cldr.replace(",", "")


@pytest.mark.parametrize("zone", ZONE_SHORT)
def test_times_are_the_short_form_of_cldr_and_the_name_of_the_zone(zone: str) -> None:
    """On purpose the dot and the Indonesian name of the zone in English too: 08.05 WIB, where CLDR's English has 08:05 and +0700."""
    midnight = datetime(2026, 7, 1, tzinfo=ZoneInfo(zone))
    name = get_timezone_name(midnight, "short", locale="id")
    for minute in range(24 * 60):
        local = midnight + timedelta(minutes=minute)
        assert official_time(local, zone) == f"{format_time(local.time(), 'short', locale='id')} {name}"


def test_the_worked_date_and_time() -> None:
    local = datetime(2026, 7, 1, 8, 5, tzinfo=ZoneInfo("Asia/Jakarta"))
    assert official_date(local.date(), "id") == "Rabu, 1 Juli 2026"
    assert official_time(local, "Asia/Jakarta") == "08.05 WIB"
