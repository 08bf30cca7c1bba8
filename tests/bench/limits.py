"""What this machine can do at best, with nothing of ours: a commit of SQLite, a message through mosquitto, bytes through a pty."""

import os
import queue
import socket
import sqlite3
import threading
import time
import tty
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

from paho.mqtt.client import Client, MQTTMessage, MQTTv5
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

PATIENCE_S = 10.0
Arrival = tuple[float, MQTTMessage]
"""When it came, and what."""


class RawCommits:
    """One row per transaction, in WAL with synchronous=FULL: a durable row and nothing else."""

    def __init__(self, directory: Path, row_bytes: int) -> None:
        self._db = sqlite3.connect(directory / "raw.db", isolation_level=None, check_same_thread=False)
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute("PRAGMA synchronous = FULL")
        self._db.execute("CREATE TABLE IF NOT EXISTS raw (seq INTEGER PRIMARY KEY, data TEXT NOT NULL)")
        self._data = "x" * row_bytes

    def commit(self) -> None:
        """One row, on disk when this returns."""
        self._db.execute("INSERT INTO raw (data) VALUES (?)", (self._data,))

    def close(self) -> None:
        self._db.close()


@contextmanager
def raw_commits(directory: Path, row_bytes: int) -> Iterator[RawCommits]:
    """A ``RawCommits`` in ``directory`` with rows of ``row_bytes``."""
    with closing(RawCommits(directory, row_bytes)) as raw:
        yield raw


def timed(call: Callable[[], object]) -> float:
    """Milliseconds that ``call`` takes."""
    begin = time.perf_counter()
    call()
    return (time.perf_counter() - begin) * 1000


class RawClient:
    """paho as it comes, with TCP_NODELAY: publishes with QoS 1, and puts what it gets, with the time, into ``arrivals``."""

    def __init__(self, port: int, *patterns: str) -> None:
        self.arrivals: queue.SimpleQueue[Arrival] = queue.SimpleQueue()
        self._up = threading.Event()
        self._wanted = patterns
        self.client = Client(CallbackAPIVersion.VERSION2, protocol=MQTTv5)
        self.client.on_socket_open = _no_delay
        self.client.on_connect = self._connected
        self.client.on_subscribe = lambda *_: self._up.set()
        self.client.on_message = lambda _client, _data, message: self.arrivals.put((time.perf_counter(), message))
        self.client.connect("127.0.0.1", port)
        self.client.loop_start()
        if not self._up.wait(PATIENCE_S):
            raise TimeoutError("the broker does not answer")

    def _connected(self, client: Client, *_: Any) -> None:
        if self._wanted:
            client.subscribe([(pattern, 1) for pattern in self._wanted])
        else:
            self._up.set()

    def publish(self, topic: str, payload: bytes, reply_to: str = "") -> None:
        """Hand one message to paho."""
        properties = None
        if reply_to:
            properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]  # paho types it so
            properties.ResponseTopic = reply_to
        self.client.publish(topic, payload, qos=1, properties=properties)

    def wait(self, wanted: Callable[[MQTTMessage], bool]) -> Arrival:
        """The next message that is ``wanted``; others are thrown away. ``queue.Empty`` when none comes for 10 s."""
        while True:
            arrival = self.arrivals.get(timeout=PATIENCE_S)
            if wanted(arrival[1]):
                return arrival

    def close(self) -> None:
        self.client.disconnect()
        self.client.loop_stop()


def _no_delay(_client: Client, _data: Any, sock: Any) -> None:
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


@contextmanager
def raw_client(port: int, *patterns: str) -> Iterator[RawClient]:
    """A connected ``RawClient``, subscribed to ``patterns``."""
    with closing(RawClient(port, *patterns)) as client:
        yield client


@contextmanager
def raw_answerer(port: int, topic: str, commits: RawCommits) -> Iterator[None]:
    """Somebody who answers what comes on ``topic`` as fast as can be: one commit, then the same bytes back."""

    def answer(client: Client, _data: Any, message: MQTTMessage) -> None:
        commits.commit()
        client.publish(message.properties.ResponseTopic, message.payload, qos=1)  # type: ignore[union-attr]  # MQTT 5 has them

    with raw_client(port, topic) as answerer:
        answerer.client.on_message = answer
        yield


class RawPty:
    """Both ends of a serial line in this process: bytes in here, and the time at which the far side had the last of them."""

    def __init__(self) -> None:
        self._far, self._near = os.openpty()
        tty.setraw(self._near)
        self._wanted = 0
        self._came: queue.SimpleQueue[float] = queue.SimpleQueue()
        threading.Thread(target=self._read, name="raw-pty", daemon=True).start()

    def _read(self) -> None:
        got = 0
        with suppress(OSError), closing(os.fdopen(self._far, "rb", buffering=0)) as far:  # OSError: our end was closed
            while data := far.read(65_536):
                now = time.perf_counter()
                got += len(data)
                if got >= self._wanted:
                    got = 0
                    self._came.put(now)

    def send(self, data: bytes) -> float:
        """Write ``data``; when its last byte was read at the far side."""
        self._wanted = len(data)
        rest = memoryview(data)
        while rest:
            rest = rest[os.write(self._near, rest) :]
        return self._came.get(timeout=PATIENCE_S)

    def close(self) -> None:
        """Close our end; the reader sees it and closes the far one."""
        os.close(self._near)
