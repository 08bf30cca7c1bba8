"""One well-formed example of every command, by name."""

from typing import Any

from kiosd.queue.commands import ALL, Command
from kiosd.queue.model import Role

CARD = "0123abcd-0123abcd-0123abcd-0123abcd"
_DIGEST = "-".join(["0123abcd"] * 8)
_PLACES: dict[str, Any] = {"counter": 1}

FIELDS: dict[str, dict[str, Any]] = {
    "issue": {"service": "A"},
    "reserve": {"service": "A", "count": 2},
    "enter": {"ticket": "A001"},
    "reprint": {"ticket": "A001"},
    "priority": {"ticket": "A001"},
    "category": {"ticket": "A001", "category": "masyarakat"},
    "call": {"counter": 1, "ticket": "A001", "reason": "lanjutan"},
    "absent": {"counter": 1, "force": "pulang"},
    "readmit": {"ticket": "A001"},
    "transfer": {"counter": 1, "service": "B"},
    "refer": {"counter": 1, "destination": "back_office", "reason": "lainnya"},
    "cancel": {"ticket": "A001"},
    "void": {"ticket": "A001"},
    "rate": {"counter": 1, "score": 4},
    "survey": {"counter": 1, "answers": {"waktu": 3}},
    "suspend": {"reason": "upacara"},
    "resume": {},
    "training": {"on": True},
    "repair": {"device": "printer", "until": "14:00", "reason": "macet"},
    "note": {"text": "listrik padam"},
    "close_day": {},
    "scan": {"counter": 1, "token": CARD},
    "reject_scan": {"counter": 1, "reason": "too_long"},
    "report_paper": {"ticket": "CTH01-20260701-A001", "outcome": "printed", "device": "printer"},
    "report_device": {"device": "printer", "state": "down"},
    "report_refusal": {"source": "mqtt", "command": "next", "code": "bad_field", "message": "counter: too big"},
    "report_quarantine": {"broker": "central", "sequence": 9, "kind": "ticket.issued", "code": "too_large"},
    "tick": {},
    "report_start": {"version": "1.0", "config_hash": "abc"},
    "report_stop": {},
    "seal_day": {"date": "2025-07-01", "first": 1, "last": 9, "head": _DIGEST, "sheet_sha256": _DIGEST},
    "erase_tokens": {"before": "2026-01-01", "first": 1, "last": 9, "rows": 2, "digest": _DIGEST},
}
"""Fields without which a command is none; a command that is not here needs a counter only."""
NAMES = tuple(kind.name for kind in ALL)
_KINDS = {kind.name: kind for kind in ALL}


def sample(name: str, actor: Role | None = None, **more: Any) -> Command:
    """A command of that name, asked for by ``actor``; ``more`` are other fields."""
    return _KINDS[name].model_validate({**FIELDS.get(name, _PLACES), "actor": actor, **more})
