"""The bench runs, says so when a bound is missed, and never takes memory for a disk. What it measures is not judged here."""

import json
from pathlib import Path

import pytest

from bench import history, suite
from bench.figures import Bound, Figure, Pair, Spread, as_json, compared, in_page, table
from bench.issuers import missing, repeated, skipped
from kiosd.journal.journal import FILE, Audit

TINY = suite.Counts(
    durable=3, presses=2, commands=2, tickets=40, idle_s=0.05, starts=1, old_events=200, old_days=2, old_presses=3, reports=1,
    backlog=200, drains=1, visits=2, sites=20, fleet_s=0.5, scans=2, slips=1,
)  # fmt: skip


def figure(measured: float, limit: float | None, bound: Bound | None) -> Figure:
    return Figure("f", "ms", Spread(measured), None if limit is None else Spread(limit), "a limit", bound)


@pytest.mark.parametrize(
    ("measured", "limit", "bound", "verdict"),
    [
        (4.0, 2.0, Bound("ratio", 2.0), "ok"),
        (4.1, 2.0, Bound("ratio", 2.0), "falls short"),
        (4.0, None, Bound("ratio", 2.0), "falls short"),
        (0.2, 9.0, Bound("value", 0.2), "ok"),
        (0.21, 9.0, Bound("value", 0.2), "falls short"),
        (0.0, None, Bound("value", 0), "ok"),
        (1.0, None, Bound("value", 0), "falls short"),
        (9.0, 1.0, None, ""),
    ],
)
def test_verdict(measured: float, limit: float | None, bound: Bound | None, verdict: str) -> None:
    assert figure(measured, limit, bound).verdict == verdict


def test_the_middle_of_many_decides_and_the_tail_is_shown() -> None:
    it = compared("press", "ms", Pair(ours=[3.0] * 99 + [50.0, 60.0], raw=[2.0] * 5), "a commit", Bound("ratio", 2.0))
    assert it.ratio == 1.5 and it.verdict == "ok"
    row = table([it]).splitlines()[2]
    assert [cell.strip() for cell in row.strip("|").split("|")] == ["press", "3 ms (p99 50)", "2 ms: a commit", "1.50x", "<= 2x", "ok"]


def test_nothing_measured_is_no_figure() -> None:
    with pytest.raises(ValueError, match="nothing was measured"):
        compared("press", "ms", Pair(), "a commit")


def test_the_table_goes_between_the_marks_of_a_page() -> None:
    page = "before\n<!-- bench -->\nold\n<!-- end -->\nafter <!-- end -->\n"
    assert in_page(page, "new") == "before\n<!-- bench -->\nnew\n<!-- end -->\nafter <!-- end -->\n"
    with pytest.raises(ValueError, match="no place"):
        in_page("no marks", "new")


def test_json_has_verdicts() -> None:
    assert json.loads(as_json([figure(3.0, 1.0, Bound("ratio", 2.0))]))[0]["verdict"] == "falls short"


def test_gaps_and_repeats_are_found() -> None:
    assert missing(["A001", "A002", "B001", "B002"]) == 0 and repeated(["A001", "A002"]) == 0
    assert missing(["A001", "A004", "B001", "B003"]) == 3
    assert repeated(["A001", "A002", "A001"]) == 1
    assert skipped({5, 6, 9}) == 2 and skipped(set()) == 0


def test_memory_is_refused_as_a_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(suite, "file_system", lambda _path: "tmpfs")
    with pytest.raises(SystemExit, match="memory"):
        suite.measure(tmp_path, TINY, ["queue"])


@pytest.mark.parametrize(
    ("group", "rows"),
    [("queue", 1), ("uplink", 1), ("whole", 10), ("devices", 5), ("starts", 1), ("years", 2), ("reports", 7), ("fleet", 4)],
)
def test_every_group_measures(group: str, rows: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(suite, "file_system", lambda _path: "ext4")  # only that it runs: a tmpfs will do for tests
    found = suite.measure(tmp_path, TINY, [group])
    assert len(found) == rows
    exact = [it for it in found if it.bound == Bound("value", 0)]
    assert all(it.verdict == "ok" for it in exact)


def test_the_old_journal_is_whole_and_made_once(tmp_path: Path) -> None:
    made = history.old_journal(tmp_path, 300, 3)
    before = made.stat().st_mtime_ns
    assert history.old_journal(tmp_path, 300, 3) == made and made.stat().st_mtime_ns == before
    audit = Audit(tmp_path / "history-300" / FILE)
    assert audit.whole() >= 300
    audit.close()
