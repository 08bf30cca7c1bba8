"""Reports to be shown in every form: an ordinary month, nothing at all, and what nobody would want to print."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

from kiosd.queue.survey import ELEMENTS
from kiosd.reports.model import (
    Availability,
    ClosureItem,
    Completed,
    DayCount,
    Gap,
    Head,
    Identity,
    NoteItem,
    Obstacles,
    Outage,
    OutOfOrder,
    Report,
    Satisfaction,
    ServiceLine,
    SurveyElement,
    SurveyPart,
    Users,
)
from kiosd.reports.satisfaction import band, index, sample_size
from support.site import NAMES

BEGIN = datetime(2026, 7, 1, 1, 5, tzinfo=UTC)  # 08.05 WIB
COUNTS = (
    "issued", "transferred_in", "processed", "finished", "referred", "transferred_out", "no_show", "expired", "cancelled", "open", "void",
    "waits", "services", "ratings",
)  # fmt: skip


def line(at: int, service: str, name: str, short: str) -> ServiceLine:
    """A service whose numbers differ from those of the others; its sums agree."""
    finished, referred, out, absent, expired, cancelled = 171 + 97 * at, 11 + at, 3 + at % 3, 13 + 2 * at, at % 2, 2 + at
    processed = finished + referred + out
    counts = scores(at)
    value = index(counts).value
    assert value is not None
    return ServiceLine(
        service=service, name=name, short=short, issued=processed + absent + expired + cancelled - out, transferred_in=out,
        processed=processed, finished=finished, referred=referred, transferred_out=out, no_show=absent, expired=expired,
        cancelled=cancelled, open=0, void=at % 4, waits=processed - 5, wait_mean_s=731.25 + 61 * at, wait_p50_s=610.5 + 47 * at,
        wait_p90_s=1502.0 + 113 * at, services=processed - 8, service_mean_s=556.875 + 31 * at, ratings=sum(counts.values()), index=value,
        band=band(value).letter, response=round(sum(counts.values()) / (finished + referred), 4),
    )  # fmt: skip


def total(lines: tuple[ServiceLine, ...]) -> ServiceLine:
    """All services; the percentiles are made up, for a form only shows them."""
    sums: dict[str, Any] = {key: sum(getattr(one, key) for one in lines) for key in COUNTS}
    pooled = index({score: sum(scores(at)[score] for at, _ in enumerate(lines)) for score in (4, 3, 2, 1)}).value
    assert pooled is not None
    return ServiceLine(
        service="", name="", short="", **sums, wait_mean_s=mean("wait_mean_s", "waits", lines), wait_p50_s=759.0, wait_p90_s=2113.5,
        service_mean_s=mean("service_mean_s", "services", lines), index=pooled, band=band(pooled).letter,
        response=round(sums["ratings"] / (sums["finished"] + sums["referred"]), 4),
    )  # fmt: skip


def mean(value: str, weight: str, lines: tuple[ServiceLine, ...]) -> float:
    weights: list[int] = [getattr(one, weight) for one in lines]
    values: list[float] = [getattr(one, value) for one in lines]
    return round(sum(a * b for a, b in zip(values, weights, strict=True)) / sum(weights), 1)


def scores(at: int) -> dict[int, int]:
    return {4: 60 + 11 * at, 3: 40 + 3 * at, 2: 7 + at, 1: 2 + at}


def head(**more: Any) -> Head:
    known: dict[str, Any] = {
        "site": "CTH01", "name": "KIOS SIAPkerja", "office": "BBPVP CONTOH", "address": "Jl. Contoh No. 1, Bekasi",
        "complaints": "0800-CONTOH", "kiosk_type": 1, "decree": "Keputusan Menteri Ketenagakerjaan Nomor 225 Tahun 2023",
        "first": date(2026, 7, 1), "last": date(2026, 7, 31), "zone": "Asia/Jakarta", "service_days": 23, "open_seconds": 612_000.0,
        "hours": ("Senin-Kamis 08.00-12.00 dan 13.00-16.30", "Jumat 07.30-11.30 dan 13.00-16.30", "Sabtu-Minggu tutup"),
        "services": tuple(NAMES), "partial": False, "made_at": datetime(2026, 8, 3, 2, 15, tzinfo=UTC), "version": "0.1.0",
        "events": 41_377,
    }  # fmt: skip
    return Head(**known | more)


def outage(at: int = 0, **more: Any) -> Outage:
    known: dict[str, Any] = {
        "device": "printer", "role": "printer", "begin": BEGIN + timedelta(hours=31 * at), "code": "paper_out",
        "end": BEGIN + timedelta(hours=31 * at, minutes=37 + at), "open_minutes": 37 + at, "detail": "", "fallback": "shown",
        "promised": None, "promise": "",
    }  # fmt: skip
    return Outage(**known | more)


def obstacles(**more: Any) -> Obstacles:
    known: dict[str, Any] = {
        "outages": (
            outage(),
            outage(3, device="rating-4", role="rating", code="absent", fallback="no_rating", detail="/dev/input/rating-4 is gone",
                   end=None, promised=BEGIN + timedelta(days=9), promise="menunggu suku cadang dari pemasok"),
        ),
        "broker_outages": (outage(7, device="central", role="broker", code="timeout", fallback="waits"),),
        "closures": (ClosureItem(begin=BEGIN, end=BEGIN + timedelta(minutes=95), open_minutes=95, reason="listrik padam"),),
        "expired": (DayCount(day=date(2026, 7, 9), count=2), DayCount(day=date(2026, 7, 17), count=1)),
        "finished_by_system": (DayCount(day=date(2026, 7, 17), count=4),),
        "out_of_order": (OutOfOrder(reason="lanjutan", count=19), OutOfOrder(reason="kondisi_khusus", count=6)),
        "refused": {"break": 83, "closed": 29, "quota": 5},
        "paper_failed": 14,
        "notes": (NoteItem(time=BEGIN, text="Antrean panjang karena bursa kerja tanggal 9 Juli."),),
    }  # fmt: skip
    return Obstacles(**known | more)


def satisfaction(**more: Any) -> Satisfaction:
    known: dict[str, Any] = {
        "counts": {4: 651, 3: 343, 2: 70, 1: 35}, "ratings": 1099, "index": Decimal("86.62"), "band": "B", "population": 3332,
        "response": 0.3298, "sample_size": sample_size(3332), "enough": True, "ambiguous": 8, "ignored": 44, "unattributed": 21,
        "survey": SurveyPart(
            answers=57, weight="0.11", value=Decimal("81.93"), band="B",
            elements=tuple(SurveyElement(element=key, n=50 + at, mean=3.0625 + at / 16) for at, key in enumerate(ELEMENTS)),
        ),
    }  # fmt: skip
    return Satisfaction(**known | more)


def report(lines: tuple[ServiceLine, ...] | None = None, **more: Any) -> Report:
    """An ordinary month of a kiosk of type 1, unless ``more`` says otherwise."""
    lines = tuple(line(at, key, *names) for at, (key, names) in enumerate(NAMES.items())) if lines is None else lines
    everything: ServiceLine = more.get("total") or total(lines)
    known: dict[str, Any] = {
        "head": head(services=tuple(one.service for one in lines)),
        "users": Users(visits=everything.issued, priority=87, card=2870, distinct=2402, manual=633, handwritten=12,
                       by_category={"pencari_kerja": 2111, "pemberi_kerja": 148, "pekerja_buruh": 402, "tidak_dicatat": 842}),
        "services": lines,
        "total": everything,
        "completed": Completed(finished=everything.finished, referred=everything.referred, same_day_share=0.9706,
                               by_destination={"back_office": 86, "kementerian": 9, "SBY02": 3},
                               by_reason={"dokumen_kurang": 55, "tunggu_verifikasi": 43}),
        "obstacles": obstacles(),
        "satisfaction": satisfaction(),
        "arrivals": tuple(tuple(_arrived(day, hour) for hour in range(24)) for day in range(7)),
        "availability": (Availability(device="printer", role="printer", share=0.9874), Availability(device="rating-4", role="rating",
                         share=0.4025), Availability(device="board-1", role="board", share=None)),
        "identities": tuple(sums(lines, everything)),
        "gaps": (Gap(first=date(2026, 7, 20), last=date(2026, 7, 21), code="clock", detail="318 kejadian"),),
    }  # fmt: skip
    return Report(**known | more)


def sums(lines: tuple[ServiceLine, ...], everything: ServiceLine) -> Iterator[Identity]:
    for one in (*lines, everything):
        ended = one.processed + one.no_show + one.expired + one.cancelled + one.open
        yield Identity(name="line", service=one.service, left=one.issued + one.transferred_in, right=ended)
    yield Identity(name="transfers", service="", left=everything.transferred_in, right=everything.transferred_out)


def _arrived(day: int, hour: int) -> int:
    return (
        0
        if day > 4 or not 7 <= hour <= 16 or hour == 12
        else 32 + 13 * (4 - day) + abs(hour - 10) * 7 + (18 if (day, hour) == (0, 8) else 0)
    )


def empty() -> Report:
    """A kiosk at which nothing happened: no number is known, none may be invented."""
    nothing: dict[str, Any] = dict.fromkeys(("wait_mean_s", "wait_p50_s", "wait_p90_s", "service_mean_s", "index", "response"))
    counts: dict[str, Any] = dict.fromkeys(COUNTS, 0)
    lines = (ServiceLine(service="F", name=NAMES["F"][0], short="Jamsos", band="", **counts, **nothing),)
    return report(
        lines,
        total=ServiceLine(service="", name="", short="", band="", **counts, **nothing),
        head=head(office=None, address=None, complaints=None, hours=(), services=("F",), service_days=0, open_seconds=0.0, events=0),
        users=Users(visits=0, by_category={}, priority=0, card=0, distinct=None, manual=0, handwritten=0),
        completed=Completed(finished=0, referred=0, by_destination={}, by_reason={}, same_day_share=None),
        obstacles=obstacles(outages=(), broker_outages=(), closures=(), expired=(), finished_by_system=(), out_of_order=(), refused={},
                            paper_failed=0, notes=()),
        satisfaction=satisfaction(counts={4: 0, 3: 0, 2: 0, 1: 0}, ratings=0, index=None, band="", population=0, response=None,
                                  sample_size=0, enough=True, ambiguous=0, ignored=0, unattributed=0, survey=None),
        arrivals=((0,) * 24,) * 7, availability=(), identities=(), gaps=(),
    )  # fmt: skip


def long_names(length: int = 80, count: int = 24) -> Report:
    """As many services as there are letters, named as long as a name may be, the last in one word."""
    letters = "ABCDEFGHJKLMNPQRSTUVWXYZ"[:count]
    text = ("Penyelenggaraan Pelayanan Terpadu Ketenagakerjaan dan Kesejahteraan Masyarakat Daerah " * 2)[:length]
    names = [text] * (count - 1) + [text.replace(" ", "")[:length].ljust(length, "w")]
    return report(tuple(line(at, letter, names[at], f"Layanan {letter}") for at, letter in enumerate(letters)))


NASTY = '<script>alert("x")</script> & \u202ekiri\u202c \u6f22\u5b57 \ua984 \U0001f5a8 \x1b[31m\x00\ttab\nbaris "kutip" \u2014 Jos\u00e9'


def hostile() -> Report:
    """Texts of people and devices with everything in them that a form might trip over; forty outages and an endless note."""
    many = tuple(
        outage(at, detail=f"{NASTY} {at}", device=f"printer-{'x' * 24}-{at}", role="neu", code="E_42", fallback="x") for at in range(40)
    )
    notes = (
        NoteItem(time=BEGIN, text=f"{NASTY} " + "Catatan panjang sekali. " * 400),
        NoteItem(time=BEGIN, text="k" * 5000),
        NoteItem(time=BEGIN, text='=HYPERLINK("http://example.org";"x")'),
        NoteItem(time=BEGIN, text="+62 800"),
        NoteItem(time=BEGIN, text="\uff1d1+1"),
    )
    return report(
        tuple(line(at, letter, f"{NASTY} {letter}", letter) for at, letter in enumerate("AB")),
        head=head(name=NASTY, office=NASTY, address="@SUM(A1)", decree=NASTY, zone="UTC", signer=NASTY, partial=True, services=("A", "B")),
        obstacles=obstacles(outages=many, notes=notes, refused={"neu": 3}, out_of_order=(OutOfOrder(reason="<b>", count=1),)),
        availability=tuple(Availability(device=f"device-{at}", role="neu", share=round(at / 60, 4)) for at in range(60)),
        identities=(Identity(name="line", service="A", left=4711, right=4712), Identity(name="processed", service="", left=1, right=2)),
    )  # fmt: skip
