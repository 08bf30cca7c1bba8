"""A rooted link sees one root and nothing else, and answers nowhere else."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from kiosd.errors import Refused
from kiosd.links.base import MAX_PAYLOAD, Link, Message
from kiosd.links.memory import memory_pair
from kiosd.links.rooted import LONGEST, Rooted
from support.links import exchange

ROOT = "kiosd/1/cth01/hub/sat/loket-1"


class Recorder:
    """A link that keeps what it is given."""

    def __init__(self) -> None:
        self.given: list[Message] = []

    async def publish(self, message: Message) -> None:
        self.given.append(message)

    @asynccontextmanager
    async def subscribe(self, pattern: str) -> AsyncIterator[AsyncIterator[Message]]:
        raise NotImplementedError(pattern)
        yield


def as_link(link: Link) -> Link:
    return link


async def test_both_ends_speak_of_the_same_topics_below_the_root() -> None:
    async with asyncio.timeout(5), memory_pair() as (here, there):
        question = Message("cmd/next", b"{}", reply_to="reply/1", correlation=b"c")
        heard = await exchange(Rooted(there, ROOT), Rooted(here, ROOT), question, "cmd/+")
        assert (heard.topic, heard.reply_to, heard.payload, heard.correlation) == ("cmd/next", "reply/1", b"{}", b"c")


async def test_on_the_wire_everything_is_below_the_root() -> None:
    wire = Recorder()
    await Rooted(as_link(wire), ROOT).publish(Message("cmd/next", b"", reply_to="reply/1", properties=(("until", "x"),)))
    (message,) = wire.given
    assert (message.topic, message.reply_to, message.properties) == (f"{ROOT}/cmd/next", f"{ROOT}/reply/1", (("until", "x"),))
    assert MAX_PAYLOAD < message.limit == LONGEST < 65_536


@pytest.mark.parametrize("reply_to", ["elsewhere", "kiosd/1/cth01/hub/cmd/next", f"{ROOT}/cmd/next", f"{ROOT}-2/reply/1", f"{ROOT}/reply"])
async def test_an_answer_to_anywhere_else_is_not_given(reply_to: str, caplog: pytest.LogCaptureFixture) -> None:
    async with asyncio.timeout(5), memory_pair() as (here, there):
        heard = await exchange(there, Rooted(here, ROOT), Message(f"{ROOT}/cmd/next", b"{}", reply_to=reply_to), "cmd/+")
        assert heard.reply_to is None
        assert "it gets none" in caplog.text


async def test_another_root_is_not_heard() -> None:
    async with asyncio.timeout(5), memory_pair() as (here, there), Rooted(here, ROOT).subscribe("cmd/+"):
        await asyncio.sleep(0)
        with pytest.raises(Refused, match="nobody_listens"):
            await Rooted(there, f"{ROOT}-2").publish(Message("cmd/next", b"{}"))
