"""A report over a link: signs of life, the document whole or not at all, and every refusal as the error it stands for."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from kiosd.errors import ConfigError, JournalError, Refused, Unavailable
from kiosd.links.memory import memory_pair
from kiosd.queue.interface import Reply
from kiosd.queue.remote import RemoteQueue
from kiosd.queue.reporting import MakeReport, Tell, relay
from kiosd.queue.server import serve_queue
from kiosd.queue.wire import ReportStreamed
from kiosd.reports.ask import AskReport
from kiosd.reports.service import ReportService
from support.listqueue import ListQueue


async def test_signs_of_life_carry_the_progress_and_end_with_the_document() -> None:
    sent: list[Any] = []
    enough = asyncio.Event()

    async def send(answer: Any) -> None:
        sent.append(answer)
        if len(sent) == 3:
            enough.set()

    async def make(_: Any, tell: Any) -> None:
        for done in range(1000):
            await tell(ReportStreamed(what="progress", done=done, total=1000))
        await enough.wait()
        await tell(ReportStreamed(what="end"))
        await asyncio.sleep(0.05)

    await relay(make, {}, send, sign_s=0.005)
    assert {(one.what, one.done) for one in sent[:-1]} == {("progress", 999)}
    assert sent[-1].what == "end"


async def test_an_asker_who_left_ends_the_work() -> None:
    cancelled = asyncio.Event()

    async def send(_: Any) -> None:
        raise Unavailable("gone")

    async def make(*_: Any) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()

    with pytest.raises(ExceptionGroup) as caught:
        await relay(make, {}, send, sign_s=0.005)
    assert isinstance(caught.value.exceptions[0], Unavailable) and cancelled.is_set()


ASK = AskReport(first=date(2026, 7, 1), last=date(2026, 7, 31))


@asynccontextmanager
async def asked_over_a_link(make: MakeReport | None) -> AsyncIterator[RemoteQueue]:
    started = asyncio.Event()
    async with asyncio.timeout(10), memory_pair() as (here, there), asyncio.TaskGroup() as group:
        serving = group.create_task(serve_queue(ListQueue(), here, started=started, report=make))
        await started.wait()
        yield RemoteQueue(there)
        serving.cancel()


@pytest.mark.parametrize(("code", "error"), [
    ("no_data", Refused), ("config", ConfigError), ("journal", JournalError), ("report", Unavailable), ("busy", Unavailable),
])  # fmt: skip
async def test_every_refusal_is_the_error_it_stands_for(code: str, error: type[Exception]) -> None:
    async def make(_: Any, tell: Tell) -> None:
        await tell(Reply(id="", status="rejected", code=code, message="why not"))

    async with asked_over_a_link(make) as queue:
        with pytest.raises(error) as caught:
            await queue.report(ASK, lambda *_: None)
    assert "why not" in str(getattr(caught.value, "facts", caught.value))


@pytest.mark.parametrize("end", [ReportStreamed(what="end", size=3), ReportStreamed(what="end", size=4, sha256="0" * 64)])
async def test_a_document_that_did_not_come_whole_is_none(end: ReportStreamed) -> None:
    async def make(_: Any, tell: Tell) -> None:
        await tell(ReportStreamed(what="part", data="YWJjZA=="))
        await tell(end)

    async with asked_over_a_link(make) as queue:
        with pytest.raises(Unavailable, match="did not come whole"):
            await queue.report(ASK, lambda *_: None)


async def test_where_there_are_no_reports() -> None:
    async with asked_over_a_link(None) as queue:
        with pytest.raises(Refused) as caught:
            await queue.report(ASK, lambda *_: None)
    assert caught.value.code == "unknown_ask"


async def test_a_question_that_is_none_is_malformed() -> None:
    async with asked_over_a_link(ReportService(Path("kiosd.toml"), Path("journal.db"))) as queue:
        with pytest.raises(Refused, match="malformed"):
            await queue.report(ASK.model_copy(update={"first": date(2027, 1, 1)}), lambda *_: None)
