"""The satellite's spool file: order, once, durable settings, ages across a power cut, bounds, and files that are damaged."""

import resource
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kiosd.clock import ManualClock, Moment
from kiosd.errors import DeviceError
from kiosd.journal.spool import FILE, SET_ASIDE, Kept, Spool, open_spool
from kiosd.queue.commands import Command, Rate, ReportDevice, Survey
from support.site import WEDNESDAY

NOW = ManualClock(WEDNESDAY).now()


@contextmanager
def spool(path: Path, **limits: int) -> Iterator[Spool]:
    with closing(Spool(path, **limits)) as it:
        yield it


def later(seconds: float, moment: Moment = NOW) -> Moment:
    return replace(moment, time=moment.time + timedelta(seconds=seconds), monotonic=moment.monotonic + seconds)


def rebooted(moment: Moment, synced: bool = True) -> Moment:
    return replace(moment, monotonic=5.0, boot="another", synced=synced)


def rate(score: int = 4, **fields: float) -> Rate:
    return Rate.model_validate({"counter": 1, "score": score, **fields})


def down(device: str = "printer", code: str = "paper_out") -> ReportDevice:
    return ReportDevice(device=device, state="down", code=code)


def drained(it: Spool) -> list[Command | None]:
    """All commands, taken out one by one."""
    out: list[Command | None] = []
    while (kept := it.first()) is not None:
        out.append(kept.command)
        it.remove([kept.seq])
    return out


def test_what_is_put_comes_out_whole_and_in_order_also_from_another_process(tmp_path: Path) -> None:
    commands: list[Command] = [rate(3), Survey(counter=2, answers={"waktu": 4}), down(), rate(1, age_s=2.5)]
    with spool(tmp_path / FILE) as it:
        for command in commands:
            it.put(command, NOW)
        assert it.first() == Kept(1, commands[0], NOW) == it.first()
    with spool(tmp_path / FILE) as it:
        assert drained(it) == commands
        assert it.first() is None
    with spool(tmp_path / FILE) as it:
        assert it.first() is None and it.set_aside == "" and it.lost == {}


def test_a_command_is_kept_once_however_often_it_is_put(tmp_path: Path) -> None:
    command = rate()
    with spool(tmp_path / FILE) as it:
        it.put(command, NOW)
        it.put(command, later(1))
        assert drained(it) == [command]


def test_health_that_says_the_same_again_is_kept_once_but_a_change_back_is_not_forgotten(tmp_path: Path) -> None:
    ok = ReportDevice(device="printer", state="ok")
    with spool(tmp_path / FILE) as it:
        for report in (first := down(), down(), other := down("scanner"), down(), ok, ok.model_copy(update={"id": "x"}), last := down()):
            it.put(report, NOW)
        assert drained(it) == [first, other, ok, last]


def test_every_commit_reaches_the_disk(tmp_path: Path) -> None:
    with spool(tmp_path / FILE) as it:
        it.put(rate(), NOW)
        copy = tmp_path / "after-a-power-cut.db"
        copy.write_bytes((tmp_path / FILE).read_bytes())
        copy.with_name(f"{copy.name}-wal").write_bytes((tmp_path / f"{FILE}-wal").read_bytes())
        pragmas = [it._db.execute(f"PRAGMA {name}").fetchone()[0] for name in ("journal_mode", "synchronous")]
        assert pragmas == ["wal", 2], "2 is FULL: an fsync for every commit"
    with spool(copy) as it:
        assert it.first() is not None


@pytest.mark.parametrize(
    ("then", "now", "age"),
    [
        (NOW, later(300), 300.0),
        (NOW, replace(later(300), time=NOW.time - timedelta(days=2)), 300.0),
        (replace(NOW, synced=False), replace(later(300), time=NOW.time + timedelta(days=2)), 300.0),
        (NOW, rebooted(later(7200)), 7200.0),
        (NOW, rebooted(later(-60)), 0.0),
        (NOW, rebooted(later(7200), synced=False), None),
        (replace(NOW, synced=False), rebooted(later(7200)), None),
    ],
    ids=["same boot", "clock set back", "clock set right", "power cut", "clocks that differ", "no clock yet", "no clock then"],
)
def test_the_age_of_a_press(then: Moment, now: Moment, age: float | None, tmp_path: Path) -> None:
    with spool(tmp_path / FILE) as it:
        it.put(rate(age_s=1.5), then)
        kept = it.first()
        assert kept is not None
        assert kept.age_s(now) == (None if age is None else age + 1.5)


def test_too_old_are_the_presses_at_the_front_and_never_health(tmp_path: Path) -> None:
    with spool(tmp_path / FILE) as it:
        for number, command in enumerate((rate(), down(), rate(), rate())):
            it.put(command, later(number * 3600))
        assert it.too_old(later(3.5 * 3600), 3600.0) == [1, 3]
        assert it.too_old(rebooted(later(99 * 3600), synced=False), 3600.0) == [], "nobody knows how old they are"


def test_a_full_spool_gives_up_old_health_first_and_then_the_oldest_press_which_it_counts(tmp_path: Path) -> None:
    with spool(tmp_path / FILE, max_rows=5) as it:
        presses = [rate(4), rate(3), rate(2), rate(1)]
        it.put(down(code="a"), NOW)
        it.put(presses[0], NOW)
        it.put(down("scanner"), NOW)
        it.put(down(code="b"), NOW)
        it.put(presses[1], NOW)
        it.put(presses[2], NOW)
        assert it.lost == {}, "the newest health of each device is enough"
        it.put(presses[3], NOW)
        assert it.lost == {"full": 1}
    with spool(tmp_path / FILE, max_rows=5) as it:
        assert it.lost == {"full": 1}, "counted until somebody was told"
        it.forget_lost()
        rows = drained(it)
        assert rows[2:] == presses[1:] and [row.name for row in rows[:2] if row] == ["report_device", "report_device"]
    with spool(tmp_path / FILE) as it:
        assert it.lost == {}


