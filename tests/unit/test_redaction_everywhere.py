"""No identity number leaves (domain section 9): a real daemon with devices and a broker is fed with them, and all it puts out is read.

The day is lived once; each output is a test of its own. A second day, with the redactor switched off, shows that the search finds.
"""

import asyncio
import io
import json
import os
import subprocess
import sys
import unicodedata
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from reportlab.pdfgen.canvas import Canvas

from kiosd.mqtt.topics import Topics
from kiosd.queue import commands as cmd
from kiosd.queue.remote import RemoteQueue
from kiosd.stations.counter import token
from kiosd_sim.printer import SimPrinter, sim_printer_tcp
from kiosd_sim.scanner import SimScanner
from support.broker import broker
from support.kiosk import Kiosk
from support.leaks import grouped, in_words, leaks, numbers, on_a_card
from support.mqtt_peer import Peer, peer, until
from support.samples import sample

ROOT = Topics("kiosd", "CTH01", "hub").root
SABOTAGE = "import re, kiosd.redact\nkiosd.redact.IDENTITY = re.compile('(?!)')\n"
MORE = """scanner = "desk"
[devices.desk]
driver = "serial_scanner"
port = "{scan}"
[devices.printer]
driver = "escpos_printer"
port = "{paper}"
[ticket_machine]
printer = "printer"
[log]
level = "debug"
"""
YESTERDAY, TODAY, TOMORROW = ((datetime.now(UTC) + timedelta(days=n)).date().isoformat() for n in (-1, 0, 1))
PERIOD = ("--from", YESTERDAY, "--to", TOMORROW)
KNOWN = numbers(3)
SHOWN: dict[str, Sequence[str]] = {
    "status": ("status",),
    "status --json": ("status", "--json"),
    "queue": ("queue", "--explain"),
    "queue --json": ("queue", "--explain", "--json"),
    "events": ("events",),
    "events --json": ("events", "--json"),
    "journal verify": ("journal", "verify"),
    "cancel, a number for a ticket": ("cancel", KNOWN[0]),
    "note": ("note", f"NIK {KNOWN[0]}"),
    "note --json": ("note", f"NIK {KNOWN[0]}", "--json"),
    "repair, a number for a device": ("repair", KNOWN[0], "--until", f"{TOMORROW}T23:59", "--reason", KNOWN[1]),
    "report text": ("report", *PERIOD, "--format", "text"),
    "report csv": ("report", *PERIOD, "--format", "csv"),
    "report json": ("report", *PERIOD, "--format", "json"),
    "report html": ("report", *PERIOD, "--format", "html"),
    "report pdf": ("report", *PERIOD, "--format", "pdf"),
}
"""What the command line can be asked for; a new form of output gets a line here."""
OUTPUTS = ("journal", "log", "mqtt", "printer", "replies", *SHOWN)


@dataclass
class Day:
    """What was fed in and what came out."""

    known: list[str]
    out: dict[str, bytes] = field(default_factory=dict)

    def found(self, name: str) -> list[str]:
        return leaks(self.out[name], self.known)


async def live(folder: Path, known: list[str], shown: dict[str, Sequence[str]]) -> Day:
    """One day at a kiosk on which everybody hands in identity numbers, wherever something can be handed in."""
    day = Day(known)
    async with AsyncExitStack() as stack:
        site = stack.enter_context(broker(folder, "max_queued_messages 0"))
        central = stack.enter_context(peer(site.port, "central", "#"))
        paper = await stack.enter_async_context(sim_printer_tcp())
        scanner = SimScanner(folder / "scanner")
        stack.enter_context(scanner.port.plugged())
        printed = _recorded(paper)
        more = MORE.format(scan=folder / "scanner", paper=paper.port)
        more += f'[mqtt.central]\nhost = "127.0.0.1"\nport = {site.port}\ncommands_per_s = 1000\n'
        kiosk = stack.enter_context(Kiosk(folder, more=more))
        await kiosk.start()
        async with asyncio.timeout(120), kiosk.queue(20.0) as queue:
            await _feed(day, queue, central, scanner)
            day.out["mqtt"] = await _told(queue, central)
            for name, words in shown.items():
                day.out[name] = await _cli(kiosk.state, *words)
        day.out["journal"] = _files(kiosk.state)
        assert kiosk.stop() == 0
        day.out["journal"] += _files(kiosk.state)
        day.out |= {"log": kiosk.log.read_bytes(), "printer": bytes(printed)}
    return day


