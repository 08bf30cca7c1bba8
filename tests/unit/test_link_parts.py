"""What links are made of: the window of messages under way, and the hand-over to subscribers."""

import asyncio

import pytest

from kiosd.errors import Refused, Unavailable
from kiosd.links.base import Message
from kiosd.links.subscriptions import INBOX_SIZE, Subscriptions
from kiosd.links.window import Window, packet_size


def message(text: str) -> Message:
    return Message("t", text.encode())


class Wire:
    """Records what was transmitted; keys are the payloads."""

    def __init__(self, size: int) -> None:
        self.sent: list[bytes] = []
        self.window = Window(self.transmit)
        self.window.size = size

    def transmit(self, message: Message) -> bytes:
        if message.payload == b"bad":
            raise Unavailable("gone")
        self.sent.append(message.payload)
        return message.payload

    def add(self, text: str) -> asyncio.Future[None]:
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.window.add(message(text), future)
        return future


async def test_no_more_than_the_window_is_under_way_and_the_rest_follows_in_order() -> None:
    wire = Wire(2)
    futures = [wire.add(text) for text in "abcd"]
    assert wire.sent == [b"a", b"b"]
    wire.window.settle(b"b", None)
    assert wire.sent == [b"a", b"b", b"c"]
    assert futures[1].done()
    wire.window.settle(b"a", Refused("nobody_listens"))
    assert isinstance(futures[0].exception(), Refused)


async def test_who_stopped_waiting_is_not_sent() -> None:
    wire = Wire(1)
    wire.add("a")
    wire.add("b").cancel()
    wire.add("c")
    wire.window.settle(b"a", None)
    assert wire.sent == [b"a", b"c"]


async def test_a_message_that_cannot_be_transmitted_fails_alone() -> None:
    wire = Wire(1)
    failed, sent = wire.add("bad"), wire.add("a")
    assert isinstance(failed.exception(), Unavailable)
    assert not sent.done()


async def test_the_end_of_a_connection_fails_everything() -> None:
    wire = Wire(1)
    futures = [wire.add(text) for text in "ab"]
    wire.window.fail(Unavailable("cut"))
    assert all(isinstance(future.exception(), Unavailable) for future in futures)
    wire.window.settle(b"a", None)  # an answer that comes too late finds nobody
    wire.add("c")
    assert wire.sent == [b"a", b"c"]


def test_the_size_of_a_packet_is_never_underestimated() -> None:
    full = Message("topic/ä", b"x" * 100, False, 1, 60, "back", b"12345678", "application/json", (("k", "v"),))
    properties = 2 + 5 + (3 + 16) + (3 + 4) + (3 + 8) + (1 + 2 + 1 + 2 + 1)  # MQTT 5 section 3.3.2.3, with two bytes of length
    assert packet_size(full) >= 5 + 2 + len("topic/ä".encode()) + 2 + properties + 100


async def test_each_subscriber_gets_what_fits_its_pattern() -> None:
    subscriptions = Subscriptions()
    with subscriptions.open("a/+") as first, subscriptions.open("#") as second:
        for topic in ("a/1", "b"):
            subscriptions.put_from_thread(Message(topic, b""))
        assert (await anext(first)).topic == "a/1"
        assert [(await anext(second)).topic for _ in range(2)] == ["a/1", "b"]
        assert subscriptions.patterns == ("a/+", "#")
        subscriptions.fail(Unavailable("end"))
        with pytest.raises(Unavailable):
            await anext(first)
    assert not subscriptions.patterns


async def test_more_messages_than_can_be_taken_are_counted_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    subscriptions = Subscriptions()
    with subscriptions.open("t") as arrivals:
        for n in range(INBOX_SIZE + 10):
            subscriptions.put_from_thread(message(str(n)))
        await asyncio.sleep(0)
        assert (await anext(arrivals)).payload == b"0"
    assert "10 messages to t were dropped" in caplog.text