def test_the_spool_is_bounded_in_bytes_too(tmp_path: Path) -> None:
    size = len(rate().model_dump_json())
    with spool(tmp_path / FILE, max_bytes=3 * size + 10) as it:
        for score in (4, 3, 2, 1):
            it.put(rate(score), NOW)
        assert it.lost == {"full": 1}
        assert [getattr(command, "score", 0) for command in drained(it)] == [3, 2, 1]


def test_ten_thousand_presses_stay_a_small_file(tmp_path: Path) -> None:
    path = tmp_path / FILE
    with spool(path) as it:
        it._db.execute("PRAGMA synchronous = OFF")  # the bound is tested here, not the disk
        for _ in range(10_050):
            it.put(rate(), NOW)
        assert it.lost == {"full": 50}
    assert path.stat().st_size < 8 * 1024 * 1024


def _garbage(path: Path) -> None:
    path.write_bytes(b"\xa5" * 8192)


def _newer(path: Path) -> None:
    with closing(sqlite3.connect(path)) as db:
        db.execute("PRAGMA user_version = 7")


def _foreign(path: Path) -> None:
    with closing(sqlite3.connect(path)) as db:
        db.executescript("DROP TABLE spool; CREATE TABLE spool (cotton TEXT)")


def _torn(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[4096:] = b"\x00" * (len(content) - 4096)
    path.write_bytes(content)


@pytest.mark.parametrize("spoil", [_garbage, _newer, _foreign, _torn])
def test_a_file_that_is_no_good_is_set_aside_and_a_new_one_begun(spoil: object, tmp_path: Path) -> None:
    path = tmp_path / FILE
    with spool(path) as it:
        it.put(rate(), NOW)
    assert callable(spoil)
    spoil(path)
    spoilt = path.read_bytes()
    with spool(path) as it:
        assert it.set_aside
        assert it.first() is None
        it.put(command := rate(1), NOW)
    assert (tmp_path / SET_ASIDE).read_bytes() == spoilt
    with spool(path) as it:
        assert it.set_aside == "" and drained(it) == [command]


def test_a_power_cut_while_a_file_is_set_aside_leaves_no_wal_that_is_believed(tmp_path: Path) -> None:
    path = tmp_path / FILE
    with spool(path) as it:
        it.put(rate(), NOW)
        wal = (tmp_path / f"{FILE}-wal").read_bytes()
    path.rename(tmp_path / SET_ASIDE)  # and the power fails before the WAL is renamed too
    (tmp_path / f"{FILE}-wal").write_bytes(wal)
    with spool(path) as it:
        assert it.first() is None and it.set_aside == ""
    _garbage(path)
    with spool(path) as it:
        assert it.set_aside, "a second time, over what was set aside before"


def test_a_letter_that_changed_on_the_disk_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / FILE
    with spool(path) as it:
        it.put(rate(4), NOW)
        it.put(good := rate(2), NOW)
    content = path.read_bytes()
    assert content.count(b'"score":4') == 1
    path.write_bytes(content.replace(b'"score":4', b'"score":1'))
    with spool(path) as it:
        kept = it.first()
        assert kept is not None and kept.command is None
        it.remove([kept.seq], "unreadable")
        assert it.lost == {"unreadable": 1}
        assert drained(it) == [good]


def test_a_disk_that_takes_no_more_is_a_device_error_and_what_was_there_stays(tmp_path: Path) -> None:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    put: list[Command] = []
    it = Spool(tmp_path / FILE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (128 * 1024, before[1]))
    try:
        with pytest.raises(DeviceError, match="spool: cannot write"):
            for _ in range(1000):
                it.put(command := rate(), NOW)
                put.append(command)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    with pytest.raises(DeviceError):
        it.close()
        it.first()
    with spool(tmp_path / FILE) as again:
        assert len(put) > 5 and drained(again)[: len(put)] == put


def test_a_place_that_cannot_be_written_is_a_device_error_in_words(tmp_path: Path) -> None:
    with pytest.raises(DeviceError, match=r"spool: cannot open .*unable to open"):
        Spool(tmp_path / "nowhere" / FILE)


async def test_the_spool_in_its_lane_closes_the_file(tmp_path: Path) -> None:
    async with open_spool(tmp_path / FILE) as disk:
        await disk.do(lambda it: it.put(rate(), NOW))
        assert (await disk.do(lambda it: it.first())) is not None
    assert not (tmp_path / f"{FILE}-wal").exists(), "the WAL is folded into the file"


@settings(max_examples=20, deadline=None)
@given(st.lists(st.sampled_from(["press", "printer", "scanner", "take", "open"]), max_size=25))
def test_whatever_happens_presses_come_out_once_and_in_order(tmp_path_factory: pytest.TempPathFactory, steps: list[str]) -> None:
    path = tmp_path_factory.mktemp("spool") / FILE
    put: list[str] = []
    taken: list[str] = []
    it = Spool(path)
    for step in [*steps, *["take"] * len(steps)]:
        match step:
            case "press":
                it.put(command := rate(), NOW)
                put.append(command.id)
            case "take":
                if (kept := it.first()) is not None:
                    it.remove([kept.seq])
                    taken += [kept.command.id] if isinstance(kept.command, Rate) else []
            case "open":
                it.close()
                it = Spool(path)
            case device:
                it.put(down(device), NOW)
    assert it.first() is None
    it.close()
    assert taken == put
