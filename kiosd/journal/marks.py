"""What an uplink remembers beside its cursors. Written like them: with the next commit or by ``move``."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Kept:
    """``broker`` keeps a retained message of ours on ``topic``, or does not any more."""

    broker: str
    topic: str
    kept: bool = True


@dataclass(frozen=True, slots=True)
class Quarantine:
    """``broker`` is not told event ``seq``, of type ``kind``; ``code`` says why, ``time`` since when."""

    broker: str
    seq: int
    kind: str
    code: str
    time: str


Mark = Kept | Quarantine
