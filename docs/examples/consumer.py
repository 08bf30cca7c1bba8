"""A central system's consumer in small: every event of every kiosk, once, in order, through any outage. Needs paho-mqtt 2.1 or newer.
python consumer.py HOST PORT FILE [SECONDS to wait for what is missing]      and then: sqlite3 FILE 'SELECT * FROM total'"""

import json
import queue
import sqlite3
import sys
import time
from contextlib import suppress

from paho.mqtt.client import CallbackAPIVersion, Client, MQTTMessage, MQTTv5, PacketTypes, Properties

NAME, NODES = "central", "kiosd/1/+/+"
SCHEMA = """PRAGMA journal_mode = WAL; CREATE TABLE IF NOT EXISTS total (type TEXT PRIMARY KEY, n INT);
CREATE TABLE IF NOT EXISTS stream (id TEXT PRIMARY KEY, root TEXT, last INT DEFAULT 0, newest INT DEFAULT 0);
CREATE TABLE IF NOT EXISTS event (stream TEXT, sequence INT, upto INT, text TEXT, PRIMARY KEY (stream, sequence)) WITHOUT ROWID;"""
NEW = "INSERT INTO stream (id, root, newest) VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET newest = max(newest, ?3) RETURNING id, last"
NOW = "SELECT id, last, max(rowid) FROM stream WHERE root = ?"  # a new memory card is a new stream: the one before is over
GAPS = "SELECT id, root, last, min(newest, last + 100000), max(rowid) FROM stream GROUP BY root HAVING last < newest"


class Consumer:
    def __init__(self, host: str, port: int, file: str, wait_s: float = 5.0) -> None:
        self.db, self.wait_s, self.gaps, self.inbox = sqlite3.connect(file), wait_s, {}, queue.SimpleQueue()
        self.db.executescript(SCHEMA)
        self.client = Client(CallbackAPIVersion.VERSION2, f"consumer-{NAME}", protocol=MQTTv5, manual_ack=True)
        self.client.on_message = lambda _client, _data, message: self.inbox.put(message)  # in paho's thread: hand over, no more
        self.client.on_connect = lambda client, *_: client.subscribe([(f"{NODES}/{one}", 1) for one in ("ev/#", "queue", f"reply/{NAME}")])
        keep = Properties(PacketTypes.CONNECT)
        keep.SessionExpiryInterval = 86_400  # what comes while this program is away waits at the broker
        self.client.connect_async(host, port, keepalive=20, clean_start=False, properties=keep)  # before it: tls_set, username_pw_set

    def run(self) -> None:
        self.client.loop_start()
        while True:
            with suppress(queue.Empty):
                self.take(self.inbox.get(timeout=self.wait_s / 10))
            self.ask_for_gaps()

    def take(self, message: MQTTMessage) -> None:
        *levels, kind = message.topic.split("/")[:5]
        try:
            with self.db:  # one transaction: the event, what came of it, and how far we are
                stream, last = self.store("/".join(levels), kind, json.loads(message.payload))
            self.client.publish("/".join([*levels, "ack", NAME]), json.dumps({"stream": stream, "sequence": last}), qos=1, retain=True)
        except (ValueError, KeyError, TypeError) as wrong:
            print(f"{message.topic}: {wrong!r}", file=sys.stderr)
        self.client.ack(message.mid, message.qos)  # only now is it ours

    def store(self, root: str, kind: str, body: dict) -> tuple[str, int]:
        if kind == "reply":  # to a replay: it lists what does not come, for it is gone for ever
            stream, last, _ = self.db.execute(NOW, (root,)).fetchone()
            rows = [(stream, first, upto, None) for first, upto in body["result"]["gone"]]
        else:  # an event; or the queue's state, which tells how many there are: nothing follows the very last one
            newest = int(body["sequence"] if kind == "ev" else body["as_of_sequence"])
            stream, last = self.db.execute(NEW, (body["stream"], root, newest)).fetchone()
            rows = [(stream, newest, newest, json.dumps(body))] if kind == "ev" else []
        self.db.executemany("INSERT OR IGNORE INTO event VALUES (?, ?, ?, ?)", rows)
        while row := self.db.execute("SELECT upto, text FROM event WHERE stream = ? AND sequence = ?", (stream, last + 1)).fetchone():
            last, text = row
            if text:
                self.apply(json.loads(text))
        return self.db.execute("UPDATE stream SET last = ? WHERE id = ? RETURNING id, last", (last, stream)).fetchone()

    def apply(self, event: dict) -> None:  # yours: called once for every event, in order, in that transaction
        self.db.execute("INSERT INTO total VALUES (?, 1) ON CONFLICT DO UPDATE SET n = n + 1", (event["type"],))

    def ask_for_gaps(self) -> None:
        for stream, root, last, newest, _ in self.db.execute(GAPS).fetchall():
            after, patience = self.gaps.get(stream, (-1, 0.0))
            if after != last or time.monotonic() > patience:
                self.gaps[stream] = last, time.monotonic() + self.wait_s
                if after == last:
                    ask = {"id": f"{NAME}-{time.time():.3f}", "client": NAME, "args": {"from": last + 1, "to": newest}}
                    self.client.publish(f"{root}/cmd/replay", json.dumps(ask), qos=1)


if __name__ == "__main__":
    Consumer(sys.argv[1], int(sys.argv[2]), sys.argv[3], *map(float, sys.argv[4:5])).run()
