"""What the machine words of a report are called, Indonesian and English. ASCII."""

from kiosd.queue.commands import CALL_REASONS
from kiosd.queue.settings import Language
from kiosd.queue.survey import ELEMENTS

Names = dict[str, dict[Language, str]]

CODES: dict[str, Names] = {
    "category": {
        "pemberi_kerja": {"id": "Pemberi kerja", "en": "Employers"},
        "pencari_kerja": {"id": "Pencari kerja", "en": "Job seekers"},
        "pekerja_buruh": {"id": "Pekerja/buruh", "en": "Workers"},
        "masyarakat": {"id": "Masyarakat", "en": "Public"},
        "tidak_dicatat": {"id": "Tidak dicatat", "en": "Not recorded"},
    },
    "destination": {
        "back_office": {"id": "Back office", "en": "Back office"},
        "dinas_kabkota": {"id": "Dinas kabupaten/kota", "en": "Office of the regency or city"},
        "dinas_provinsi": {"id": "Dinas provinsi", "en": "Office of the province"},
        "kementerian": {"id": "Kementerian", "en": "Ministry"},
    },
    "refer_reason": {
        "dokumen_kurang": {"id": "Dokumen kurang", "en": "Documents missing"},
        "kewenangan_lain": {"id": "Kewenangan instansi lain", "en": "Another office decides"},
        "kondisi_tertentu": {"id": "Kondisi tertentu", "en": "Special condition"},
        "tindak_lanjut": {"id": "Perlu tindak lanjut", "en": "Needs further work"},
        "lainnya": {"id": "Lainnya", "en": "Other"},
    },
    "call_reason": {code: {"id": names[0].capitalize(), "en": names[1].capitalize()} for code, names in CALL_REASONS.items()},
    "role": {
        "printer": {"id": "Pencetak tiket", "en": "Ticket printer"},
        "buttons": {"id": "Tombol antrean", "en": "Ticket buttons"},
        "scanner": {"id": "Pemindai kartu", "en": "Card scanner"},
        "rating": {"id": "Panel penilaian", "en": "Rating panel"},
        "display": {"id": "Layar panggilan", "en": "Call display"},
        "board": {"id": "Papan antrean", "en": "Call board"},
        "keys": {"id": "Tombol petugas", "en": "Officer's keys"},
        "voice": {"id": "Suara panggilan", "en": "Voice"},
        "broker": {"id": "Sambungan pesan", "en": "Message broker"},
        "satellite": {"id": "Papan satelit", "en": "Satellite board"},
        "other": {"id": "Lain-lain", "en": "Other"},
    },
    "fallback": {
        "shown": {"id": "Nomor ditampilkan, dicatat pengunjung", "en": "Number was shown, visitors wrote it down"},
        "manual": {"id": "Identitas dicatat manual oleh petugas", "en": "Officers identified people by hand"},
        "no_rating": {"id": "Penilaian dilewati", "en": "Rating was skipped"},
        "voice": {"id": "Dipanggil dengan suara", "en": "Called by voice"},
        "desk": {"id": "Dilayani di meja resepsionis", "en": "Served at the reception desk"},
        "reception": {"id": "Loket dilayani dari resepsionis", "en": "The counter was worked from the reception desk"},
        "waits": {"id": "Pesan menunggu di penyimpanan, terkirim kemudian", "en": "Messages waited on disk and went out later"},
        "none": {"id": "Tidak ada", "en": "Nothing"},
    },
    "device_code": {
        "absent": {"id": "tidak tersambung", "en": "not connected"},
        "timeout": {"id": "tidak menjawab", "en": "does not answer"},
        "paper_out": {"id": "kertas habis", "en": "out of paper"},
        "paper_low": {"id": "kertas hampir habis", "en": "paper near its end"},
        "cover_open": {"id": "penutup terbuka", "en": "cover open"},
        "cutter": {"id": "pemotong macet", "en": "cutter stuck"},
        "overheated": {"id": "terlalu panas", "en": "too hot"},
        "error": {"id": "perlu dimatikan dan dinyalakan", "en": "to be switched off and on"},
        "busy": {"id": "sibuk", "en": "busy"},
        "offline": {"id": "luring", "en": "offline"},
        "io": {"id": "gangguan sambungan", "en": "connection failed"},
        "ambiguous": {"id": "ada dua yang sama", "en": "two of the same"},
        "denied": {"id": "tidak ada izin", "en": "no permission"},
        "jabber": {"id": "mengirim tanpa henti", "en": "sends without end"},
        "library": {"id": "pustaka tidak ada", "en": "library missing"},
        "bug": {"id": "kesalahan program", "en": "program error"},
        "repair": {"id": "perbaikan", "en": "repair"},
        "stuck": {"id": "tombol macet", "en": "stuck button"},
    },
    "refused": {
        "closed": {"id": "Layanan tutup", "en": "Closed"},
        "holiday": {"id": "Hari libur", "en": "Holiday"},
        "suspended": {"id": "Layanan dihentikan sementara", "en": "Service suspended"},
        "break": {"id": "Istirahat", "en": "Break"},
        "last_ticket": {"id": "Pengambilan nomor sudah ditutup", "en": "After the last ticket"},
        "day_closed": {"id": "Hari layanan sudah ditutup", "en": "Service day was over"},
        "quota": {"id": "Kuota habis", "en": "Quota used up"},
        "service_disabled": {"id": "Layanan tidak dibuka", "en": "Service not offered"},
        "unknown_service": {"id": "Layanan tidak dikenal", "en": "Unknown service"},
        "hold_off": {"id": "Nomor baru saja diambil", "en": "Ticket taken just before"},
        "no_paper": {"id": "Kertas habis", "en": "Out of paper"},
        "by_hand": {"id": "Kertas habis, nomor tulisan tangan", "en": "Out of paper, numbers by hand"},
        "still_printing": {"id": "Nomor sebelumnya sedang dicetak", "en": "Ticket before was being printed"},
    },
    "gap": {
        "no_data": {"id": "Tidak ada data pada hari layanan", "en": "No data on service days"},
        "sealed": {"id": "Hanya ringkasan harian yang tersimpan", "en": "Only daily totals are kept"},
        "tokens_erased": {"id": "Penanda kartu sudah dihapus", "en": "Card tokens were erased"},
        "clock": {"id": "Jam tidak sinkron", "en": "Clock was not synchronised"},
        "no_calendar": {"id": "Tidak ada kalender untuk tahun ini", "en": "No calendar for the year"},
        "damaged": {"id": "Catatan rusak", "en": "Records are damaged"},
        "still_open": {"id": "Hari layanan belum ditutup", "en": "Service day is not closed yet"},
    },
    "sum": {
        "line": {
            "id": "Diambil + dialihkan masuk = diproses + tidak hadir + kedaluwarsa + dibatalkan + masih terbuka",
            "en": "Issued + moved in = processed + no-show + expired + cancelled + still open",
        },
        "processed": {"id": "Diproses = selesai + dirujuk + dialihkan keluar", "en": "Processed = finished + referred + moved out"},
        "transfers": {"id": "Dialihkan masuk = dialihkan keluar", "en": "Moved in = moved out"},
        "visits": {"id": "Kunjungan = nomor diambil", "en": "Visits = tickets issued"},
    },
    "score": {
        "4": {"id": "Sangat Puas", "en": "Very satisfied"},
        "3": {"id": "Puas", "en": "Satisfied"},
        "2": {"id": "Kurang Puas", "en": "Less satisfied"},
        "1": {"id": "Tidak Puas", "en": "Not satisfied"},
    },
    "element": {key: dict(names) for key, names in ELEMENTS.items()},
}


def name(group: str, code: str, language: Language) -> str:
    """What ``code`` is called. A site may have reasons and destinations of its own: those are shown as they are, ``_`` as a space."""
    known = CODES[group].get(code)
    return known[language] if known else code[:1].upper() + code[1:].replace("_", " ")
