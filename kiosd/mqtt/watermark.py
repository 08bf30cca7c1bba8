"""``confirm = "consumer"``: an event counts as told when the consumer says so, in ``ack/<consumer>``. Pure: no I/O, no clock.

A broker may acknowledge what it then drops (mqtt notes section 3.6: 3000 acknowledged, 1000 delivered). So:

Rule 1  At most ``ahead`` events after the watermark are sent; the broker's acknowledgement only lets the next one go.
Rule 2  When the watermark has not risen for ``CONFIRM_S`` although something was sent, everything after it is owed again, twice as long
        after each time in vain. A consumer that is away must not be buried in repetitions: then only ``FEW`` events are sent at a time,
        twice as many with each rise of the watermark.
Rule 3  A watermark of another stream, below the last one, or above what there is, counts for nothing and is told once.
"""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

AHEAD, FEW = 500, 20  # mosquitto keeps 1000 messages for a subscriber that is away, then drops silently
CONFIRM_S, LONGEST_S = 30.0, 480.0
MAX_BYTES = 256


class _Payload(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)
    stream: Annotated[str, StringConstraints(min_length=1, max_length=64)]
    sequence: Annotated[int, Field(ge=0, lt=10**15)] | Annotated[str, StringConstraints(pattern=r"^[0-9]{1,15}$")]
    """Also as the text that events have it in."""


class Watermark:
    """What the consumer of ``stream`` has, beginning with what it had: everything up to ``seq``.

    ``refused``: why the last watermark counted for nothing.
    """

    def __init__(self, stream: str, seq: int) -> None:
        self.stream, self.seq, self.refused = stream, seq, ""
        self._sent, self._since = 0, 0.0
        self._ahead, self._wait_s = AHEAD, CONFIRM_S

    def take(self, payload: bytes, newest: int, now: float) -> bool:
        """A watermark came at ``now``, the newest event being ``newest``; whether it rose. ``refused`` says why it counts for nothing."""
        if not payload:
            return False  # somebody cleared the retained message
        asked = _parse(payload)
        if asked is None:
            self.refused = "it is no watermark"
        elif asked[0] != self.stream:
            self.refused = "it is of another stream"
        elif asked[1] > newest:
            self.refused = f"it is of the future: the newest event is {newest}"
        elif asked[1] < self.seq:
            self.refused = f"it goes back: {self.seq} was acknowledged before"
        else:
            self.refused = ""
            return self._rise(asked[1], now)
        return False

    def _rise(self, seq: int, now: float) -> bool:
        if seq == self.seq:
            return False
        self.seq, self._since = seq, now
        self._ahead, self._wait_s = min(2 * self._ahead, AHEAD), CONFIRM_S
        return True

    def skip(self, seq: int) -> None:
        """Events up to ``seq`` are gone: nobody can acknowledge them."""
        self.seq = max(self.seq, seq)

    def allows(self, seq: int) -> bool:
        """Whether event ``seq`` may be sent now."""
        return seq <= self.seq + self._ahead

    def note(self, seq: int, now: float) -> None:
        """Event ``seq`` was sent at ``now``."""
        if self._sent <= self.seq:
            self._since = now
        self._sent = max(self._sent, seq)

    def waited_s(self, now: float) -> float | None:
        """For how long an acknowledgement has been due; None when none is."""
        return now - self._since if self._sent > self.seq else None

    def again(self, now: float) -> None:
        """A connection began: what was sent may still arrive."""
        self._since = now

    @property
    def patience_s(self) -> float:
        """After how long everything is owed again."""
        return self._wait_s

    def rewind(self) -> None:
        """Everything after ``seq`` is sent again, few at a time."""
        self._sent, self._ahead, self._wait_s = 0, FEW, min(2 * self._wait_s, LONGEST_S)


def _parse(payload: bytes) -> tuple[str, int] | None:
    if len(payload) > MAX_BYTES:
        return None
    try:
        asked = _Payload.model_validate_json(payload)
    except ValidationError:
        return None
    return asked.stream, int(asked.sequence)