def _recorded(paper: SimPrinter) -> bytearray:
    """All bytes that the printer is sent."""
    printed, receive = bytearray(), paper._receive

    async def record(data: bytes) -> None:
        printed.extend(data)
        await receive(data)

    paper._receive = record  # type: ignore[method-assign]
    return printed


def _files(state: Path) -> bytes:
    return b"".join(path.read_bytes() for path in state.iterdir() if path.name.startswith("journal.db"))


async def _cli(state: Path, *words: str) -> bytes:
    """What the command line prints, on both streams."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "kiosd", *words, "--state", str(state), stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )  # fmt: skip
    out, _ = await process.communicate()
    return out


async def _feed(day: Day, queue: RemoteQueue, central: Peer, scanner: SimScanner) -> None:
    replies: list[bytes] = []

    async def ask(command: cmd.Command) -> bool:
        reply = await queue.execute(command)
        replies.append(reply.model_dump_json().encode())
        return reply.done

    for _ in range(3):
        await ask(sample("issue", service="F"))
    await ask(sample("next"))
    await ask(sample("next", counter=2))
    await _scan(queue, scanner, [payload for number in day.known for payload in on_a_card(number)])
    await ask(sample("refer", counter=2))
    for number in day.known:
        for words in in_words(number):
            await _say(ask, words)
    replies += [await _raw(queue, *command) for command in _as_machine_words(day.known)]
    await _over_mqtt(central, day.known)
    day.out["replies"] = b"\n".join(replies)


async def _scan(queue: RemoteQueue, scanner: SimScanner, payloads: list[str]) -> None:
    """Hold the cards before the scanner; returns when the daemon has recorded as many scans of some kind."""
    await _until_event(queue, "device.up", device="desk")
    before = (await queue.snapshot()).sequence
    for payload in payloads:
        await scanner.send(payload)
    seen = 0
    async with asyncio.timeout(30):
        async for record in queue.events(before):
            seen += record.event.type.startswith("scan.")
            if seen >= len(payloads):
                return


async def _until_event(queue: RemoteQueue, kind: str, **fields: object) -> None:
    async with asyncio.timeout(20):
        async for record in queue.events(0):
            if record.event.type == kind and all(getattr(record.event, name) == value for name, value in fields.items()):
                return


async def _say(ask: Callable[[cmd.Command], Awaitable[bool]], words: str) -> None:
    """Every remark that a command has."""
    await ask(sample("issue", service="G"))
    assert await ask(sample("next", counter=2))
    assert await ask(sample("absent", counter=2, force=words))
    assert await ask(sample("pause", counter=2, reason=words))
    await ask(sample("cancel", ticket="F002", reason=words))
    assert await ask(sample("suspend", reason=words))
    assert not await ask(sample("issue", service="G"))
    assert await ask(sample("resume"))
    assert await ask(sample("note", text=words))
    assert await ask(sample("repair", until=f"{TOMORROW}T23:59", reason=words))


def _as_machine_words(known: list[str]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Fields where a number is no remark: ids, places, devices, reasons, keys that do not exist."""
    for number in known:
        for form in (number, grouped(number, 6, 6, by="-"), grouped(number, 4, 4, 4, by=".")):
            yield "note", {"text": "x", "place": form}
            yield "repair", {"device": form, "until": "23:59", "reason": "x"}
        yield "note", {"text": "x", "id": number}
        yield "refer", {"counter": 1, "destination": number, "reason": "lainnya"}
        yield "refer", {"counter": 1, "destination": "back_office", "reason": number}
        yield "cancel", {"ticket": number}
        yield "cancel", {number: "x"}
        yield "survey", {"counter": 1, "answers": {number: 4}}
        yield "suspend", {"until": number, "reason": "x"}
        yield number, {}


async def _raw(queue: RemoteQueue, name: str, fields: dict[str, Any]) -> bytes:
    """Ask as somebody would who does not use our command classes; the answer as it came."""
    return (await queue._ask(f"cmd/{name}", json.dumps(fields))).model_dump_json().encode()


