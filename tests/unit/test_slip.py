"""The ticket's layout: what it says, and that it fits whatever it is fed."""

import string
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kiosd.ports import Qr, Slip, Text
from kiosd.queue.interface import TicketView
from kiosd.queue.model import PrintState, TicketState
from kiosd.queue.settings import SiteSettings
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


def words(slip: Slip) -> list[str]:
    return [line.text if isinstance(line, Text) else f"[QR {line.data}]" for line in slip.lines]


def number_of(slip: Slip, number: str) -> Text:
    return next(line for line in slip.lines if isinstance(line, Text) and line.text == number)


def test_the_ticket_of_the_domain_page() -> None:
    slip = ticket_slip(SITE, SERVICE, ticket(), columns=32)
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
    name=printable, office=printable, address=printable, complaints=printable, service=st.text(max_size=200), columns=st.integers(24, 64)
)
def test_every_line_fits_and_is_ascii_whatever_the_names(
    name: str, office: str, address: str, complaints: str, service: str, columns: int
) -> None:
    site = SiteSettings(id="CTH01", name=name, office=office, address=address, complaints=complaints, type=1)
    slip = ticket_slip(site, service, ticket(priority=True), columns=columns, synced=False, copy=True, card=service)
    allowed = set(string.ascii_letters + string.digits + string.punctuation + " ")
    for line in slip.lines:
        if isinstance(line, Qr):
            assert line.data == "CTH01-20260701-D005"
        else:
            assert len(line.text) * line.size <= columns
            assert set(line.text) <= allowed
