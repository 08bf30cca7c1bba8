"""The example consumer of docs/examples as a process of its own: the independent side, for it knows nothing of kiosd but its contract.

``python consumer.py HOST PORT FILE SECONDS`` runs it, and notes beside what it does in which order it applied what.
"""

import importlib.util
import json
import os
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from support.mqtt_peer import until

EXAMPLE = Path(__file__).parents[2] / "docs" / "examples" / "consumer.py"
STOP_S = 5.0


class Consumer:
    """The process; ``kill`` and ``start`` it as often as you like, its file stays."""

    def __init__(self, port: int, directory: Path, wait_s: float = 0.1) -> None:
        self.file = directory / "central.db"
        self._log = directory / "consumer.log"
        self._words = [sys.executable, __file__, "127.0.0.1", str(port), str(self.file), str(wait_s)]
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with self._log.open("ab") as out:
            self._process = subprocess.Popen(self._words, stderr=out, env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[1])})

    def kill(self) -> None:
        """End it as a power cut would."""
        if self._process is not None:
            self._process.send_signal(signal.SIGKILL)
            self._process.wait(STOP_S)
            self._process = None

    def said(self) -> str:
        """What it complained about."""
        return self._log.read_text()

    def _ask(self, sql: str) -> list[Any]:
        if not self.file.exists():
            return []
        with closing(sqlite3.connect(f"file:{self.file}?mode=ro", uri=True)) as db:
            try:
                return db.execute(sql).fetchall()
            except sqlite3.OperationalError:  # it has not made its tables yet
                return []

    def applied(self, stream: str) -> list[int]:
        """Sequences that it applied, in the order in which it did."""
        return [sequence for one, sequence in self._ask("SELECT stream, sequence FROM applied ORDER BY rowid") if one == stream]

    def totals(self) -> dict[str, int]:
        """What the example itself counted, by type."""
        return dict(self._ask("SELECT type, n FROM total"))

    async def until(self, stream: str, last: int, deadline: float = 10.0) -> None:
        """Return when it has applied event ``last`` of ``stream``."""
        await until(lambda: self.applied(stream)[-1:] >= [last], deadline, lambda: f"applied {self.applied(stream)[-5:]}; {self.said()}")


@contextmanager
def consumer(port: int, directory: Path, wait_s: float = 0.1) -> Any:
    """A running consumer."""
    it = Consumer(port, directory, wait_s)
    it.start()
    try:
        yield it
    finally:
        it.kill()


def watched() -> type[Any]:
    """The example's class, that also notes what arrived, and what it applied, in the order in which it did."""
    spec = importlib.util.spec_from_file_location("example", EXAMPLE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    example: type[Any] = module.Consumer

    class Watched(example):  # type: ignore[misc]  # a class found at run time
        def __init__(self, *args: Any) -> None:
            super().__init__(*args)
            self.db.execute("CREATE TABLE IF NOT EXISTS applied (stream TEXT, sequence INT)")
            self.db.execute("CREATE TABLE IF NOT EXISTS arrived (stream TEXT, sequence INT, text TEXT)")

        def store(self, root: str, kind: str, body: dict[str, Any]) -> Any:
            if kind == "ev":
                self.db.execute("INSERT INTO arrived VALUES (?, ?, ?)", (body["stream"], int(body["sequence"]), json.dumps(body)))
            return super().store(root, kind, body)

        def apply(self, event: dict[str, Any]) -> None:
            super().apply(event)
            self.db.execute("INSERT INTO applied VALUES (?, ?)", (event["stream"], int(event["sequence"])))

    return Watched


if __name__ == "__main__":
    watched()(sys.argv[1], int(sys.argv[2]), sys.argv[3], float(sys.argv[4])).run()
