"""For every test: asyncio in debug mode, so that a coroutine that was never awaited and a call from the wrong thread show.

hypothesis has no deadline: a busy machine is no fault of the code, and time is measured by ``make bench``.
"""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from support.broker import Broker, broker
from support.manager import Manager, managing

os.environ.setdefault("PYTHONASYNCIODEBUG", "1")
settings.register_profile("kiosd", deadline=None)
settings.load_profile("kiosd")


@pytest.fixture
def mosquitto(tmp_path: Path) -> Iterator[Broker]:
    """A real broker, for the tests that name it."""
    with broker(tmp_path) as it:
        yield it


@pytest.fixture
def manager(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Manager]:
    """systemd, to which the program in this very process tells how it is."""
    with managing(tmp_path) as it:
        monkeypatch.setenv("NOTIFY_SOCKET", it.address)
        yield it
