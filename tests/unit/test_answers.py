"""One standing subscription for all answers: each reaches who asked, and nobody else."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from kiosd.links.answers import Answers
from kiosd.links.base import Message
from kiosd.links.memory import MemoryEnd, memory_pair
from kiosd.queue.commands import CallNext
from kiosd.queue.remote import RemoteQueue
from kiosd.queue.server import serve_queue
from support.links import exchange, until_heard
from support.listqueue import ListQueue


@asynccontextmanager
async def answering() -> AsyncIterator[tuple[Answers, MemoryEnd]]:
    async with asyncio.timeout(5), memory_pair() as (here, there), asyncio.TaskGroup() as group:
        it = Answers(here)
        running = group.create_task(it.run())
        yield it, there
        running.cancel()


async def test_many_ask_at_once_and_each_gets_its_own_answer() -> None:
    async with answering() as (it, there), asyncio.TaskGroup() as group:
        started = asyncio.Event()
        serving = group.create_task(serve_queue(ListQueue(), there, started=started))
        await started.wait()
        remote = RemoteQueue(it)
        commands = [CallNext(counter=number) for number in range(1, 21)]
        async with asyncio.TaskGroup() as asking:
            replies = [asking.create_task(remote.execute(command)) for command in commands]
        assert [reply.result().id for reply in replies] == [command.id for command in commands]
        serving.cancel()


async def test_an_answer_that_nobody_waits_for_any_more_disturbs_nobody() -> None:
    async with answering() as (it, there):
        async with it.subscribe("reply/1"):
            pass
        async with it.subscribe("reply/2") as mine:
            await until_heard(there, Message("reply/1", b"late"))
            await there.publish(Message("reply/2", b"mine"))
            assert (await anext(mine)).payload == b"mine"


async def test_what_is_no_answer_goes_its_way_as_ever() -> None:
    async with answering() as (it, there):
        assert (await exchange(there, it, Message("hub", b"here"), "hub")).payload == b"here"
        assert (await exchange(it, there, Message("cmd/next", b"{}"), "cmd/+")).topic == "cmd/next"
