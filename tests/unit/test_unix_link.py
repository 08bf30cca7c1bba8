"""What the control socket does to its file, to clients that misbehave, and for those that do not."""

import asyncio
import json
import logging
import os
import socket
import stat
import tempfile
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from kiosd.errors import ConfigError, Refused, Unavailable
from kiosd.links import peer, unix
from kiosd.links.base import Message
from kiosd.links.unix import UnixServer, connect_unix, serve_unix
from support.links import exchange, unavailable, until_heard


@asynccontextmanager
async def served(directory: Path) -> AsyncIterator[tuple[UnixServer, Path]]:
    async with asyncio.timeout(10), serve_unix(directory / "control.sock") as server:
        yield server, directory / "control.sock"


@asynccontextmanager
async def raw(path: Path) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    reader, writer = await asyncio.open_unix_connection(path)
    try:
        yield reader, writer
    finally:
        writer.close()


def line(**fields: Any) -> bytes:
    return json.dumps(fields).encode() + b"\n"


async def test_the_wire_is_readable_by_hand(tmp_path: Path) -> None:
    async with served(tmp_path) as (server, path), raw(path) as (reader, writer), server.subscribe("ask/+") as messages:
        writer.write(
            line(do="subscribe", pattern="me") + line(do="publish", n=1, topic="ask/x", payload="?", reply_to="me", correlation="c")
        )
        question = await anext(messages)
        assert json.loads(await reader.readline()) == {"do": "ack", "n": 1, "code": ""}
        assert question.payload == b"?" and question.reply_to is not None
        async with asyncio.TaskGroup() as group:
            group.create_task(server.publish(Message(question.reply_to, b"\xff", correlation=question.correlation)))
            frame = json.loads(await reader.readline())
            assert frame == {"do": "publish", "n": 1, "topic": "me", "payload": {"base64": "/w=="}, "correlation": "c"}
            writer.write(line(do="ack", n=1))


async def test_a_reply_cannot_be_sent_to_somebody_else(tmp_path: Path) -> None:
    async with served(tmp_path) as (server, path), AsyncExitStack() as stack:
        asker, spy = [await stack.enter_async_context(connect_unix(path)) for _ in range(2)]
        asked = await stack.enter_async_context(server.subscribe("ask"))
        replies = await stack.enter_async_context(asker.subscribe("reply"))
        spied = await stack.enter_async_context(spy.subscribe("#"))
        async with asyncio.TaskGroup() as group:
            group.create_task(asker.publish(Message("ask", b"", reply_to="reply")))
            question = await anext(asked)
            group.create_task(until_heard(server, Message(question.reply_to or "", b"secret")))
            assert (await anext(replies)).payload == b"secret"
            group.create_task(until_heard(server, Message("to/all", b"open")))
            assert (await anext(spied)).payload == b"open"


async def test_a_broadcast_reaches_every_client_that_wants_it(tmp_path: Path) -> None:
    async with served(tmp_path) as (server, path), AsyncExitStack() as stack:
        clients = [await stack.enter_async_context(connect_unix(path)) for _ in range(3)]
        heard = [await stack.enter_async_context(client.subscribe("ev/+")) for client in clients[:2]]
        for client in clients:
            await exchange(client, server, Message("hello", b""), "hello")  # so its subscription has arrived
        async with asyncio.TaskGroup() as group:
            group.create_task(server.publish(Message("ev/ticket", b"1")))
            assert [(await anext(messages)).payload for messages in heard] == [b"1", b"1"]


async def test_a_client_that_leaves_does_not_keep_a_broadcast_from_the_others(tmp_path: Path) -> None:
    async with served(tmp_path) as (server, path), connect_unix(path) as stays, raw(path) as (reader, writer):
        writer.write(line(do="subscribe", pattern="ev/+") + line(do="publish", n=1, topic="hello"))
        await reader.readline()
        async with stays.subscribe("ev/+") as messages:
            await exchange(stays, server, Message("hello", b""), "hello")
            async with asyncio.TaskGroup() as group:
                group.create_task(server.publish(Message("ev/ticket", b"1")))
                assert (await anext(messages)).payload == b"1"
                await reader.readline()  # the other one has it too, and leaves without a word
                writer.transport.abort()


async def test_only_owner_and_group_may_connect(tmp_path: Path) -> None:
    async with served(tmp_path) as (_, path):
        assert stat.S_IMODE(path.stat().st_mode) == 0o660
    assert list(tmp_path.iterdir()) == []


async def test_a_socket_left_by_a_crash_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "control.sock"
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(path))
    assert path.is_socket()
    async with serve_unix(path), connect_unix(path):
        pass


async def test_a_living_server_is_not_pushed_aside(tmp_path: Path) -> None:
    async with served(tmp_path) as (_, path):
        with pytest.raises(Unavailable, match="another program answers"):
            async with serve_unix(path):
                pass
        async with connect_unix(path):
            pass


async def test_places_where_no_socket_can_be(tmp_path: Path) -> None:
    (tmp_path / "control.sock").write_text("mine")
    for path, words in (
        (tmp_path / "control.sock", "no socket; it is not touched"),
        (tmp_path / "none" / "control.sock", "does not exist"),
        (tmp_path / ("x" * 120) / "control.sock", "too long"),
    ):
        if "x" in path.parent.name:
            path.parent.mkdir()
        with pytest.raises(ConfigError, match=words):
            async with serve_unix(path):
                pass
    assert (tmp_path / "control.sock").read_text() == "mine"


