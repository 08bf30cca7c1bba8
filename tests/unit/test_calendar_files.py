"""The calendar files: what config/calendar holds is right, and what is wrong with a file is told with its path and key."""

import hashlib
import json
from datetime import date, timedelta
from pathlib import Path

import holidays
import pytest

from kiosd.config import Settings, load
from kiosd.errors import ConfigError
from kiosd.queue.hours import days, plan
from support.small_config import SMALL, errors

CONFIG = Path(__file__).parents[2] / "config"
FILE = 'year = 2026\nname = "Contoh"\nclosed = [{ date = 2026-01-01, name = "Tahun Baru" }]\n'


@pytest.fixture(scope="module")
def preset() -> Settings:
    return load(CONFIG / "tipe-1.toml")


# ---- what is shipped ------------------------------------------------------------------------------------------------------------------


def shipped(preset: Settings, year: int, *kinds: str) -> list[date]:
    return sorted(entry.date for entry in preset.calendar.years[year].closed if entry.kind in kinds)


@pytest.mark.parametrize(("year", "public", "leave", "working"), [(2026, 17, 8, 240), (2027, 18, 8, 242)])
def test_counts_of_the_decrees(preset: Settings, year: int, public: int, leave: int, working: int) -> None:
    assert len(shipped(preset, year, "holiday")) == public
    assert len(shipped(preset, year, "collective_leave")) == leave
    assert len(list(days(preset.queue, date(year, 1, 1), date(year, 12, 31)))) == working
    assert not preset.calendar.years[year].special


@pytest.mark.parametrize("year", [2026, 2027])
@pytest.mark.parametrize(("kind", "category"), [("holiday", "public"), ("collective_leave", "government")])
def test_the_holidays_library_agrees(preset: Settings, year: int, kind: str, category: str) -> None:
    assert shipped(preset, year, kind) == sorted(holidays.country_holidays("ID", years=year, categories=category))


@pytest.mark.parametrize("year", [2026, 2027])
def test_closed_dates_have_names_that_every_printer_prints(preset: Settings, year: int) -> None:
    for entry in preset.calendar.years[year].closed:
        assert entry.name.isascii() and len(entry.name) <= 60
        assert entry.name.startswith("Cuti bersama") == (entry.kind == "collective_leave")
        assert plan(preset.queue, entry.date).name == entry.name


def test_the_weekdays_of_2027_that_the_decree_names(preset: Settings) -> None:
    """A date that slipped by one would fall on another weekday."""
    found = {entry.date.isoformat(): f"{entry.date:%a}" for entry in preset.calendar.years[2027].closed}
    decree = {"2027-02-06": "Sat", "2027-03-08": "Mon", "2027-03-26": "Fri", "2027-05-06": "Thu", "2027-05-20": "Thu", "2027-12-24": "Fri"}
    assert decree.items() <= found.items()


def test_the_ramadan_hours_that_a_preset_offers_work(tmp_path: Path) -> None:
    text = (CONFIG / "tipe-1.toml").read_text()
    begin, end = text.index("# [[hours.special]]"), text.index("# [rules] has")
    offered = "\n".join(line.removeprefix("#").strip() for line in text[begin:end].splitlines())
    (tmp_path / "calendar").symlink_to(CONFIG / "calendar")
    (tmp_path / "kiosd.toml").write_text(text[:begin] + offered + "\n" + text[end:])
    it = load(tmp_path / "kiosd.toml").queue
    range_ = [date(2026, 2, 18) + timedelta(days=n) for n in range(30)]
    hours = {(day.weekday(), " ".join(map(str, plan(it, day).sessions))) for day in range_ if plan(it, day).sessions}
    assert hours == {(n, "08:00-12:00 12:30-15:00") for n in range(4)} | {(4, "08:00-11:30 12:30-15:30")}
    assert [plan(it, date(2026, 3, n)).holiday for n in (17, 18, 19)] == [False, True, True], "holidays in Ramadan stay holidays"
    assert plan(it, date(2026, 12, 24)).sessions and not plan(it, date(2026, 9, 10)).sessions


# ---- reading --------------------------------------------------------------------------------------------------------------------------


