"""One record is one line, without control characters and long digit runs, and with a priority where journald reads it."""

import io
import logging
import os
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kiosd.logs import OURS, OneLine, StderrHandler, clean, journald_reads, setup
from kiosd.redact import REDACTED

LOGGERS = ("", *OURS)


@contextmanager
def set_up(*levels: str) -> Iterator[None]:
    """Logging as the daemon has it, after ``setup`` with each of ``levels``; afterwards it is as it was."""
    before = {name: (logging.getLogger(name).level, list(logging.getLogger(name).handlers)) for name in LOGGERS}
    logging.getLogger().handlers.clear()
    try:
        with warnings.catch_warnings():
            for level in levels:
                setup(level)
            yield
    finally:
        logging.captureWarnings(False)
        for name, (level_before, handlers) in before.items():
            logging.getLogger(name).setLevel(level_before)
            logging.getLogger(name).handlers[:] = handlers


def record(level: int, message: str, *args: object, error: BaseException | None = None) -> logging.LogRecord:
    exc_info = None if error is None else (type(error), error, error.__traceback__)
    return logging.LogRecord("kiosd.test", level, __file__, 1, message, args, exc_info)


@pytest.mark.parametrize(
    ("level", "priority"), [(logging.DEBUG, 7), (logging.INFO, 6), (logging.WARNING, 4), (logging.ERROR, 3), (logging.CRITICAL, 2)]
)
def test_priority_for_journald(level: int, priority: int) -> None:
    assert OneLine(journald=True).format(record(level, "paper is out")) == f"<{priority}>kiosd.test: paper is out"


def test_plain_line_for_a_person() -> None:
    assert re.fullmatch(
        r"\d\d:\d\d:\d\d WARNING kiosd\.test: paper is out", OneLine(journald=False).format(record(logging.WARNING, "paper is out"))
    )


def test_text_from_outside_begins_no_line_of_its_own() -> None:
    line = OneLine(journald=True).format(record(logging.INFO, "scan %s", "x\n<0>kernel: panic\x1b[2J\x9b\u2028\r\x00"))
    assert line == r"<6>kiosd.test: scan x\n<0>kernel: panic\x1b[2J\x9b\u2028\r\x00"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("id 3173051234567890 end", f"id {REDACTED} end"),
        ("31730512345678901234567890", REDACTED),
        ("3173-0512 3456-7890", REDACTED),
        ("317305123456789", "317305123456789"),
        ("CTH01-20260701-D005", "CTH01-20260701-D005"),
        ("2026-07-01T08:05:12.345Z", "2026-07-01T08:05:12.345Z"),
        ("\N{ARABIC-INDIC DIGIT ONE}" * 16, REDACTED),
        ("\u2028" + "1" * 12, rf"\u{REDACTED}"),
    ],
)
def test_long_digit_runs_are_masked(text: str, shown: str) -> None:
    assert clean(text) == shown


@given(st.text(alphabet=st.one_of(st.characters(), st.sampled_from("0123456789 -\n\x1b"))))
def test_clean_is_one_printable_line_without_16_digits(text: str) -> None:
    assert clean(text).isprintable()
    assert not re.search(r"\d{16}", clean(text))


def test_a_traceback_is_one_clean_line() -> None:
    with pytest.raises(ValueError, match="bad") as caught:
        int_of("bad code 3173051234567890\nsecond line")
    line = OneLine(journald=True).format(record(logging.ERROR, "it failed", error=caught.value))
    assert "\n" not in line and "3173051234567890" not in line
    assert "Traceback" in line and line.endswith(f"| ValueError: bad code {REDACTED} | second line")


def int_of(text: str) -> int:
    raise ValueError(text)


def test_setup_writes_ours_from_the_level_and_others_from_warning(capsys: pytest.CaptureFixture[str]) -> None:
    with set_up("debug"):
        logging.getLogger("kiosd.queue").debug("ours")
        logging.getLogger("kiosd_drivers.x").debug("a driver's")
        logging.getLogger("escpos").info("a library's chatter")
        logging.getLogger("escpos").warning("a library's warning")
    lines = capsys.readouterr().err.splitlines()
    assert [line.split(": ", 1)[1] for line in lines] == ["ours", "a driver's", "a library's warning"]


def test_setup_again_changes_the_level_and_doubles_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    with set_up("debug", "error"):
        logging.getLogger("kiosd").warning("not now")
        logging.getLogger("kiosd").error("once")
    assert re.fullmatch(r"\S+ ERROR   kiosd: once\n", capsys.readouterr().err)


def test_python_warnings_are_logged(capsys: pytest.CaptureFixture[str]) -> None:
    with set_up("info"):
        warnings.simplefilter("always")
        warnings.warn("old\ncall", DeprecationWarning, stacklevel=1)
    written = capsys.readouterr().err
    assert written.count("\n") == 1 and r"old\ncall" in written


def test_a_record_that_cannot_be_formatted_is_named_without_its_arguments(capsys: pytest.CaptureFixture[str]) -> None:
    with set_up("info"):
        logging.getLogger("kiosd.queue").warning("%d", "personal")
    written = capsys.readouterr().err
    assert "a log record of kiosd.queue (test_logs.py:" in written and "TypeError" in written
    assert "personal" not in written


def test_logging_to_a_closed_stream_raises_nothing() -> None:
    stream = io.StringIO()
    handler = StderrHandler(stream)
    stream.close()
    handler.handle(record(logging.ERROR, "nobody hears it"))


def test_journald_is_known_by_the_stream_it_gave(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with (tmp_path / "journal").open("w") as journal, (tmp_path / "file").open("w") as file:
        stat = os.fstat(journal.fileno())
        monkeypatch.setenv("JOURNAL_STREAM", f"{stat.st_dev}:{stat.st_ino}")
        assert journald_reads(journal)
        assert not journald_reads(file)
        assert not journald_reads(io.StringIO())
        monkeypatch.delenv("JOURNAL_STREAM")
        assert not journald_reads(journal)
