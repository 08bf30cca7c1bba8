"""Opening hours of a stretch of days, made once and asked many times: a year's report asks hundreds of thousands of times. Pure.

The same as ``hours.open_seconds``, which a test compares; whole milliseconds, the journal's grain, because whole numbers add up.
"""

from bisect import bisect_right
from collections.abc import Iterable, Iterator
from datetime import date, datetime, timedelta

from kiosd.queue.hours import Span, opening
from kiosd.queue.settings import QueueSettings


def ms(moment: datetime) -> int:
    """Milliseconds since 1970."""
    return round(moment.timestamp() * 1000)


class OpenTime:
    """The sessions from ``first`` to ``last``, both included, less ``closures``, which may overlap."""

    def __init__(self, settings: QueueSettings, first: date, last: date, closures: Iterable[Span] = ()) -> None:
        days = (first + timedelta(days=n) for n in range((last - first).days + 1))
        sessions = [(ms(begin), ms(end)) for day in days for begin, end in opening(settings, day)]
        shut = sorted((ms(since), ms(until)) for since, until in closures if since < until)
        self._spans = list(_less(sessions, shut))
        self._begins = [begin for begin, _ in self._spans]
        self._before = [0]
        for begin, end in self._spans:
            self._before.append(self._before[-1] + end - begin)

    def between(self, begin: int, end: int) -> int:
        """Open milliseconds from ``begin`` to ``end``, both in milliseconds since 1970; 0 when ``end`` is not later."""
        return max(0, self._until(end) - self._until(begin))

    def seconds(self, begin: datetime, end: datetime) -> float:
        """Open time from ``begin`` to ``end`` in seconds; 0 when ``end`` is not later."""
        return self.between(ms(begin), ms(end)) / 1000

    def _until(self, moment: int) -> int:
        at = bisect_right(self._begins, moment)
        if at == 0:
            return 0
        begin, end = self._spans[at - 1]
        return self._before[at - 1] + min(moment, end) - begin


def _less(spans: list[tuple[int, int]], shut: list[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """``spans`` without what is in ``shut``; both in order."""
    for span_begin, span_end in spans:
        begin = span_begin
        for since, until in shut:
            if since >= span_end:
                break
            if until > begin:
                if begin < since:
                    yield begin, since
                begin = until
        if begin < span_end:
            yield begin, span_end
