"""From sums to the figures of a report: sections (a), (b), (c) and (e) of domain section 10, and the identities. Pure.

Rule 1  Means are over all waits and all presses, never means of means. Percentiles are nearest rank: the smallest wait that the share
        of all waits does not exceed. P90 of ten waits is the ninth.
Rule 2  Fractions are rounded here, once (seconds to tenths, shares to 1/10,000): sixteen digits in a row are an identity number's form.
Rule 3  An identity that fails is in the report like one that holds.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from kiosd.queue.settings import QueueSettings
from kiosd.reports.model import Completed, Identity, NoteItem, OutOfOrder, Satisfaction, ServiceLine, SurveyElement, SurveyPart, Users
from kiosd.reports.satisfaction import SCORES, Weight, half_up, index, sample_size, survey
from kiosd.reports.sums import ServiceSum, Sums


def mean(times: Counter[int]) -> float | None:
    """Mean seconds, to a tenth; None of nothing."""
    n = times.total()
    return round(sum(seconds * often for seconds, often in times.items()) / n, 1) if n else None


def percentile(times: Counter[int], percent: int) -> float | None:
    """The nearest-rank percentile in seconds: the value at rank ceil(percent/100 * n); None of nothing."""
    left = -(-percent * times.total() // 100)
    for seconds in sorted(times):
        left -= times[seconds]
        if left <= 0:
            return float(seconds)
    return None


def share(part: int, whole: int) -> float | None:
    """``part / whole`` to 1/10,000; None of nothing."""
    return round(part / whole, 4) if whole else None


def processed(one: ServiceSum) -> int:
    """Handlings that are over."""
    return one.n["handlings"] - one.n["serving"]


def line(letter: str, name: str, short: str, one: ServiceSum) -> ServiceLine:
    """(b) of one service."""
    n, rated, ended = one.n, index(one.ratings), one.n["finished"] + one.n["referred"]
    return ServiceLine(
        service=letter, name=name, short=short, issued=n["issued"], transferred_in=n["transferred_in"], processed=processed(one),
        finished=n["finished"], referred=n["referred"], transferred_out=n["transferred_out"], no_show=n["no_show"], expired=n["expired"],
        cancelled=n["cancelled"], open=n["open"], void=n["void"], waits=one.waits.total(), wait_mean_s=mean(one.waits),
        wait_p50_s=percentile(one.waits, 50), wait_p90_s=percentile(one.waits, 90), services=one.served.total(),
        service_mean_s=mean(one.served), ratings=rated.n, index=rated.value, band=rated.band.letter if rated.band else "",
        response=share(rated.n, ended),
    )  # fmt: skip


def letters(sums: Sums, settings: QueueSettings) -> list[str]:
    """The services that the report is about: those asked for, or all that are offered or that anything was heard of."""
    if sums.wanted:
        return [*(letter for letter in settings.services if letter in sums.wanted), *sorted(set(sums.wanted) - set(settings.services))]
    offered = [letter for letter, one in settings.services.items() if one.enabled or letter in sums.services]
    return [*offered, *sorted(sums.services.keys() - settings.services.keys())]


def lines(sums: Sums, settings: QueueSettings) -> Iterator[ServiceLine]:
    """(b) of each service; one that is not configured any more goes by its letter."""
    for letter in letters(sums, settings):
        known = settings.services.get(letter)
        name, short = (known.name, known.short) if known else (letter, letter)
        yield line(letter, name, short, sums.services.get(letter) or ServiceSum())


def users(sums: Sums) -> Users:
    """(a)"""
    n = sums.total.n
    return Users(
        visits=n["visits"], by_category=most_first(sums.total.by["by_category"]), priority=n["priority"], card=n["card"],
        distinct=sums.distinct, manual=n["manual"], handwritten=n["handwritten"],
    )  # fmt: skip


def completed(sums: Sums) -> Completed:
    """(c)"""
    n, by = sums.total.n, sums.total.by
    return Completed(
        finished=n["finished"], referred=n["referred"], by_destination=most_first(by["destinations"]),
        by_reason=most_first(by["reasons"]), same_day_share=share(n["finished"], n["finished"] + n["referred"]),
    )  # fmt: skip


def most_first(counts: Mapping[str, int]) -> dict[str, int]:
    """The most frequent first."""
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))


def obstacles(sums: Sums) -> dict[str, Any]:
    """The part of (d) that is counted."""
    by = sums.total.by
    return {
        "expired": tuple(sums.expired),
        "finished_by_system": tuple(sums.by_system),
        "out_of_order": tuple(OutOfOrder(reason=reason, count=n) for reason, n in most_first(by["out_of_order"]).items()),
        "refused": most_first(by["refused"]),
        "paper_failed": sums.total.n["paper_failed"],
        "notes": tuple(NoteItem(time=note.time, text=note.text) for note in sums.notes),
    }


def satisfaction(sums: Sums, weight: Weight) -> Satisfaction:
    """(e)"""
    total = sums.total
    rated, population = index(total.ratings), total.n["finished"] + total.n["referred"]
    needed = sample_size(population)
    return Satisfaction(
        counts={score: total.ratings[score] for score in SCORES}, ratings=rated.n, index=rated.value,
        band=rated.band.letter if rated.band else "", population=population, response=share(rated.n, population), sample_size=needed,
        enough=rated.n >= needed, ambiguous=total.n["ambiguous"], ignored=sums.ignored, unattributed=sums.unattributed,
        survey=_survey(sums, weight),
    )  # fmt: skip


def _survey(sums: Sums, weight: Weight) -> SurveyPart | None:
    if not sums.total.forms and not sums.forms_unattributed:
        return None
    found = survey(sums.total.forms, weight)
    elements = tuple(
        SurveyElement(element=element, n=found.n[element], mean=None if nrr is None else float(half_up(nrr)))
        for element, nrr in found.nrr.items()
    )
    band = found.index.band
    return SurveyPart(
        answers=found.index.n, unattributed=sums.forms_unattributed, elements=elements, weight=found.weight, value=found.index.value,
        band=band.letter if band else "",
    )  # fmt: skip


def identities(of_services: list[ServiceLine], total: ServiceLine, visits: int, transfers: bool) -> Iterator[Identity]:
    """The sums that must hold, of each service and of all (service ``""``); ``transfers`` only where every service is in the report."""
    for one in (*of_services, total):
        ended = one.processed + one.no_show + one.expired + one.cancelled + one.open
        yield Identity(name="line", service=one.service, left=one.issued + one.transferred_in, right=ended)
        yield Identity(name="processed", service=one.service, left=one.processed, right=one.finished + one.referred + one.transferred_out)
    if transfers:
        yield Identity(name="transfers", service="", left=total.transferred_in, right=total.transferred_out)
    yield Identity(name="visits", service="", left=visits, right=total.issued)
