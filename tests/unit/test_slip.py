"""The ticket's layout: what it says, and that it fits whatever it is fed."""

import string
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kiosd.ports import Qr, Slip, Text
from kiosd.queue.interface import TicketView
from kiosd.queue.model import PrintState, TicketState
from kiosd.queue.settings import Language, SiteSettings
from kiosd.stations.slip import ticket_slip

SITE = SiteSettings(
    id="CTH01", name="KIOS SIAPkerja", office="BBPVP CONTOH", address="Jl. Contoh No. 1, Bekasi", complaints="0800-CONTOH", type=1
)
SERVICE = "Informasi Pasar Kerja dan Penempatan Tenaga Kerja"


def ticket(number: str = "D005", *, at: datetime = datetime(2026, 7, 1, 1, 5, tzinfo=UTC), priority: bool = False) -> TicketView:
    return TicketView(
        ticket=f"CTH01-20260701-{number}",
        number=number,
        service=number[0],
        state=TicketState.WAITING,
        issued_at=at,
        priority=priority,
        counter=None,
        paper=PrintState.QUEUED,
        ahead=3,
    )


def foretold(low: int | None = None, high: int | None = None, **more: bool) -> TicketView:
    return ticket().model_copy(update={"wait_low_min": low, "wait_high_min": high, **more})


def words(slip: Slip) -> list[str]:
    return [line.text if isinstance(line, Text) else f"[QR {line.data}]" for line in slip.lines]


def number_of(slip: Slip, number: str) -> Text:
    return next(line for line in slip.lines if isinstance(line, Text) and line.text == number)


def test_the_ticket_of_the_domain_page() -> None:
    slip = ticket_slip(SITE, SERVICE, foretold(25, 30), columns=32)
    assert slip.ticket == "CTH01-20260701-D005"
    assert not slip.copy
    assert words(slip) == [
        "KIOS SIAPkerja",
        "BBPVP CONTOH",
        "Jl. Contoh No. 1, Bekasi",
        "-" * 32,
        "NOMOR ANTREAN",
        "D005",
        "Informasi Pasar Kerja dan",
        "Penempatan Tenaga Kerja",
        "-" * 32,
        "Rabu, 1 Juli 2026  08.05 WIB",
        "Menunggu di depan Anda: 3",
        "Perkiraan tunggu: 25-30 menit",
        "-" * 32,
        "Dipanggil 3 kali tidak hadir:",
        "lapor ke petugas.",
        "Siapkan SIAPkerja-ID Anda.",
        "Pengaduan: 0800-CONTOH",
        "[QR CTH01-20260701-D005]",
        "Terima kasih",
    ]


def test_english_and_the_wide_paper() -> None:
    lines = words(ticket_slip(SITE, SERVICE, ticket(), columns=48, language="en"))
    assert "QUEUE NUMBER" in lines
    assert "Wednesday, 1 July 2026  08.05 WIB" in lines
    assert "Absent after 3 calls: please tell the staff." in lines
    assert "-" * 48 in lines


def test_a_long_date_takes_two_lines() -> None:
    at = datetime(2026, 9, 30, 0, 5, tzinfo=UTC)
    site = SITE.model_copy(update={"timezone": "Asia/Makassar"})
    lines = words(ticket_slip(site, SERVICE, ticket(at=at), columns=32, language="en"))
    day = lines.index("Wednesday, 30 September 2026")
    assert lines[day + 1] == "08.05 WITA"


def test_the_date_is_the_sites_date() -> None:
    late = datetime(2026, 6, 30, 18, 0, tzinfo=UTC)  # 01.00 the next day in Jakarta
    assert "Rabu, 1 Juli 2026  01.00 WIB" in words(ticket_slip(SITE, SERVICE, ticket(at=late), columns=32))


def test_a_name_is_not_left_with_a_lonely_word() -> None:
    lines = words(ticket_slip(SITE, SERVICE, ticket(), columns=48))
    assert "Informasi Pasar Kerja dan" in lines
    assert "Penempatan Tenaga Kerja" in lines


def test_priority_copy_and_untrusted_clock_are_said() -> None:
    slip = ticket_slip(SITE, SERVICE, ticket(priority=True), columns=32, synced=False, copy=True)
    lines = words(slip)
    assert slip.copy
    assert lines.index("*** SALINAN ***") < lines.index("D005") < lines.index("PRIORITAS")
    assert "(jam belum sinkron)" in lines


