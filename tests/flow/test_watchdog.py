"""systemd's watchdog and the whole daemon: signs of life go on while it is well, and stop when what only a new process heals hangs."""

import asyncio
import threading
from pathlib import Path
from typing import Any

import pytest

from kiosd import daemon, threads
from kiosd.journal.journal import Journal
from kiosd.queue.commands import IssueTicket
from kiosd.queue.local import LocalQueue
from kiosd.threads import VITAL
from support.daemon import serving
from support.kiosk import write_config
from support.manager import Manager

WATCHDOG_S = 0.03  # the daemon gives three signs of life in so long
SILENCE_S = 10 * WATCHDOG_S
HANGS_S = 30.0  # no test takes so long
SOME = 5  # signs of life in a row


@pytest.fixture(autouse=True)
def watched(manager: Manager, monkeypatch: pytest.MonkeyPatch) -> None:
    del manager
    monkeypatch.setenv("WATCHDOG_USEC", f"{WATCHDOG_S * 1e6:.0f}")
    monkeypatch.delenv("WATCHDOG_PID", raising=False)
    monkeypatch.setattr(VITAL, "_alive", {})
    monkeypatch.setattr(VITAL, "_dead_since", {})


@pytest.fixture
def config(tmp_path: Path) -> Path:
    return write_config(tmp_path)


async def test_a_daemon_that_is_well_gives_signs_of_life_from_its_start_to_its_stop(config: Path, tmp_path: Path, manager: Manager) -> None:
    async with serving(config, tmp_path / "state") as queue:
        await manager.signs(SOME)
        assert (await queue.execute(IssueTicket(service="F", slip=False))).done
        await manager.signs(SOME)
    await manager.starves(SILENCE_S)


async def test_without_a_watchdog_in_the_unit_nothing_is_fed(
    config: Path, tmp_path: Path, manager: Manager, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("WATCHDOG_USEC")
    async with serving(config, tmp_path / "state") as queue:
        assert (await queue.execute(IssueTicket(service="F", slip=False))).done
        assert not manager.fed()
        await manager.starves(SILENCE_S)


async def test_a_loop_that_hangs_starves_it(config: Path, tmp_path: Path, manager: Manager) -> None:
    async with serving(config, tmp_path / "state"):
        await manager.signs(SOME)
        manager.fed()
        manager.sock.settimeout(SILENCE_S)
        with pytest.raises(TimeoutError):
            manager.sock.recv(4096)  # in the daemon's own loop, which does nothing else meanwhile
        manager.sock.setblocking(False)
        await manager.signs(SOME)


class Stuck:
    """A system call in ``Journal``'s thread that does not come back, once ``hang`` was set, until ``free`` is."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, method: str) -> None:
        self.hang, self.free = threading.Event(), threading.Event()
        real = getattr(Journal, method)

        def stuck(journal: Journal, *args: Any) -> Any:
            if self.hang.is_set():
                self.free.wait(HANGS_S)
            return real(journal, *args)

        monkeypatch.setattr(Journal, method, stuck)


async def test_a_commit_that_hangs_starves_it(config: Path, tmp_path: Path, manager: Manager, monkeypatch: pytest.MonkeyPatch) -> None:
    stuck = Stuck(monkeypatch, "append")
    async with serving(config, tmp_path / "state") as queue, asyncio.TaskGroup() as tasks:
        await manager.signs(SOME)
        stuck.hang.set()
        asked = tasks.create_task(queue.execute(IssueTicket(service="F", slip=False)))
        await manager.starves(SILENCE_S)
        stuck.free.set()
        assert (await asked).done
        await manager.signs(SOME)


async def test_the_journals_thread_that_hangs_while_nobody_asks_anything_starves_it(
    config: Path, tmp_path: Path, manager: Manager, monkeypatch: pytest.MonkeyPatch
) -> None:
    stuck = Stuck(monkeypatch, "move")
    monkeypatch.setattr(daemon, "FLUSH_S", WATCHDOG_S)
    async with serving(config, tmp_path / "state"):
        await manager.signs(SOME)
        stuck.hang.set()
        await manager.starves(SILENCE_S)
        stuck.free.set()
        await manager.signs(SOME)


async def test_a_queue_that_decides_nothing_any_more_starves_it(
    config: Path, tmp_path: Path, manager: Manager, monkeypatch: pytest.MonkeyPatch
) -> None:
    goes_on, handle = asyncio.Event(), LocalQueue._handle
    goes_on.set()

    async def waits(queue: LocalQueue, batch: Any) -> None:
        await goes_on.wait()
        await handle(queue, batch)

    monkeypatch.setattr(LocalQueue, "_handle", waits)
    async with serving(config, tmp_path / "state"):
        await manager.signs(SOME)
        goes_on.clear()
        await manager.starves(SILENCE_S)
        goes_on.set()
        await manager.signs(SOME)


async def test_a_drivers_thread_that_is_dead_for_good_starves_it_until_it_lives_again(
    config: Path, tmp_path: Path, manager: Manager, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(threads, "DEAD_S", 3 * WATCHDOG_S)
    end = threading.Event()
    thread = threading.Thread(target=end.wait, args=(HANGS_S,), daemon=True)
    thread.start()
    VITAL.check("the pins' thread", thread.is_alive)
    async with serving(config, tmp_path / "state") as queue:
        await manager.signs(SOME)
        end.set()
        await manager.starves(SILENCE_S)
        assert "the pins' thread is dead, so systemd's watchdog gets no sign of life" in caplog.text
        assert (await queue.execute(IssueTicket(service="F", slip=False))).done, "all else goes on meanwhile"
        VITAL.check("the pins' thread", lambda: True)  # its driver has a new one
        await manager.signs(SOME)
