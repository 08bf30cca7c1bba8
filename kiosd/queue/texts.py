"""What people read, as one table: Indonesian first, English second (domain section 11). ASCII, so that every printer prints it."""

from datetime import date, datetime

from kiosd.queue.settings import ZONE_SHORT, Language

TEXTS: dict[str, dict[Language, str]] = {
    "unknown_service": {"id": "Tidak ada layanan {service}.", "en": "There is no service {service}."},
    "service_disabled": {"id": "Layanan {service} tidak dibuka.", "en": "Service {service} is not offered."},
    "unknown_counter": {"id": "Tidak ada loket {counter}.", "en": "There is no counter {counter}."},
    "unknown_ticket": {"id": "Nomor {ticket} tidak ada hari ini.", "en": "There is no ticket {ticket} today."},
    "closed": {"id": "Layanan tutup. Jam layanan: {hours}. {opens}", "en": "Closed. Service hours: {hours}. {opens}"},
    "break": {"id": "Istirahat. Buka kembali pukul {time}.", "en": "Break. Open again at {time}."},
    "opens": {"id": "Buka {date} pukul {time}.", "en": "Opens {date} at {time}."},
    "never": {"id": "tidak ada", "en": "none"},
    "day_closed": {"id": "Hari layanan {date} sudah ditutup.", "en": "The service day {date} has been closed."},
    "still_printing": {"id": "Nomor {number} sedang dicetak.", "en": "Ticket {number} is being printed."},
    "hold_off": {"id": "Nomor {number} baru saja diambil.", "en": "Ticket {number} was taken just now."},
    "empty": {"id": "Tidak ada antrean.", "en": "Nobody is waiting."},
    "counter_closed": {"id": "Loket {counter} tutup.", "en": "Counter {counter} is closed."},
    "counter_paused": {"id": "Loket {counter} sedang jeda.", "en": "Counter {counter} is paused."},
    "already": {"id": "Loket {counter} sudah {state}.", "en": "Counter {counter} is already {state}."},
    "still_called": {
        "id": "Nomor {number} masih dipanggil di loket {counter}: mulai, panggil ulang atau tandai tidak hadir.",
        "en": "Ticket {number} is still being called at counter {counter}: start, recall or mark absent first.",
    },
    "still_serving": {
        "id": "Nomor {number} masih dilayani di loket {counter}: selesaikan dulu.",
        "en": "Ticket {number} is still being served at counter {counter}: finish it first.",
    },
    "nobody_called": {"id": "Tidak ada nomor yang dipanggil di loket {counter}.", "en": "No ticket is being called at counter {counter}."},
    "nobody_served": {"id": "Tidak ada yang dilayani di loket {counter}.", "en": "Nobody is being served at counter {counter}."},
    "too_soon": {
        "id": "Nomor {number} baru dipanggil; tunggu {seconds} detik.",
        "en": "Ticket {number} was called just now; wait {seconds} s.",
    },
    "max_calls": {
        "id": "Nomor {number} sudah dipanggil {calls} kali: tandai tidak hadir.",
        "en": "Ticket {number} has been called {calls} times: mark it absent.",
    },
    "not_called_enough": {
        "id": "Nomor {number} baru dipanggil {calls} dari {max_calls} kali.",
        "en": "Ticket {number} has been called only {calls} of {max_calls} times.",
    },
    "wrong_state": {
        "id": "Nomor {number} berstatus {state}: perintah {command} tidak bisa.",
        "en": "Ticket {number} is {state}: {command} is not possible.",
    },
}

_DAYS: dict[Language, tuple[str, ...]] = {
    "id": ("Senin", "Selasa", "Rabu", "Kamis", "Jumat", "Sabtu", "Minggu"),
    "en": ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"),
}
_MONTHS: dict[Language, tuple[str, ...]] = {
    "id": ("Januari", "Februari", "Maret", "April", "Mei", "Juni", "Juli", "Agustus", "September", "Oktober", "November", "Desember"),
    "en": ("January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December"),
}


def say(code: str, language: Language, facts: dict[str, object]) -> str:
    """The sentence that ``code`` stands for, filled with ``facts``; every code that the rules use is in the table."""
    return TEXTS[code][language].format_map(facts).strip()


def official_date(day: date, language: Language) -> str:
    """``Rabu, 1 Juli 2026`` (domain section 11)."""
    return f"{_DAYS[language][day.weekday()]}, {day.day} {_MONTHS[language][day.month - 1]} {day.year}"


def official_time(local: datetime, zone: str) -> str:
    """``08.05 WIB`` for a local time in the site's ``zone``."""
    return f"{local:%H.%M} {ZONE_SHORT[zone]}"