def test_the_expected_wait_stands_under_the_people_before() -> None:
    for columns in (32, 48):
        lines = words(ticket_slip(SITE, SERVICE, foretold(25, 30), columns=columns))
        assert lines[lines.index("Menunggu di depan Anda: 3") + 1] == "Perkiraan tunggu: 25-30 menit"
    lines = words(ticket_slip(SITE, SERVICE, foretold(25, 30), columns=32, language="en"))
    assert lines[lines.index("Waiting before you: 3") + 1] == "Estimated wait: 25-30 minutes"


def test_who_is_perhaps_not_served_today_is_told() -> None:
    lines = words(ticket_slip(SITE, SERVICE, foretold(unlikely=True), columns=32))
    at = lines.index("Menunggu di depan Anda: 3")
    assert " ".join(lines[at + 1 : at + 3]).rstrip(".") == "Kemungkinan tidak terlayani hari ini"
    assert not any("Perkiraan" in line for line in lines)
    english = words(ticket_slip(SITE, SERVICE, foretold(unlikely=True), columns=48, language="en"))
    assert any(line.startswith("You may not be served") for line in english)


def test_while_nobody_can_tell_the_wait_nothing_is_said_of_it() -> None:
    lines = words(ticket_slip(SITE, SERVICE, foretold(), columns=32))
    assert not any("tunggu:" in line or "Kemungkinan" in line for line in lines)


@pytest.mark.parametrize(("language", "mark"), [("id", "LATIHAN"), ("en", "TRAINING")])
@pytest.mark.parametrize("columns", [32, 48])
def test_a_ticket_of_a_training_says_so_at_both_ends_and_big(language: Language, mark: str, columns: int) -> None:
    slip = ticket_slip(SITE, SERVICE, foretold(training=True), columns=columns, language=language)
    for end in (slip.lines[0], slip.lines[-1]):
        assert isinstance(end, Text)
        assert (end.text, end.size, end.bold) == (mark, 4, True)
    assert words(slip).count(mark) == 2
    assert mark not in words(ticket_slip(SITE, SERVICE, ticket(), columns=columns, language=language))


@pytest.mark.parametrize(("language", "mark"), [("id", "CETAK ULANG"), ("en", "REPRINT")])
def test_a_reprint_says_so_and_keeps_the_time_of_issue(language: Language, mark: str) -> None:
    slip = ticket_slip(SITE, SERVICE, ticket(), columns=32, language=language, reprint=True)
    lines = words(slip)
    assert slip.copy
    assert lines.index(mark) < lines.index("D005")
    assert "2026 08.05 WIB" in " ".join(" ".join(lines).split())
    assert not any("SALINAN" in line or "COPY" in line for line in lines), "that is for a first one that may have come out"


def test_what_the_site_does_not_have_is_not_printed() -> None:
    lines = words(ticket_slip(SiteSettings(id="CTH01", name="Kios", type=1), "Produktivitas", ticket(), columns=32))
    assert lines[0] == "Kios"
    assert lines[1] == "-" * 32
    assert not any("Pengaduan" in line for line in lines)


@pytest.mark.parametrize(("number", "columns"), [("A001", 24), ("A001", 32), ("A1000", 32), ("A001", 48), ("A1000", 48)])
def test_the_number_is_at_least_four_times_as_big(number: str, columns: int) -> None:
    line = number_of(ticket_slip(SITE, SERVICE, ticket(number), columns=columns), number)
    assert line.size >= 4
    assert len(line.text) * line.size <= columns


def test_a_number_too_long_for_that_shrinks() -> None:
    assert number_of(ticket_slip(SITE, SERVICE, ticket("A12345678"), columns=32), "A12345678").size == 3


printable = st.text(min_size=1, max_size=80).filter(lambda text: text.strip() and text.isprintable())


@given(
    name=printable, office=printable, address=printable, complaints=printable, service=st.text(max_size=200), columns=st.integers(24, 64),
    low=st.none() | st.integers(0, 600), training=st.booleans(), reprint=st.booleans(), language=st.sampled_from(["id", "en"]),
)  # fmt: skip
def test_every_line_fits_and_is_ascii_whatever_the_names(
    name: str, office: str, address: str, complaints: str, service: str, columns: int, low: int | None, training: bool, reprint: bool,
    language: Language,
) -> None:  # fmt: skip
    site = SiteSettings(id="CTH01", name=name, office=office, address=address, complaints=complaints, type=1)
    view = foretold(low, None if low is None else low + 5, unlikely=low is None, training=training, priority=True)
    slip = ticket_slip(site, service, view, columns=columns, synced=False, copy=True, reprint=reprint, card=service, language=language)
    allowed = set(string.ascii_letters + string.digits + string.punctuation + " ")
    for line in slip.lines:
        if isinstance(line, Qr):
            assert line.data == "CTH01-20260701-D005"
        else:
            assert len(line.text) * line.size <= columns
            assert set(line.text) <= allowed
