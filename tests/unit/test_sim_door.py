"""A listening socket of the far side: nobody is left waiting at it, whenever it is closed."""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from kiosd_sim.control import listening
from kiosd_sim.door import Door, door, tcp
from kiosd_sim.printer import sim_printer_tcp

TURNS = range(8)  # of the loop, from the knock to the first line that was answered
WITHIN_S = 10.0


@contextmanager
def tcp_listener(_: Path) -> Iterator[socket.socket]:
    yield tcp()


@contextmanager
def unix_listener(directory: Path) -> Iterator[socket.socket]:
    with listening(directory / "door") as it:
        yield it


every_wire = pytest.mark.parametrize("wire", [tcp_listener, unix_listener])


@contextmanager
def knocking_at(address: Any) -> Iterator[socket.socket]:
    """Somebody who has connected and does not wait for it."""
    with socket.socket(socket.AF_INET if isinstance(address, tuple) else socket.AF_UNIX) as it:
        it.setblocking(False)
        it.connect_ex(address)
        yield it


async def heard(caller: socket.socket) -> bytes:
    """All that ``caller`` still gets; returns when the far end is gone."""
    got, loop = b"", asyncio.get_running_loop()
    try:
        async with asyncio.timeout(WITHIN_S):
            while data := await loop.sock_recv(caller, 4096):
                got += data
    except ConnectionError:
        pass
    return got


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while line := await reader.readline():
        writer.write(line)


async def deaf(_: asyncio.StreamReader, __: asyncio.StreamWriter) -> None:
    await asyncio.Event().wait()


async def turn(count: int) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


@every_wire
@pytest.mark.parametrize("talk", [echo, deaf])
@pytest.mark.parametrize("turns", TURNS)
async def test_whoever_knocked_is_let_go_when_it_closes(wire: Any, talk: Any, turns: int, tmp_path: Path) -> None:
    with wire(tmp_path) as listener:
        it = Door(talk)
        await it.open(listener)
        with knocking_at(listener.getsockname()) as caller:
            await turn(turns)
            await it.close()
            assert await heard(caller) == b""


@pytest.mark.parametrize("turns", TURNS)
async def test_a_host_is_let_go_of_when_the_printer_is_unplugged(turns: int) -> None:
    async with sim_printer_tcp() as printer:
        with knocking_at(("127.0.0.1", int(printer.port.rpartition(":")[2]))) as host:
            await turn(turns)
            await printer.unplug()
            assert await heard(host) == b""


@every_wire
async def test_what_was_written_arrives_though_the_talk_is_over(wire: Any, tmp_path: Path) -> None:
    much = bytes(1_000_000)  # more than the kernel takes at once

    async def tell(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(much)

    with wire(tmp_path) as listener:
        async with door(tell, listener):
            with knocking_at(listener.getsockname()) as caller:
                assert await heard(caller) == much


async def test_it_does_not_wait_for_who_does_not_read() -> None:
    over = asyncio.Event()

    async def tell(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(bytes(50_000_000))
        over.set()

    listener = tcp()
    with knocking_at(listener.getsockname()) as caller:
        async with asyncio.timeout(WITHIN_S), door(tell, listener):
            await over.wait()
        assert len(await heard(caller)) < 50_000_000


@pytest.fixture
async def failures() -> AsyncIterator[list[str]]:
    """What the loop's handler was told."""
    told = list[str]()
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _, context: told.append(str(context.get("exception"))))
    yield told
    loop.set_exception_handler(None)


async def fail(_: asyncio.StreamReader, __: asyncio.StreamWriter) -> None:
    raise ValueError("a fault in the talk")


async def test_a_talk_that_fails_is_told_and_the_next_is_served(failures: list[str]) -> None:
    talks: list[Callable[..., Any]] = [fail, echo]
    listener = tcp()
    async with door(lambda reader, writer: talks.pop(0)(reader, writer), listener):
        with knocking_at(listener.getsockname()) as first:
            assert await heard(first) == b""
        with knocking_at(listener.getsockname()) as second:
            await asyncio.get_running_loop().sock_sendall(second, b"A001\n")
            assert await asyncio.get_running_loop().sock_recv(second, 10) == b"A001\n"
    assert failures == ["a fault in the talk"]


async def test_a_talk_that_fails_ends_its_group() -> None:
    listener = tcp()
    with pytest.raises(ExceptionGroup) as caught:
        async with asyncio.timeout(WITHIN_S), asyncio.TaskGroup() as group:
            it = Door(fail, group)
            await it.open(listener)
            with knocking_at(listener.getsockname()):
                try:
                    await asyncio.Event().wait()
                finally:
                    await it.close()
    assert caught.group_contains(ValueError, match="a fault in the talk")