async def _over_mqtt(central: Peer, known: list[str]) -> None:
    """The same over MQTT, and what is no JSON, no command, no known field or retained; returns when the last one was answered."""
    for number in known:
        for name, fields in _as_machine_words([number]):
            central.publish(f"{ROOT}/cmd/{name}", json.dumps({"id": "m", "client": "central", "args": fields}).encode())
        for words in in_words(number):
            central.publish(
                f"{ROOT}/cmd/note", json.dumps({"id": f"n{hash(words)}", "client": "central", "args": {"text": words}}).encode()
            )
        for payload in (number, f'{{"id":"{number}"', f'{{"id":"c","{number}":1}}', f'{{"id":"c","client":"{number}"}}', f'["{number}"]'):
            central.publish(f"{ROOT}/cmd/next", payload.encode())
            central.publish(f"{ROOT}/cmd/next", payload.encode(), retain=True)
    central.publish(f"{ROOT}/cmd/next", json.dumps({"id": "last-one", "client": "central", "counter": 1}).encode())
    await central.until(lambda: any(b'"last-one"' in message.payload for message in central.on(f"{ROOT}/reply/central")), 30.0)


async def _told(queue: RemoteQueue, central: Peer) -> bytes:
    """What the daemon published, topics included, once it has told everything; what we sent ourselves is not its word."""
    last = (await queue.snapshot()).sequence

    def told() -> bool:
        return any(int(message.json["sequence"]) == last for message in list(central.messages) if "/hub/ev/" in message.topic)

    await until(told, 30.0)
    own = [message for message in central.messages if not message.topic.startswith(f"{ROOT}/cmd/")]
    return b"\n".join(message.topic.encode() + b" " + message.payload for message in own)


@pytest.fixture(scope="module")
def day(tmp_path_factory: pytest.TempPathFactory) -> Day:
    return asyncio.run(live(tmp_path_factory.mktemp("day"), KNOWN, SHOWN))


@pytest.mark.parametrize("name", OUTPUTS)
def test_no_identity_number_leaves(day: Day, name: str) -> None:
    assert day.out[name], "there is something to search"
    assert day.found(name) == []


def test_the_numbers_went_in(day: Day) -> None:
    """Scans were read, remarks were kept with a mark in place of the number, and what was no remark was refused."""
    events = day.out["events --json"].decode()
    assert events.count('"scan.read"') > 10 and events.count('"scan.rejected"') >= len(day.known)
    assert events.count("[angka dihapus]") > 100
    assert day.out["replies"].count(b'"malformed"') > 10 * len(day.known)
    assert b"[angka dihapus]" in day.out["report text"]
    assert b"F001" in day.out["printer"]


def test_the_search_finds_what_the_redactor_would_have_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same day with the redactor switched off, in the daemon and on the command line."""
    (tmp_path / "sitecustomize.py").write_text(SABOTAGE)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path), *os.environ.get("PYTHONPATH", "").split(os.pathsep)]))
    sabotaged = asyncio.run(live(tmp_path, numbers(1), {name: SHOWN[name] for name in ("events", "events --json")}))
    assert [name for name, _ in sabotaged.out.items() if not sabotaged.found(name)] == ["printer"], "all that repeats what people said"


@pytest.mark.parametrize("payload", on_a_card(numbers(1)[0]))
def test_a_token_is_no_number_whatever_it_is_made_of(payload: str) -> None:
    assert cmd.AttachScan(counter=1, token=token(b"k" * 32, payload))
    assert leaks(token(b"k" * 32, payload).encode(), numbers(1)) == []


def test_the_search_finds_every_disguise() -> None:
    (number,) = numbers(1)
    for words in in_words(number):
        assert leaks(words.encode(), [number]), words
        page = io.BytesIO()
        canvas = Canvas(page)
        canvas.drawString(72, 72, unicodedata.normalize("NFKC", words))
        canvas.save()
        assert leaks(page.getvalue(), [number]), words
    assert leaks(b"2026-07-01T01:05:00.123Z 00000000-0000-0000-0000-000000000000", [number]) == []
