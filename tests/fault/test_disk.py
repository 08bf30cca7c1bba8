"""A disk that fails: the daemon leaves at once with status 74 and never retries; what it acknowledged is there when it comes back.

The faults are real: strace makes the kernel's answer to fdatasync an I/O error, and RLIMIT_FSIZE ends the file as a full disk does.
"""

import shutil
import signal
from pathlib import Path

import pytest

from kiosd.errors import Unavailable
from kiosd.queue import commands as cmd
from support.checker import Seen, findings, read_journal
from support.kiosk import Kiosk


async def _issue_until_it_leaves(kiosk: Kiosk, seen: Seen) -> int:
    try:
        async with kiosk.queue(timeout=20) as queue:
            for _ in range(5000):
                command = cmd.IssueTicket(service="F")
                seen.acknowledged[command.id] = (await queue.execute(command)).model_dump(mode="json")
    except* Unavailable:
        pass
    assert kiosk.process is not None
    return kiosk.process.wait(20)


async def _comes_back_whole(kiosk: Kiosk, seen: Seen) -> None:
    await kiosk.start()
    async with kiosk.queue() as queue:
        command = cmd.IssueTicket(service="G")
        seen.acknowledged[command.id] = (await queue.execute(command)).model_dump(mode="json")
    assert kiosk.stop() == 0
    rows = read_journal(kiosk.state / "journal.db")
    stored = [found for found in findings(rows, seen) if "arrived" not in found]
    assert stored == []


async def test_a_failed_fsync_is_fatal_and_loses_nothing_that_was_acknowledged(tmp_path: Path) -> None:
    strace = shutil.which("strace")
    assert strace, "strace is needed to make fsync fail: apt install strace (make test does it)"
    inject = "inject=fdatasync,fsync:error=EIO:when=30+"
    seen = Seen()
    with Kiosk(tmp_path, prefix=[strace, "-f", "-qq", "-o", "/dev/null", "-e", "trace=fdatasync,fsync", "-e", inject]) as kiosk:
        await kiosk.start()
        assert await _issue_until_it_leaves(kiosk, seen) == 74
        assert seen.acknowledged and "disk I/O error" in kiosk.log.read_text()
    with Kiosk(tmp_path) as kiosk:
        await _comes_back_whole(kiosk, seen)


async def test_a_full_disk_is_fatal_and_loses_nothing_that_was_acknowledged(tmp_path: Path) -> None:
    prlimit = shutil.which("prlimit")
    assert prlimit, "prlimit is part of util-linux, which Debian always has"
    seen = Seen()
    with Kiosk(tmp_path, prefix=[prlimit, f"--fsize={512 * 1024}"]) as kiosk:
        await kiosk.start()
        assert await _issue_until_it_leaves(kiosk, seen) == 74
        assert len(seen.acknowledged) > 20
        assert "journal: cannot write" in kiosk.log.read_text()
    with Kiosk(tmp_path) as kiosk:
        await _comes_back_whole(kiosk, seen)


async def test_a_damaged_journal_is_refused_with_the_place_of_the_damage(tmp_path: Path) -> None:
    with Kiosk(tmp_path) as kiosk:
        await kiosk.start()
        async with kiosk.queue() as queue:
            await queue.execute(cmd.IssueTicket(service="F"))
        assert kiosk.stop() == 0
        path = kiosk.state / "journal.db"
        path.write_bytes(path.read_bytes().replace(b'"number":"F001"', b'"number":"F007"'))
        kiosk.log.unlink()
        kiosk.spawn({})
        assert kiosk.process is not None
        assert kiosk.process.wait(20) == 74
        assert "has been changed: its hash does not fit" in kiosk.log.read_text()


async def test_a_second_daemon_says_who_holds_the_state_directory(tmp_path: Path) -> None:
    with Kiosk(tmp_path) as first, Kiosk(tmp_path) as second:
        await first.start()
        second.spawn({})
        assert first.process is not None and second.process is not None
        assert second.process.wait(20) == 74
        assert f"process {first.process.pid}" in second.log.read_text()
        async with first.queue() as queue:
            assert (await queue.execute(cmd.IssueTicket(service="F"))).done


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_clean_stop_is_status_0_and_says_so(tmp_path: Path, number: signal.Signals) -> None:
    with Kiosk(tmp_path) as kiosk:
        await kiosk.start()
        assert kiosk.process is not None
        kiosk.process.send_signal(number)
        assert kiosk.process.wait(10) == 0
        assert read_journal(kiosk.state / "journal.db")[-1]["type"] == "system.stopped"
        assert not (kiosk.state / "control.sock").exists()


async def test_a_state_directory_in_memory_is_refused_unless_allowed(tmp_path: Path) -> None:
    with Kiosk(tmp_path) as kiosk:
        kiosk.state = Path("/dev/shm") / f"kiosd-{tmp_path.name}"
        kiosk.state.mkdir()
        try:
            kiosk.spawn({}, volatile=False)
            assert kiosk.process is not None
            assert kiosk.process.wait(20) == 78
            assert "a reboot empties it" in kiosk.log.read_text()
        finally:
            shutil.rmtree(kiosk.state)
