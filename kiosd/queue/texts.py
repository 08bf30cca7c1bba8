"""What people read, as one table: Indonesian first, English second (domain section 11). ASCII, so that every printer prints it."""

from collections.abc import Sequence
from datetime import date, datetime

from kiosd.queue.settings import ZONE_SHORT, Language

TEXTS: dict[str, dict[Language, str]] = {
    "unknown_service": {"id": "Tidak ada layanan {service}.", "en": "There is no service {service}."},
    "service_disabled": {"id": "Layanan {service} tidak dibuka.", "en": "Service {service} is not offered."},
    "unknown_counter": {"id": "Tidak ada loket {counter}.", "en": "There is no counter {counter}."},
    "unknown_ticket": {"id": "Nomor {ticket} tidak ada hari ini.", "en": "There is no ticket {ticket} today."},
    "closed": {"id": "Layanan tutup. Jam layanan: {hours}. {opens}", "en": "Closed. Service hours: {hours}. {opens}"},
    "closed_holiday": {"id": "Layanan tutup: {name}. {opens}", "en": "Closed: {name}. {opens}"},
    "closed_special": {
        "id": "Layanan tutup. Jam layanan ({name}): {hours}. {opens}",
        "en": "Closed. Service hours ({name}): {hours}. {opens}",
    },
    "suspended": {"id": "Layanan dihentikan sementara{reason}. {opens}", "en": "Service is suspended{reason}. {opens}"},
    "last_ticket": {"id": "Pengambilan nomor hari ini sudah ditutup. {opens}", "en": "No more numbers are given today. {opens}"},
    "break": {"id": "Istirahat. Buka kembali pukul {time}.", "en": "Break. Open again at {time}."},
    "opens": {"id": "Buka {date} pukul {time}.", "en": "Opens {date} at {time}."},
    "opens_again": {"id": "Buka kembali pukul {time}.", "en": "Open again at {time}."},
    "opens_early": {"id": "Nomor diberikan mulai {date} pukul {time}.", "en": "Numbers are given from {date} at {time}."},
    "until_told": {"id": "Sampai pemberitahuan lebih lanjut.", "en": "Until further notice."},
    "never": {"id": "tidak ada", "en": "none"},
    "day_closed": {"id": "Hari layanan {date} sudah ditutup.", "en": "The service day {date} has been closed."},
    "still_printing": {"id": "Nomor {number} sedang dicetak.", "en": "Ticket {number} is being printed."},
    "hold_off": {"id": "Nomor {number} baru saja diambil.", "en": "Ticket {number} was taken just now."},
    "no_paper": {"id": "Kertas habis. Silakan ambil nomor di resepsionis.", "en": "Out of paper. Please take a number at the reception."},
    "by_hand": {
        "id": "Kertas habis. Silakan minta nomor tulisan tangan di resepsionis.",
        "en": "Out of paper. Please ask the reception for a hand-written number.",
    },
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
    "not_allowed": {"id": "Wewenang {actor} tidak mencakup: {command}.", "en": "The role {actor} may not do this: {command}."},
    "not_yours": {"id": "Papan ini tidak berhak atas: {what}.", "en": "This board may not do this: {what}."},
    "expired": {"id": "Perintah datang terlambat.", "en": "The command came too late."},
    "stale": {"id": "Loket {counter} sudah berubah sejak itu.", "en": "Counter {counter} has changed since then."},
    "no_such_day": {"id": "Tanggal {day} tidak ada.", "en": "There is no day {day}."},
    "past": {"id": "Pukul {time} sudah lewat.", "en": "{time} is over already."},
    "too_far": {"id": "Paling lama {days} hari dari sekarang.", "en": "At most {days} days from now."},
    "too_late": {
        "id": "Nomor {number}: pembatalan hanya dalam {window}.",
        "en": "Ticket {number}: that can be taken back only within {window}.",
    },
    "quota": {
        "id": "Kuota {service} hari ini sudah habis ({quota} nomor).",
        "en": "All {quota} tickets of {service} are given for today.",
    },
    "not_reserved": {
        "id": "Nomor {number} tidak dipesan untuk tiket tulisan tangan.",
        "en": "Number {number} is not booked for hand-written tickets.",
    },
    "already_entered": {"id": "Nomor {number} sudah dimasukkan.", "en": "Ticket {number} has been entered already."},
    "not_then": {
        "id": "Nomor {number} tidak mungkin ditulis pukul {time}.",
        "en": "Ticket {number} cannot have been written at {time}.",
    },
    "priority_already": {"id": "Nomor {number} sudah prioritas.", "en": "Ticket {number} has priority already."},
    "priority_not": {"id": "Nomor {number} bukan prioritas.", "en": "Ticket {number} has no priority."},
    "readmitted_enough": {
        "id": "Nomor {number} sudah {times} kali dipanggil kembali: silakan ambil nomor baru.",
        "en": "Ticket {number} has been readmitted {times} times: please take a new number.",
    },
    "printed": {"id": "Kertas tiket {number} tidak gagal dicetak.", "en": "The paper of ticket {number} did not fail."},
    "called_before": {
        "id": "Nomor {number} sudah pernah dipanggil: batalkan, bukan nyatakan gagal cetak.",
        "en": "Ticket {number} has been called before: cancel it, it cannot be void.",
    },
    "not_served_here": {
        "id": "Nomor {number} adalah layanan {service}, bukan layanan loket {counter}.",
        "en": "Ticket {number} is of service {service}, which counter {counter} does not serve.",
    },
    "same_service": {"id": "Nomor {number} sudah di layanan {service}.", "en": "Ticket {number} is with service {service} already."},
    "unknown_destination": {
        "id": "Tujuan rujukan {destination} tidak dikenal; pilihan: {known} atau kode lokasi.",
        "en": "There is no destination {destination}; there are: {known}, or the id of a site.",
    },
    "unknown_reason": {
        "id": "Alasan {reason} tidak dikenal; pilihan: {known}.",
        "en": "There is no reason {reason}; there are: {known}.",
    },
    "nothing_finished": {
        "id": "Tidak ada pelayanan di loket {counter} yang bisa dibuka kembali.",
        "en": "There is no finished visit at counter {counter} that can be taken back.",
    },
    "invited_already": {"id": "Nomor {number} sudah diminta menilai.", "en": "Ticket {number} has been asked to rate already."},
    "surveyed_already": {"id": "Nomor {number} sudah mengisi survei.", "en": "Ticket {number} has answered the survey already."},
    "in_training": {"id": "Sedang latihan: akhiri latihan dulu.", "en": "A training is on: end it first."},
    "unknown_device": {
        "id": "Tidak ada perangkat {device}; yang ada: {known}.",
        "en": "There is no device {device}; there are: {known}.",
    },
    "not_suspended": {"id": "Layanan tidak sedang ditutup.", "en": "The site is not closed by command."},
    "training_already": {"id": "Latihan sudah berjalan.", "en": "A training is on already."},
    "not_training": {"id": "Tidak sedang latihan.", "en": "There is no training."},
    "visitors_first": {
        "id": "Latihan hanya di luar jam layanan; tutup layanan dulu (kiosd close --until ...).",
        "en": "Training is for times without visitors; close the site first (kiosd close --until ...).",
    },
    "queue_not_empty": {
        "id": "Masih ada pengunjung dalam antrean: latihan belum bisa dimulai.",
        "en": "There are still visitors in the queue: no training now.",
    },
    "wrong_state": {
        "id": "Nomor {number} {state}: tidak bisa {command}.",
        "en": "Ticket {number} is {state}: {command} is not possible.",
    },
}

