"""How far an uplink has told the journal, family by family. Pure: no I/O, no clock, so that every order of events can be tested.

Rule 1  One pass over the journal in its order. Each family has ``done`` (everything up to it was accepted) and ``read`` (the pass has
        looked at everything up to it: its events were sent).
Rule 2  ``done`` rises over accepted events in order; it never passes one of its family that was not accepted.
Rule 3  A refused event *holds* its family: back to ``done``, nothing of it is sent but its oldest event, now and then, as a probe. The
        other families go on.
Rule 4  Any sign that somebody listens again (a probe or an older send that was accepted) ends all holds, and the pass goes back
        to the oldest event that is owed: who subscribes late to everything gets everything in order.
Rule 5  The first event of a family after a hold or a connect goes alone: while nobody listens one event is refused, not a window full,
        and a subscriber that comes in that moment does not get the end of the window first.
Rule 6  A parcel of an earlier ``round`` of its family (sent before a hold or a lost connection) counts for nothing but rule 4.
Rule 7  A family that this broker is not told is passed over: nothing of it is owed.
"""

from collections import deque
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field

from kiosd.queue.events import FAMILIES, Record, family


@dataclass(eq=False, slots=True)
class Parcel:
    """One event on its way."""

    record: Record
    round: int
    accepted: bool = False


@dataclass(slots=True)
class _Family:
    done: int
    read: int
    told: bool = True
    round: int = 0
    held: Record | None = None
    proven: bool = False
    under_way: deque[Parcel] = field(default_factory=deque)

    def back(self) -> None:
        self.round += 1
        self.read = self.done
        self.proven = False
        self.under_way.clear()

    @property
    def cursor(self) -> int:
        return self.done if self.held is not None or self.under_way else self.read


class Delivery:
    """Where an uplink stands. ``moved``: the pass must begin anew at ``begin()``; until then ``offer`` takes nothing."""

    def __init__(self, cursors: Mapping[str, int], families: Iterable[str] = FAMILIES, told: Collection[str] = FAMILIES) -> None:
        self._families = {name: _Family(cursors.get(name, 0), cursors.get(name, 0), name in told) for name in families}
        self._at: int | None = None
        self.moved = True

    @property
    def cursors(self) -> dict[str, int]:
        """What may be remembered: all events of that family up to it were accepted."""
        return {name: one.cursor for name, one in self._families.items()}

    @property
    def held(self) -> tuple[str, ...]:
        """Families that nobody takes at present."""
        return tuple(name for name, one in self._families.items() if one.held is not None)

    @property
    def probes(self) -> tuple[Record, ...]:
        """The oldest owed event of each held family, oldest first."""
        return tuple(sorted((one.held for one in self._families.values() if one.held is not None), key=lambda record: record.seq))

    def _position(self) -> int | None:
        return min((one.read for one in self._families.values() if one.held is None), default=None)

    def begin(self) -> int | None:
        """Start a pass: the sequence after which to read, or None while every family is held."""
        self.moved, self._at = False, self._position()
        return self._at

    def wants(self, record: Record) -> bool:
        """Whether ``offer`` would make a parcel of it."""
        mine = self._families[family(record.event.type)]
        return mine.told and not self.moved and mine.held is None and record.seq > mine.read

    def waits(self, record: Record) -> bool:
        """Whether the pass must wait with it until something under way is settled (rule 5)."""
        mine = self._families[family(record.event.type)]
        return bool(mine.under_way) and not mine.proven

    def offer(self, record: Record) -> Parcel | None:
        """The next record of the pass: a parcel, to be sent at once, or None when it is not to be sent (now)."""
        wanted = self.wants(record)
        if self.moved:
            return None
        self._at = record.seq
        for one in self._families.values():
            if one.held is None:
                one.read = max(one.read, record.seq)
        if not wanted:
            return None
        mine = self._families[family(record.event.type)]
        mine.under_way.append(Parcel(record, mine.round))
        return mine.under_way[-1]

    def accepted(self, parcel: Parcel) -> None:
        """The other side has it."""
        mine = self._families[family(parcel.record.event.type)]
        if parcel.round != mine.round:
            if mine.held is not None:
                self._release()
            return
        parcel.accepted = mine.proven = True
        while mine.under_way and mine.under_way[0].accepted:
            mine.done = mine.under_way.popleft().record.seq

    def refused(self, parcel: Parcel) -> bool:
        """The other side does not take it; whether that began a hold."""
        mine = self._families[family(parcel.record.event.type)]
        if parcel.round != mine.round or parcel.record.seq <= mine.done:
            return False
        mine.held = mine.under_way[0].record
        mine.back()
        self.moved = self.moved or self._position() != self._at  # jump over what only the held family has not seen
        return True

    def probed(self, record: Record) -> None:
        """A probe was accepted."""
        mine = self._families[family(record.event.type)]
        if mine.held is record:
            mine.done = mine.read = record.seq
            mine.proven = True
            self._release()

    def _release(self) -> None:
        for one in self._families.values():
            one.held = None
        self.moved = True

    def confirmed(self, seq: int) -> None:
        """Who the events are for has everything up to ``seq``, whatever the broker said."""
        for one in self._families.values():
            while one.under_way and one.under_way[0].record.seq <= seq:
                one.under_way.popleft()
            one.done, one.read = max(one.done, seq), max(one.read, seq)
            if one.held is not None and one.held.seq <= seq:
                one.held, self.moved = None, True

    def rewind(self, seq: int) -> None:
        """Everything after ``seq`` is owed again, whatever the broker said."""
        for one in self._families.values():
            one.done = min(one.done, seq)
        self.disconnected()

    def disconnected(self) -> None:
        """The connection is gone: what was under way may or may not have arrived, so it is owed; every hold is forgotten."""
        for one in self._families.values():
            one.back()
            one.held = None
        self.moved = True
