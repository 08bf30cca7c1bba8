"""A ticket on paper: from what the queue knows to lines that fit (domain section 11). Pure.

Rule 1  Every line is printable ASCII and fits: ``len(text) * size <= columns``, whatever the configuration's names are.
Rule 2  The number is the biggest thing on the paper: four times the normal size or more, less only where it would not fit.
Rule 3  A second print of a ticket says so and has the same number and time: ``SALINAN`` where the daemon could not know whether the first
        one came out, ``CETAK ULANG`` where somebody asked for it.
Rule 4  A ticket of a training says so at both ends: nobody may take it for a real one, whichever end is torn off.
"""

import textwrap
from datetime import datetime
from functools import lru_cache

from kiosd.ports import Qr, Slip, Text, safe_text
from kiosd.queue.estimate import Estimate, sentence
from kiosd.queue.interface import TicketView
from kiosd.queue.settings import Language, SiteSettings
from kiosd.queue.texts import official_date, official_time

NUMBER_SIZE = 6  # 9 mm wide and 18 mm high characters on 203 dpi paper: read at arm's length without glasses
PRIORITY_SIZE = 2
TRAINING_SIZE = 4

WORDS: dict[Language, dict[str, str]] = {
    "id": {
        "title": "NOMOR ANTREAN",
        "copy": "*** SALINAN ***",
        "reprint": "CETAK ULANG",
        "training": "LATIHAN",
        "priority": "PRIORITAS",
        "unsynced": "(jam belum sinkron)",
        "ahead": "Menunggu di depan Anda: {ahead}",
        "absent": "Dipanggil {calls} kali tidak hadir: lapor ke petugas.",
        "card": "Siapkan {card} Anda.",
        "complaints": "Pengaduan: {complaints}",
        "thanks": "Terima kasih",
    },
    "en": {
        "title": "QUEUE NUMBER",
        "copy": "*** COPY ***",
        "reprint": "REPRINT",
        "training": "TRAINING",
        "priority": "PRIORITY",
        "unsynced": "(clock not synchronised)",
        "ahead": "Waiting before you: {ahead}",
        "absent": "Absent after {calls} calls: please tell the staff.",
        "card": "Have your {card} ready.",
        "complaints": "Complaints: {complaints}",
        "thanks": "Thank you",
    },
}
"""What the ticket says in its own words."""


def ticket_slip(
    site: SiteSettings,
    service: str,
    ticket: TicketView,
    *,
    columns: int,
    synced: bool = True,
    copy: bool = False,
    reprint: bool = False,
    language: Language | None = None,
    card: str = "SIAPkerja-ID",
    max_calls: int = 3,
) -> Slip:
    """The paper of ``ticket`` for a printer of ``columns`` characters.

    ``service`` is the service's full name, ``synced`` whether the clock was trusted when the number was given, ``copy`` whether an
    original may have come out before, ``reprint`` whether somebody asked for another one, ``language`` the site's unless told otherwise,
    ``card`` what the visitor has to show.
    """
    language = language or site.language
    words = WORDS[language]
    rule = Text("-" * columns)
    facts = {"ahead": ticket.ahead, "calls": max_calls, "card": card, "complaints": site.complaints}
    training = (_big(words["training"], TRAINING_SIZE, columns),) if ticket.training else ()
    hints = ("absent", "card", "complaints") if site.complaints else ("absent", "card")
    lines: tuple[Text | Qr, ...] = (
        *training,
        *_name(site.name, columns, bold=True),
        *(line for part in (site.office, site.address) if part for line in _name(part, columns)),
        rule,
        *_number(ticket, words, columns, "reprint" if reprint else "copy" if copy else ""),
        *_name(service, columns, bold=True),
        rule,
        *_moment(ticket.issued_at.astimezone(site.zone), site, language, columns),
        *(() if synced else _block(words["unsynced"], columns)),
        *_block(words["ahead"].format_map(facts), columns),
        *_block(sentence(_estimate(ticket), language), columns),
        rule,
        *(line for hint in hints for line in _block(words[hint].format_map(facts), columns)),
        Qr(ticket.ticket),
        *_block(words["thanks"], columns),
        *training,
    )
    return Slip(ticket.ticket, lines, copy or reprint)


def _estimate(ticket: TicketView) -> Estimate | None:
    """What was predicted when the number was given, if anything was."""
    if ticket.wait_low_min is None and not ticket.unlikely:
        return None
    return Estimate(ticket.wait_low_min, ticket.wait_high_min, unlikely=ticket.unlikely)


def _number(ticket: TicketView, words: dict[str, str], columns: int, mark: str) -> tuple[Text, ...]:
    """The number with its title; a mark above it for a second print, below it for a priority ticket."""
    return (
        *((_big(words[mark], PRIORITY_SIZE, columns),) if mark else ()),
        Text(words["title"]),
        _big(ticket.number, NUMBER_SIZE, columns),
        *((_big(words["priority"], PRIORITY_SIZE, columns),) if ticket.priority else ()),
    )


def _big(text: str, size: int, columns: int) -> Text:
    """``text`` in one line, ``size`` times as big as normal or as big as fits."""
    text = safe_text(text)[:columns]
    return Text(text, max(1, min(size, columns // max(1, len(text)))), bold=True)


def _moment(local: datetime, site: SiteSettings, language: Language, columns: int) -> tuple[Text, ...]:
    """Date and time in one line, or in two where the month's name is too long for that."""
    day, time = official_date(local.date(), language), official_time(local, site.timezone)
    if len(day) + 2 + len(time) <= columns:
        return (Text(f"{day}  {time}"),)
    return (*_block(day, columns), *_block(time, columns))


@lru_cache(256)  # the same few sentences on every ticket, and wrapping is most of the work of a slip
def _block(text: str, columns: int) -> tuple[Text, ...]:
    """A sentence in as many centred lines as it needs."""
    return tuple(Text(line) for line in textwrap.wrap(safe_text(text), columns))


@lru_cache(64)
def _name(text: str, columns: int, bold: bool = False) -> tuple[Text, ...]:
    """A name in as many lines as it needs, of about the same length: a last word alone in its line looks like a mistake."""
    text = safe_text(text)
    lines = textwrap.wrap(text, columns)
    for width in range(columns - 1, columns // 2, -1):
        narrower = textwrap.wrap(text, width)
        if len(narrower) > len(lines):
            break
        lines = narrower
    return tuple(Text(line, bold=bold) for line in lines)