_INDONESIAN: dict[str, dict[str, str]] = {
    "state": {
        "waiting": "masih menunggu", "called": "sedang dipanggil", "serving": "sedang dilayani", "no_show": "tidak hadir",
        "finished": "sudah selesai", "referred": "sudah dirujuk", "cancelled": "sudah dibatalkan", "expired": "sudah kedaluwarsa",
        "void": "sudah hangus", "closed": "tutup", "ready": "buka", "paused": "jeda",
    },
    "actor": {
        "public": "pengunjung", "officer": "petugas", "receptionist": "resepsionis", "manager": "kepala", "system": "sistem",
    },
    "command": {
        "issue": "mengambil nomor", "reserve": "memesan nomor", "enter": "memasukkan tiket tulisan tangan",
        "reprint": "mencetak ulang", "priority": "mengubah prioritas", "category": "mencatat kategori",
        "next": "memanggil nomor berikutnya", "call": "memanggil nomor tertentu", "recall": "memanggil ulang",
        "start": "memulai pelayanan", "absent": "menandai tidak hadir", "readmit": "memanggil kembali",
        "undo_call": "membatalkan panggilan", "undo_start": "membatalkan mulainya pelayanan",
        "undo_finish": "membuka kembali pelayanan", "finish": "menyelesaikan pelayanan", "transfer": "mengalihkan",
        "refer": "merujuk", "cancel": "membatalkan nomor", "void": "menghanguskan nomor", "rate": "memberi penilaian",
        "invite": "meminta penilaian", "survey": "mengisi survei", "open": "membuka loket", "pause": "menjeda loket",
        "close": "menutup loket", "suspend": "menutup layanan", "resume": "membuka layanan", "training": "mengatur latihan",
        "repair": "mencatat perbaikan", "note": "menulis catatan", "close_day": "menutup hari layanan",
    },
}  # fmt: skip
"""The queue's own words inside a sentence, by the fact's name; English people read the words themselves."""

