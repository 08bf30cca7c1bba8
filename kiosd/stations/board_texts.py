"""What a call board says between calls, in two lines of 20 characters: the queue's whole sentences would lose their end, the time."""

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from kiosd.queue import events as ev
from kiosd.queue.interface import DeviceView, Snapshot
from kiosd.queue.settings import Language
from kiosd.queue.texts import official_date

IDLE: dict[Language, str] = {"id": "Silakan ambil nomor", "en": "Please take a number"}
TRAINING: dict[Language, str] = {"id": "LATIHAN - nomor tidak berlaku", "en": "TRAINING - numbers are not valid"}
CLOSED: dict[Language, str] = {"id": "Layanan tutup", "en": "Closed"}
OPENS: dict[Language, str] = {"id": "Tutup. Buka {when}", "en": "Closed. Opens {when}"}
WHY_NOT: dict[str, dict[Language, str]] = {
    "closed": OPENS,
    "break": {"id": "Istirahat. Buka {when}", "en": "Break. Opens {when}"},
    "holiday": {"id": "Hari libur. Buka {when}", "en": "Holiday. Opens {when}"},
    "suspended": {"id": "Tutup sementara. Buka {when}", "en": "Suspended. Opens {when}"},
    "last_ticket": {"id": "Nomor habis. Buka {when}", "en": "No numbers. Opens {when}"},
    "quota": {"id": "Kuota habis. Buka {when}", "en": "Quota used. Opens {when}"},
    "day_closed": OPENS,
}
"""Why a press gave no ticket, by the refusal's code, and when one will."""
NEVER: dict[str, dict[Language, str]] = {
    "suspended": {"id": "Tutup sampai ada pemberitahuan", "en": "Closed until further notice"},
    "quota": {"id": "Kuota hari ini habis", "en": "Today's quota is used"},
    "unreachable": {"id": "Tidak tersambung", "en": "Not connected"},
}
"""The same while nobody knows when; else ``CLOSED``. ``unreachable``: a satellite knows nothing without its hub."""
NO_PAPER: dict[str, dict[Language, str]] = {
    "no_paper": {"id": "Kertas habis. Ambil nomor di resepsionis", "en": "Out of paper. Ask at the reception"},
    "by_hand": {"id": "Minta nomor tertulis di resepsionis", "en": "Ask at the reception for a number"},
}
"""The same while the ticket machine has no paper and gives no numbers."""
NOTE_NUMBER: dict[Language, str] = {"id": "Nomor Anda {number} mohon dicatat", "en": "Your number: {number} please note it"}
REPAIR: dict[Language, tuple[str, ...]] = {
    "id": ("{what} sedang diperbaiki", "s.d. {when}: {reason}", "Layanan tetap berjalan"),
    "en": ("{what} is being repaired", "Until {when}: {reason}", "Service goes on"),
}
"""A device out of use, its reason and its promised end are shown to the public (domain section 1 [decree])."""
MACHINE: dict[Language, str] = {"id": "Mesin antrean", "en": "Ticket machine"}


def when(opens: datetime, now: datetime, language: Language) -> str:
    """``13.00`` today, ``Kamis 08.00`` within a week, ``30 Mar 08.00`` later; ``opens`` is local time."""
    day, today = opens.date(), now.astimezone(opens.tzinfo).date()
    if day == today:
        return f"{opens:%H.%M}"
    weekday, _, rest = official_date(day, language).partition(", ")
    if day - today < timedelta(days=7):
        return f"{weekday} {opens:%H.%M}"
    number, month, _ = rest.split()
    return f"{number} {month[:3]} {opens:%H.%M}"


def closed(code: str, opens_at: str | None, now: datetime, language: Language) -> str:
    """Why no ticket is given and when it will be; ``opens_at`` is ISO local time."""
    if opens_at is None:
        return NEVER.get(code, CLOSED)[language]
    return WHY_NOT[code][language].format(when=when(datetime.fromisoformat(opens_at), now, language))


def refused(event: ev.TicketRefused, now: datetime, language: Language) -> str:
    """Why a press gave no ticket."""
    if event.code in NO_PAPER:
        return NO_PAPER[event.code][language]
    return closed(event.code, event.opens_at, now, language) if event.code in WHY_NOT else event.message


def idle(snapshot: Snapshot, language: Language) -> str:
    """What is shown while nobody is called."""
    if snapshot.training:
        return TRAINING[language]
    return IDLE[language] if snapshot.open else closed(snapshot.why or "closed", snapshot.opens_at, snapshot.time, language)


def repairs(snapshot: Snapshot, language: Language, machine: frozenset[str]) -> tuple[str, ...]:
    """What is shown in turn with that while devices are out of use; ``machine`` are the ticket machine's."""
    return tuple(page for view in snapshot.devices for page in _repair(view, snapshot, language, machine))


def standing(snapshot: Snapshot, language: Language, machine: frozenset[str]) -> tuple[str, ...]:
    """What is shown in turn with a call. Closures are not: whoever draws a number is told, and who waits is served all the same."""
    training = (TRAINING[language],) if snapshot.training else ()
    return (*training, *repairs(snapshot, language, machine))


def _repair(view: DeviceView, snapshot: Snapshot, language: Language, machine: frozenset[str]) -> tuple[str, ...]:
    if view.repair_until is None or view.repair_until <= snapshot.time:
        return ()
    what = MACHINE[language] if view.device in machine else view.device
    until = when(view.repair_until.astimezone(ZoneInfo(snapshot.zone)), snapshot.time, language)
    return tuple(page.format(what=what, when=until, reason=view.repair_reason) for page in REPAIR[language])
