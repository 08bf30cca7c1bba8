"""Who asks for tokens to be erased, and what is answered: on the command line, over a link, by the daemon."""

import asyncio
import json
import sys
from datetime import UTC, datetime, timedelta
from io import StringIO
from pathlib import Path

import pytest

from kiosd.cli import main
from kiosd.clock import ManualClock
from kiosd.errors import JournalError, Refused
from kiosd.journal.place import lock
from kiosd.links.base import Message
from kiosd.links.memory import memory_pair
from kiosd.links.unix import serve_unix
from kiosd.queue.remote import RemoteQueue
from kiosd.queue.server import serve_queue
from kiosd.reports import erasure
from support.kiosk import Kiosk
from support.listqueue import ListQueue
from support.olddays import NIGHT, PER_DAY, TODAY, aged, bytes_of, day, days_before, keeping, on_disk, proofs, token_of, whole


class Typed(StringIO):
    def isatty(self) -> bool:
        return True


def test_on_the_command_line_where_no_daemon_runs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = aged(tmp_path, 3)
    monkeypatch.setattr(erasure, "SystemClock", lambda: ManualClock(NIGHT))
    words = ["erase", "--tokens-before", TODAY.isoformat(), "--state", str(tmp_path)]
    monkeypatch.setattr("sys.stdin", StringIO())
    assert main(words) == 2, "nobody there to be asked"
    assert "say --yes" in capsys.readouterr().err
    monkeypatch.setattr("sys.stdin", Typed("no\n"))
    assert main(words) == 1
    out, err = capsys.readouterr()
    assert out == "" and "6 scans before 2026-07-01 lose their token for ever" in err and "nothing was erased" in err
    assert on_disk(path, 3) == {day(2), day(1), TODAY} and proofs(path) == []
    with lock(tmp_path):
        assert main([*words, "--yes"]) == 74
    assert "is in use by" in capsys.readouterr().err
    monkeypatch.setattr("sys.stdin", Typed("yes\n"))
    assert main(words) == 0
    last = 3 * 18 + 2
    assert capsys.readouterr().out == (
        f"The tokens of 6 scans before 2026-07-01 are erased: 2 events from {last - 1} to {last} prove it.\n"
    )
    assert on_disk(path, 3) == {TODAY} and whole(path) == last
    assert main([*words, "--yes"]) == 0
    assert capsys.readouterr().out == "No scan before 2026-07-01 has a token: there was nothing to erase.\n"
    assert main([*words, "--yes", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["scans"] == 0
    assert whole(path) == last, "no second proof"


@pytest.mark.parametrize("words", ["2026-7-1", "20260701", "yesterday", "2026-13-01", ""])
def test_a_date_that_is_none(tmp_path: Path, words: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["erase", "--yes", "--tokens-before", words, "--state", str(tmp_path)]) == 2
    assert "DATE is a day" in capsys.readouterr().err


def test_where_no_daemon_runs_a_day_that_has_not_come_is_refused_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = aged(tmp_path, 2)
    assert main(["erase", "--yes", "--tokens-before", "2962-07-01", "--state", str(tmp_path)]) == 1
    assert "2962-07-01 has not come" in capsys.readouterr().err
    assert on_disk(path, 2) == {day(1), TODAY}


def test_where_there_is_no_journal(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["erase", "--yes", "--tokens-before", "2020-07-01", "--state", str(tmp_path)]) == 74
    assert "no journal in" in capsys.readouterr().err


async def test_over_a_link_by_the_daemon(tmp_path: Path) -> None:
    path = aged(tmp_path, 3)
    async with keeping(tmp_path) as (queue, retention), serve_unix(tmp_path / "control.sock") as link, asyncio.TaskGroup() as tasks:
        started = asyncio.Event()
        serving = tasks.create_task(serve_queue(queue, link, started=started, erase=retention.erase))
        await started.wait()
        said = []
        for more in (["--json"], [], ["--tokens-before", "2026-07-02"]):
            words = ["-m", "kiosd", "erase", "--yes", "--tokens-before", "2026-07-01", *more, "--state", str(tmp_path)]
            process = await asyncio.create_subprocess_exec(sys.executable, *words, stdout=-1, stderr=-1)
            out, err = await process.communicate()
            said.append((process.returncode, out.decode() + err.decode()))
        serving.cancel()
    assert said[0][0] == 0 and json.loads(said[0][1])["scans"] == 2 * PER_DAY
    assert said[1] == (0, "No scan before 2026-07-01 has a token: there was nothing to erase.\n")
    assert said[2] == (1, "kiosd: 2026-07-02 has not come: the newest day that can be named is today, 2026-07-01\n")
    whole(path)


async def test_the_daemon_itself(tmp_path: Path) -> None:
    with Kiosk(tmp_path) as kiosk:
        path = aged(kiosk.state, 5, today=datetime.now(UTC).date() - timedelta(days=2))
        await kiosk.start()
        async with kiosk.queue() as queue:
            before = (await queue.snapshot()).date
            assert (await queue.erase(before, count_only=True))["scans"] == 5 * PER_DAY
            assert (await queue.erase(before, count_only=False))["emptied"]
            assert (await queue.verify())["ok"]
            content = bytes_of(path)
            days = days_before(datetime.now(UTC).date(), 9)
            assert not [one for one in days for n in range(1, PER_DAY + 1) if token_of(one, n).encode() in content]
        assert kiosk.stop() == 0
    whole(path)


@pytest.mark.parametrize("payload", [b"", b"{}", b'{"before": "July"}', b'{"before": "2026-07-01", "count_only": 1}', b'{"before": 5}'])
async def test_a_malformed_question_erases_nothing(payload: bytes) -> None:
    asked: list[tuple[str, bool]] = []

    async def erase(before: str, count_only: bool) -> dict[str, object]:
        asked.append((before, count_only))
        raise JournalError("it is damaged")

    async with asyncio.timeout(10), memory_pair() as (here, there), asyncio.TaskGroup() as tasks:
        started = asyncio.Event()
        serving = tasks.create_task(serve_queue(ListQueue(), here, started=started, erase=erase))
        await started.wait()
        async with there.subscribe("me") as answers:
            tasks.create_task(there.publish(Message("ask/erase", payload, reply_to="me", correlation=b"1")))
            answer = json.loads((await anext(answers)).payload)
        assert (answer["status"], answer["code"], asked) == ("rejected", "malformed", [])
        with pytest.raises(JournalError, match="it is damaged"):
            await RemoteQueue(there).erase("2026-07-01", count_only=True)
        assert asked == [("2026-07-01", True)]
        serving.cancel()


async def test_a_queue_that_cannot_erase_says_so() -> None:
    async with asyncio.timeout(10), memory_pair() as (here, there), asyncio.TaskGroup() as tasks:
        started = asyncio.Event()
        serving = tasks.create_task(serve_queue(ListQueue(), here, started=started))
        await started.wait()
        with pytest.raises(Refused, match="unknown_ask"):
            await RemoteQueue(there).erase("2026-07-01", count_only=False)
        serving.cancel()