WHY: dict[str, dict[Language, str]] = {
    "priority": {
        "id": "prioritas, panggilan prioritas ke-{next_run} dari paling banyak {ratio} berturut-turut",
        "en": "priority, number {next_run} of at most {ratio} priority calls in a row",
    },
    "priority_alone": {
        "id": "prioritas, tidak ada antrean biasa yang bisa dipanggil",
        "en": "priority, nobody without priority can be called",
    },
    "regular": {"id": "urutan biasa, tidak ada prioritas yang bisa dipanggil", "en": "regular, nobody with priority can be called"},
    "regular_turn": {
        "id": "urutan biasa, gilirannya setelah {run} panggilan prioritas",
        "en": "regular, its turn after {run} priority calls",
    },
    "readmitted": {
        "id": "dipanggil kembali setelah tidak hadir, {behind} panggilan lain sudah lewat",
        "en": "readmitted after being absent, {behind} other calls have gone before",
    },
    "nobody_else": {
        "id": "dipanggil kembali setelah tidak hadir, tidak ada orang lain yang mendahuluinya di layanan ini",
        "en": "readmitted after being absent, nobody else of this service goes before",
    },
    "oldest": {
        "id": "paling lama menunggu di antara layanan loket ini ({since})",
        "en": "waits longest of this counter's services ({since})",
    },
    "first_service": {"id": "layanan {service} didahulukan di loket ini", "en": "service {service} goes first at this counter"},
    "transferred": {
        "id": "dialihkan dari layanan {came_from}, waktu ambil {time} tetap berlaku",
        "en": "transferred from service {came_from}, its issue time {time} counts",
    },
    "placed": {
        "id": "dialihkan dari layanan {came_from}, tempatnya ditentukan petugas",
        "en": "transferred from service {came_from}, its place given by the officer",
    },
}
"""Why a ticket stands where it stands (domain section 5)."""

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
    return TEXTS[code][language].format_map({name: _word(name, fact, language) for name, fact in facts.items()}).strip()


def _word(name: str, fact: object, language: Language) -> object:
    if name not in _INDONESIAN:
        return fact
    word = str(fact)
    return _INDONESIAN[name].get(word, word) if language == "id" else word.replace("_", " ")


def why(codes: Sequence[str], language: Language, facts: dict[str, object]) -> str:
    """Why a ticket is next, in words."""
    return "; ".join(WHY[code][language].format_map(facts) for code in codes)


def official_date(day: date, language: Language) -> str:
    """``Rabu, 1 Juli 2026`` (domain section 11)."""
    return f"{_DAYS[language][day.weekday()]}, {day.day} {_MONTHS[language][day.month - 1]} {day.year}"


def official_time(local: datetime, zone: str) -> str:
    """``08.05 WIB`` for a local time in the site's ``zone``."""
    return f"{local:%H.%M} {ZONE_SHORT[zone]}"