def write(folder: Path, *files: tuple[str, str]) -> Path:
    """A small configuration that names ``files``, and them."""
    for name, content in files:
        (folder / name).write_text(content)
    (folder / "kiosd.toml").write_text(named(*(name for name, _ in files)))
    return folder / "kiosd.toml"


def named(*names: str) -> str:
    return f"[hours]\ncalendars = {json.dumps(names)}\n{SMALL}"


def test_files_are_read_from_the_folder_of_the_configuration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path, ("a.toml", FILE), ("b.toml", 'year = 2027\nname = "Contoh"\n'))
    monkeypatch.chdir("/")
    it = load(path)
    assert sorted(it.calendar.years) == [2026, 2027] and it.queue.calendar is it.calendar
    assert plan(it.queue, date(2026, 1, 1)).name == "Tahun Baru"


def test_without_calendars_nothing_is_missing(tmp_path: Path) -> None:
    (tmp_path / "kiosd.toml").write_text(SMALL)
    it = load(tmp_path / "kiosd.toml")
    assert not it.calendar.years and it.hash == hashlib.sha256(SMALL.encode()).hexdigest()[:12]


def test_a_changed_calendar_is_another_configuration(tmp_path: Path) -> None:
    path = write(tmp_path, ("a.toml", FILE))
    before = load(path).hash
    (tmp_path / "a.toml").write_text(FILE + "# changed\n")
    assert load(path).hash != before
    (tmp_path / "a.toml").write_text(FILE)
    assert load(path).hash == before


INSIDE: dict[str, tuple[str, str]] = {
    "no year": ('name = "x"\n', "year: missing; this key must be given"),
    "year as text": ('year = "2026"\nname = "x"\n', "year: found '2026'; allowed: a whole number"),
    "year of long ago": ('year = 26\nname = "x"\n', "year: found 26; allowed: 2000 or more"),
    "date in quotes": (
        FILE.replace("2026-01-01", '"2026-01-01"'),
        "closed, item 1.date: found '2026-01-01'; allowed: a date without quotes, ",
    ),
    "date with a time": (
        FILE.replace("2026-01-01", "2026-01-01T00:00:00"),
        "closed, item 1.date: found 2026-01-01 00:00:00; allowed: a date",
    ),
    "name forgotten": (FILE.replace(', name = "Tahun Baru"', ""), "closed, item 1.name: missing; this key must be given"),
    "misspelt key": (
        FILE.replace('name = "T', 'nama = "T'),
        "closed, item 1.nama: unknown key; did you mean 'name'? known: date,",
    ),
    "misspelt table": (FILE.replace("closed", "closd"), "closd: unknown key; did you mean 'closed'? known: closed, special, year, name"),
    "kind": (FILE.replace(" }]", ', kind = "x" }]'), "closed, item 1.kind: found 'x'; allowed: 'holiday', 'collective_leave' or 'local'"),
    "closed is a table": ('year = 2026\nname = "x"\n[closed]\n', "closed: found a table; allowed: a list in brackets"),
    "another year": (FILE.replace("2026-01-01", "2025-12-31"), "2025-12-31 ('Tahun Baru') is not in 2026, the year of this file"),
    "control character": (
        FILE.replace("Tahun", "\\u001b"),
        r"closed, item 1.name: found '\x1b Baru'; text may not contain",
    ),
    "range": (
        'year = 2026\nname = "x"\n[[special]]\nfrom = 2026-02-02\nto = 2026-02-01\nname = "R"\nevery = []\n',
        "special, item 1: 'to' (2026-02-01) is before 'from' (2026-02-02)",
    ),
    "range without begin": (
        'year = 2026\nname = "x"\n[[special]]\nto = 2026-02-01\nname = "R"\nevery = []\n',
        "special, item 1.from: missing; this key must be given",
    ),
    "session": (
        'year = 2026\nname = "x"\n[[special]]\nfrom = 2026-02-01\nto = 2026-02-01\nname = "R"\nevery = ["8-12"]\n',
        "special, item 1.every, item 1: found '8-12'; a session is written",
    ),
}


