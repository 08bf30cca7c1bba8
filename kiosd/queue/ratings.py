"""Which visit a press on a rating panel belongs to (domain section 8). Pure.

Rule 1  It belongs to the last visit ended at that panel's counter, within (end, end + window] and before that counter's next start.
        A visitor who was invited while being served may press before the end.
Rule 2  One rating per visit. Another button within 3 s replaces it once; later presses are ignored.
Rule 3  Two buttons within 150 ms are ambiguous: they count for nothing.
Rule 4  The same button again within the lock-out is a trembling hand; it is recorded as ignored, like everything that does not count.
"""

from datetime import datetime, timedelta
from typing import Any

from kiosd.queue import events as ev
from kiosd.queue.model import Counter, Rating, Ticket
from kiosd.queue.settings import RuleSettings

AMBIGUOUS = timedelta(milliseconds=150)  # domain section 8

RatingEvent = ev.RatingGiven | ev.RatingCorrected | ev.RatingAmbiguous | ev.RatingIgnored | ev.RatingUnattributed


def attribute(counter: Counter, ticket: Ticket | None, score: int, pressed: datetime, rules: RuleSettings) -> RatingEvent:
    """What the press ``score`` at ``pressed`` means. ``ticket`` is the counter's ``rateable`` visit, if it has one."""
    if _locked(counter, score, pressed, rules):
        return ev.RatingIgnored(counter=counter.number, score=score, pressed_at=pressed, reason="lock_out")
    if ticket is None or not in_window(ticket, pressed, rules):
        return ev.RatingUnattributed(counter=counter.number, score=score, pressed_at=pressed)
    about: dict[str, Any] = {"ticket": ticket.uid, "number": ticket.number, "service": ticket.service, "training": ticket.training}
    if ticket.rating is None:
        return ev.RatingGiven(**about, counter=counter.number, score=score, pressed_at=pressed)
    return _second(counter.number, about, ticket.rating, score, pressed, rules)


def _second(
    counter: int, about: dict[str, Any], before: Rating, score: int, pressed: datetime, rules: RuleSettings
) -> RatingEvent:  # fmt: skip
    since = pressed - before.at
    if before.score is None:
        if since < timedelta(seconds=rules.rating_lockout_s):
            return ev.RatingIgnored(counter=counter, score=score, pressed_at=pressed, reason="lock_out")
        return ev.RatingGiven(**about, counter=counter, score=score, pressed_at=pressed)
    other = score != before.score and not before.corrected
    if other and abs(since) <= AMBIGUOUS:
        return ev.RatingAmbiguous(**about, counter=counter, score=score, previous=before.score, pressed_at=pressed)
    if other and since <= timedelta(seconds=rules.rating_correct_s):
        return ev.RatingCorrected(**about, counter=counter, score=score, previous=before.score, pressed_at=pressed)
    return ev.RatingIgnored(counter=counter, score=score, pressed_at=pressed, reason="already_rated")


def _locked(counter: Counter, score: int, pressed: datetime, rules: RuleSettings) -> bool:
    if counter.pressed_at is None or counter.pressed_score != score:
        return False
    return abs(pressed - counter.pressed_at) < timedelta(seconds=rules.rating_lockout_s)


def window_open(ticket: Ticket, now: datetime, rules: RuleSettings) -> bool:
    """Whether a press after ``now`` may still count for the visit; true from the very moment it ended or was invited."""
    end = ticket.ended_at
    if end is None:
        return ticket.invited_at is not None and ticket.invited_at <= now
    return now < end + timedelta(seconds=rules.rating_window_s) and (end <= now or _invited_before(ticket, now))


def in_window(ticket: Ticket, pressed: datetime, rules: RuleSettings) -> bool:
    """Whether a press at ``pressed`` counts for the visit: within (end, end + window], or since its visitor was invited."""
    end = ticket.ended_at
    if end is None:
        return ticket.invited_at is not None and ticket.invited_at < pressed
    return pressed <= end + timedelta(seconds=rules.rating_window_s) and (end < pressed or _invited_before(ticket, pressed))


def _invited_before(ticket: Ticket, moment: datetime) -> bool:
    return ticket.invited_at is not None and ticket.invited_at < moment