async def test_a_successor_keeps_its_socket_when_the_first_one_ends(tmp_path: Path) -> None:
    path = tmp_path / "control.sock"
    async with AsyncExitStack() as second:
        async with serve_unix(path):
            path.unlink()
            await second.enter_async_context(serve_unix(path))
        async with connect_unix(path):
            pass


async def test_no_daemon_is_said_in_words(tmp_path: Path) -> None:
    path = tmp_path / "control.sock"
    with pytest.raises(Unavailable, match=r"kiosd is not running \(no control socket at"):
        async with connect_unix(path):
            pass
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(path))
    with pytest.raises(Unavailable, match=r"kiosd is not running \(nobody answers at"):
        async with connect_unix(path):
            pass


async def test_no_permission_is_said_in_words() -> None:
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        directory.chmod(0o755)
        async with served(directory) as (_, path):
            path.chmod(0)
            me = os.geteuid()
            try:
                if me == 0:
                    os.seteuid(65534)  # root is let in everywhere
                with pytest.raises(Unavailable, match=r"no permission to use the control socket .* members of the group"):
                    async with connect_unix(path):
                        pass
            finally:
                os.seteuid(me)


BROKEN = {
    "no JSON": b"hello\n",
    "no object": b"[1]\n",
    "no kind": line(topic="x"),
    "unknown kind": line(do="shout", n=1),
    "unknown key": line(do="ack", n=1, extra=True),
    "wrong type": line(do="publish", n="1", topic="x"),
    "wildcard topic": line(do="publish", n=1, topic="cmd/#"),
    "bad base64": line(do="publish", n=1, topic="x", payload={"base64": "?"}),
    "lone surrogate": b'{"do":"publish","n":1,"topic":"x","payload":"\\ud800"}\n',
    "deep": b"[" * 30_000 + b"\n",
    "not text": b"\xff\xfe\n",
    "too long a line": line(do="publish", n=1, topic="x", payload="y" * 70_000),
    "no end of line": b"z" * 70_000,
    "too many subscriptions": b"".join(line(do="subscribe", pattern=str(n)) for n in range(peer.MAX_PATTERNS + 1)),
}


@pytest.mark.parametrize("case", BROKEN)
async def test_a_broken_line_ends_that_connection_only(case: str, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async with served(tmp_path) as (server, path), connect_unix(path) as good, raw(path) as (reader, writer):
        writer.write(BROKEN[case])
        assert await reader.read() == b""
        assert "sent what is no frame" in caplog.text
        assert "y" * 20 not in caplog.text and "z" * 20 not in caplog.text
        assert (await exchange(good, server, Message("cmd/next", b"1"), "cmd/+")).payload == b"1"


async def test_a_client_that_does_not_read_is_cut_off(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    async with served(tmp_path) as (server, path), raw(path) as (_, writer), server.subscribe("ask") as asked:
        writer.transport.pause_reading()  # type: ignore[attr-defined]  # a read transport too
        writer.write(line(do="subscribe", pattern="me") + line(do="publish", n=1, topic="ask", reply_to="me"))
        question = await anext(asked)
        message = Message(question.reply_to or "", b"x" * 100_000)
        async with asyncio.TaskGroup() as group:
            sent = [group.create_task(unavailable(server, message)) for _ in range(40)]
            assert all([await one for one in sent])
    assert "bytes were not read" in caplog.text


async def test_a_client_that_takes_nothing_is_cut_off(tmp_path: Path) -> None:
    async with asyncio.timeout(10), serve_unix(tmp_path / "s", stall_s=0.05) as server, raw(tmp_path / "s") as (reader, writer):
        async with server.subscribe("ask") as asked:
            writer.write(line(do="subscribe", pattern="me") + line(do="publish", n=1, topic="ask", reply_to="me"))
            question = await anext(asked)
        assert await unavailable(server, Message(question.reply_to or "", b"1"))
        while await reader.readline():
            pass
        with pytest.raises(Refused, match="nobody_listens"):
            await server.publish(Message(question.reply_to or "", b"2"))


async def test_a_flood_waits_in_the_socket_and_loses_nothing(tmp_path: Path) -> None:
    flood = 20_000
    async with served(tmp_path) as (server, path), raw(path) as (reader, writer), server.subscribe("cmd/+") as messages:
        writer.write(b"".join(line(do="publish", n=n, topic="cmd/next", payload=str(n)) for n in range(1, flood + 1)))
        assert [int((await anext(messages)).payload) for _ in range(flood)] == list(range(1, flood + 1))
        assert [json.loads(await reader.readline())["n"] for _ in range(flood)] == list(range(1, flood + 1))


async def test_one_client_too_many_is_turned_away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unix, "MAX_CLIENTS", 2)
    async with served(tmp_path) as (server, path), server.subscribe("x") as messages:
        async with connect_unix(path), connect_unix(path) as second, connect_unix(path) as third:
            assert await unavailable(third, Message("x", b""))
            async with asyncio.TaskGroup() as group:
                group.create_task(second.publish(Message("x", b"")))
                await anext(messages)
        async with connect_unix(path) as later, asyncio.TaskGroup() as group:
            group.create_task(later.publish(Message("x", b"later")))
            assert (await anext(messages)).payload == b"later"