@pytest.mark.parametrize("case", INSIDE)
def test_what_is_wrong_in_a_file_is_told_by_its_path_and_key(tmp_path: Path, case: str) -> None:
    content, expected = INSIDE[case]
    write(tmp_path, ("a.toml", content))
    with pytest.raises(ConfigError) as caught:
        load(tmp_path / "kiosd.toml")
    place = f"{tmp_path / 'a.toml'}: "
    lines = str(caught.value).split("\n")
    assert any(line.startswith(place + expected) for line in lines), lines
    assert all(line.startswith(place) and line.isprintable() for line in lines)


def test_a_file_that_cannot_be_used_is_told_by_key_and_path(tmp_path: Path) -> None:
    path = tmp_path / "kiosd.toml"
    place = f"[hours] calendars, item 1: {tmp_path / 'no.toml'}: "
    assert errors(path, named("no.toml")) == [place + "cannot be read: No such file or directory"]
    for content, reason in (
        (b"\xff", "line 1: byte 0xff is not UTF-8; save the file as UTF-8"),
        (b"year = \n", "line 1, column 8: Invalid value"),
        (b"# \n" * 90_000, "is longer than 256 KiB"),
    ):
        (tmp_path / "no.toml").write_bytes(content)
        assert errors(path, named("no.toml")) == [place + reason]
    (tmp_path / "no.toml").unlink()
    (tmp_path / "no.toml").mkdir()
    assert errors(path, named("no.toml")) == [place + "is not a regular file"]


def test_two_files_of_one_year(tmp_path: Path) -> None:
    write(tmp_path, ("a.toml", FILE), ("b.toml", FILE.replace("Contoh", "Lain")))
    expected = "[hours] calendars, item 2: found 'b.toml', which is for 2026 as item 1 is; allowed: one file for each year"
    assert errors(tmp_path / "kiosd.toml", named("a.toml", "b.toml")) == [expected]
    assert errors(tmp_path / "kiosd.toml", named("a.toml", "a.toml"))[0].startswith("[hours] calendars, item 2: found 'a.toml', which is")


def test_everything_at_once_the_configuration_first(tmp_path: Path) -> None:
    path = write(tmp_path, ("a.toml", FILE.replace("name", "nama")))
    path.write_text(path.read_text().replace('"CTH04"', '"x"'))
    with pytest.raises(ConfigError) as caught:
        load(path)
    lines = str(caught.value).split("\n")
    assert lines[0].startswith(f"{path}: [site] id") and lines[1].startswith(f"{tmp_path / 'a.toml'}: ") and len(lines) > 2


HOURS: dict[str, tuple[str, str]] = {
    "early": ("early_issue_min = 241", "[hours] early_issue_min: found 241; allowed: 240 or less"),
    "last": ("last_ticket_min = -1", "[hours] last_ticket_min: found -1; allowed: 0 or more"),
    "no time left": (
        'last_ticket_min = 240\nsaturday = ["08:00-12:00"]',
        "[hours]: last_ticket_min = 240 leaves no time to give tickets on saturday",
    ),
    "calendars is text": ('calendars = "a.toml"', "[hours] calendars: found 'a.toml'; allowed: a list in brackets"),
    "calendar is a number": ("calendars = [2026]", "[hours] calendars, item 1: found 2026; allowed: text in quotes"),
    "calendar is empty": ('calendars = [""]', "[hours] calendars, item 1: found ''; allowed: at least 1 character(s)"),
    "zero byte": ('calendars = ["a\\u0000b"]', r"[hours] calendars, item 1: found 'a\x00b'; text may not contain control characters"),
    "own date": ('[[hours.closed]]\ndate = "x"\nname = "y"', "[hours] closed, item 1.date: found 'x'; allowed: a date without quotes"),
    "own range": (
        '[[hours.special]]\nfrom = 2026-01-01\nto = 2026-01-01\nname = "y"\nevry = []',
        "[hours] special, item 1.evry: unknown key; did you mean 'every'? known: from, to, name, every, monday",
    ),
    "misspelt": ("calendar = []", "[hours] calendar: unknown key; did you mean 'calendars'?"),
}


@pytest.mark.parametrize("case", HOURS)
def test_what_is_wrong_in_the_hours(tmp_path: Path, case: str) -> None:
    text, expected = HOURS[case]
    lines = errors(tmp_path / "kiosd.toml", f"[hours]\n{text}\n{SMALL}")
    assert len(lines) == 1 and lines[0].startswith(expected), lines
