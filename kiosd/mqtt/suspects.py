"""Which event kills connections: a broker or something on the way may end the connection at the sight of it. Pure: no I/O, no clock.

Rule 1  Only a sudden end counts: the connection had worked, the other side cut it, and within ``SUDDEN_S`` of the event's sending. A dead
        wire, a keepalive that ran out and a broker that shuts down are nobody's fault.
Rule 2  Whatever was under way at the first such end is suspected, and goes alone from then on, so that the second and third end accuse one.
Rule 3  An event that was under way, alone, at three such ends in a row is guilty. One that is answered is innocent, and so are all
        suspects after an end that was none of theirs.
"""

from collections.abc import Collection

STRIKES = 3
SUDDEN_S = 5.0


class Suspects:
    """The events that were under way when connections ended, by sequence."""

    def __init__(self) -> None:
        self._strikes: dict[int, int] = {}

    def __bool__(self) -> bool:
        """Whether events must go alone."""
        return bool(self._strikes)

    def ended(self, under_way: Collection[int], sudden: bool) -> int | None:
        """A connection ended; the event that is guilty of three such ends in a row, if there is one."""
        accused = under_way if sudden else ()
        if self._strikes and len(accused) > 1:
            accused = ()  # those that went alone are not the ones
        self._strikes = {seq: self._strikes.get(seq, 0) + 1 for seq in accused if not self._strikes or seq in self._strikes}
        guilty = next((seq for seq, count in self._strikes.items() if count >= STRIKES), None)
        if guilty is not None:
            self._strikes.clear()
        return guilty

    def answered(self, seq: int) -> None:
        """The other side took ``seq`` or said no: it did no harm."""
        self._strikes.pop(seq, None)
