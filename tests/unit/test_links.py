"""What every two-ended link promises, and what the control socket does to clients that misbehave."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from kiosd.errors import Refused, Unavailable
from kiosd.links.base import Link, Message
from kiosd.links.memory import memory_pair
from support.links import LINKS, Ends, exchange, unavailable, until_heard


@pytest.fixture(params=LINKS)
async def ends(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Ends]:
    async with asyncio.timeout(10), LINKS[request.param](tmp_path) as ends:
        yield ends


async def test_a_message_arrives_whole_in_both_directions(ends: Ends) -> None:
    message = Message("cmd/next", b'{"counter": 1}', correlation=b"42", content_type="application/json")
    for sender, receiver in ((ends.client, ends.server), (ends.server, ends.client)):
        assert await exchange(sender, receiver, message, "cmd/+") == message


async def test_any_octets_arrive(ends: Ends) -> None:
    message = Message("x", bytes(range(256)), correlation=b"\xff\x00\n")
    assert await exchange(ends.client, ends.server, message, "#") == message


async def test_a_reply_goes_to_who_asked(ends: Ends) -> None:
    async with ends.server.subscribe("ask") as asked, ends.client.subscribe("reply/1") as replies, asyncio.TaskGroup() as group:
        group.create_task(ends.client.publish(Message("ask", b"?", reply_to="reply/1", correlation=b"7")))
        question = await anext(asked)
        assert question.reply_to is not None
        group.create_task(until_heard(ends.server, Message(question.reply_to, b"!", correlation=question.correlation)))
        reply = await anext(replies)
        assert (reply.topic, reply.payload, reply.correlation) == ("reply/1", b"!", b"7")


async def test_nobody_listens(ends: Ends) -> None:
    async with ends.server.subscribe("cmd/+"):
        for end, topic in ((ends.client, "cmd/next/more"), (ends.client, "other"), (ends.server, "ev/ticket")):
            with pytest.raises(Refused) as refused:
                await end.publish(Message(topic, b""))
            assert refused.value.code == "nobody_listens"


async def test_publish_returns_when_the_listener_takes_the_message(ends: Ends) -> None:
    async with ends.server.subscribe("cmd/+") as messages, asyncio.TaskGroup() as group:
        sent = [group.create_task(ends.client.publish(Message("cmd/next", str(n).encode()))) for n in range(3)]
        assert (await anext(messages)).payload == b"0"
        await sent[0]
        assert not sent[1].done()
        assert [(await anext(messages)).payload for _ in range(2)] == [b"1", b"2"]


async def test_a_listener_that_leaves_gives_back_what_it_did_not_take(ends: Ends) -> None:
    async with asyncio.TaskGroup() as group:
        async with ends.server.subscribe("cmd/+") as messages:
            sent = [group.create_task(refusal(ends.client, Message("cmd/next", b""))) for _ in range(2)]
            await anext(messages)
        assert [await one for one in sent] == ["", "nobody_listens"]


async def refusal(link: Link, message: Message) -> str:
    try:
        await link.publish(message)
    except Refused as exc:
        return exc.code
    return ""


async def test_a_cancelled_wait_loses_nothing(ends: Ends) -> None:
    async with ends.server.subscribe("cmd/+") as messages:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.01):
                await anext(messages)
        async with asyncio.TaskGroup() as group:
            group.create_task(ends.client.publish(Message("cmd/next", b"1")))
            assert (await anext(messages)).payload == b"1"


async def test_a_cancelled_publish_does_no_harm(ends: Ends) -> None:
    async with ends.server.subscribe("cmd/+") as messages:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.01):
                await ends.client.publish(Message("cmd/next", b"1"))
        async with asyncio.TaskGroup() as group:
            group.create_task(ends.client.publish(Message("cmd/next", b"2")))
            assert [(await anext(messages)).payload for _ in range(2)] == [b"1", b"2"]


async def test_everybody_who_waits_hears_that_the_other_side_is_gone(ends: Ends) -> None:
    async with ends.server.subscribe("cmd/+"), ends.client.subscribe("ev/+") as events, asyncio.TaskGroup() as group:
        sent = group.create_task(unavailable(ends.client, Message("cmd/next", b"")))
        await asyncio.sleep(0)
        ends.end_server()
        assert await sent
        for _ in range(2):
            with pytest.raises(Unavailable):
                await anext(events)
    assert await unavailable(ends.client, Message("cmd/next", b""))
    with pytest.raises(Unavailable):
        async with ends.client.subscribe("ev/+"):
            pass


async def test_too_large_is_refused_before_it_travels(ends: Ends) -> None:
    with pytest.raises(Refused) as refused:
        await ends.client.publish(Message("cmd/next", b"x" * (1024 * 1024 + 1)))
    assert refused.value.code == "too_large"


async def test_many_unanswered_messages_hold_the_sender_not_the_memory(ends: Ends) -> None:
    async with ends.server.subscribe("cmd/+") as messages, asyncio.TaskGroup() as group:
        sent = [group.create_task(ends.client.publish(Message("cmd/next", str(n).encode()))) for n in range(600)]
        assert [(await anext(messages)).payload for _ in range(600)] == [str(n).encode() for n in range(600)]
        await asyncio.gather(*sent)


async def test_who_takes_nothing_is_cut_off() -> None:
    async with memory_pair(stall_s=0.02) as (server, client), client.subscribe("ev/+") as events:
        await asyncio.sleep(0)
        assert await unavailable(server, Message("ev/ticket", b"1"))
        assert (await anext(events)).payload == b"1"  # it did arrive
        with pytest.raises(Unavailable, match=r"0\.02 s"):
            await anext(events)
