"""The nine elements of the satisfaction survey (PermenPANRB 14/2017; domain section 8)."""

from typing import Literal

# The languages are those of kiosd.queue.settings, which cannot be imported here: it imports the commands, and they this.
ELEMENTS: dict[str, dict[Literal["id", "en"], str]] = {
    "persyaratan": {"id": "Persyaratan", "en": "Requirements"},
    "prosedur": {"id": "Sistem, Mekanisme, dan Prosedur", "en": "System, mechanism and procedure"},
    "waktu": {"id": "Waktu Penyelesaian", "en": "Completion time"},
    "biaya": {"id": "Biaya/Tarif", "en": "Cost or fee"},
    "produk": {"id": "Produk Spesifikasi Jenis Pelayanan", "en": "Product and specification of the service"},
    "kompetensi": {"id": "Kompetensi Pelaksana", "en": "Competence of staff"},
    "perilaku": {"id": "Perilaku Pelaksana", "en": "Conduct of staff"},
    "sarana": {"id": "Sarana dan Prasarana", "en": "Facilities"},
    "pengaduan": {"id": "Penanganan Pengaduan, Saran, dan Masukan", "en": "Handling of complaints, suggestions and input"},
}
"""Key -> full name. Keyed by name: sources number the elements in different orders."""
