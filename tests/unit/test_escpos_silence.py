"""A printer that falls silent, comes late, or talks without end: told as what it is, and never taken for one that prints."""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest

from kiosd.errors import DeviceError
from kiosd.ports import Fault, Outcome
from kiosd_drivers._escpos_blocking import BlockingPrinter
from kiosd_drivers._escpos_status import Known
from kiosd_drivers.escpos_printer import Config, EscposPrinter, EscposPrinterDriver
from kiosd_sim.door import door, tcp
from kiosd_sim.printer import SimPrinter, sim_printer_pty, sim_printer_tcp
from support.printers import SLIP, first, opened, opened_by, scripted

FAST = {"answer_s": 0.2, "confirm_s": 0.4}
PAPER_OUT, WELL_AGAIN = b"\x18\x00\x0c\x0f", b"\x10\x00\x00\x0f"


@pytest.fixture(params=["pty", "tcp"])
async def far(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[SimPrinter]:
    async with sim_printer_pty(tmp_path / "printer") if request.param == "pty" else sim_printer_tcp() as it:
        yield it


async def ends(printer: EscposPrinter) -> DeviceError:
    """Why ``printer`` has to be opened anew."""
    with pytest.raises(DeviceError) as error:
        await first(printer, "never")
    return error.value


# -- silence


@pytest.mark.parametrize(
    ("far", "takes"),
    [("pty", True), ("tcp", True), ("pty", False)],  # one on the network that is off takes no connection either
    indirect=["far"],
    ids=["pty, silent", "tcp, silent", "off behind its adapter"],
)
async def test_one_that_answered_before_is_busy_when_it_is_opened_anew_and_prints_with_its_mark_once_it_answers(
    far: SimPrinter, takes: bool
) -> None:
    driver = EscposPrinterDriver()
    async with opened_by(driver, far.port) as printer:
        assert await printer.print_slip(SLIP) is Outcome.PRINTED
        far.set(silent=True, busy=not takes)
        assert (await ends(printer)).code == "timeout"
    async with opened_by(driver, far.port) as printer:
        loop = asyncio.get_running_loop()
        began, fault = loop.time(), await anext(printer.watch())
        assert (fault.code, loop.time() - began < 0.1) == ("busy", True), "before anybody prints"
        with pytest.raises(DeviceError, match="off, or busy") as refused:
            await printer.print_slip(SLIP)
        assert refused.value.code == "busy"
        far.set(silent=False, busy=False)
        assert (await first(printer, "")).detail == ""
        assert await printer.print_slip(SLIP) is Outcome.PRINTED, "not unconfirmed"
    assert len(far.slips) == 2


async def test_one_that_says_only_that_it_printed_is_known_by_that() -> None:
    driver = EscposPrinterDriver()
    async with scripted(status=None) as far:
        async with opened_by(driver, far.port, **FAST) as printer:
            assert await printer.print_slip(SLIP) is Outcome.PRINTED
            says, far.says = far.says, {}
            assert await printer.print_slip(SLIP) is Outcome.UNCERTAIN
        async with opened_by(driver, far.port, **FAST) as printer:
            assert (await anext(printer.watch())).code == "busy"
            far.says = says
            await first(printer, "")
            assert await printer.print_slip(SLIP) is Outcome.PRINTED


async def test_one_that_never_answered_is_unconfirmed_however_often_it_is_opened(far: SimPrinter) -> None:
    driver = EscposPrinterDriver()
    far.set(silent=True)
    for _ in range(2):
        async with opened_by(driver, far.port, answer_s=0.05) as printer:
            assert await printer.print_slip(SLIP) is Outcome.UNCONFIRMED
            assert (await first(printer, "unconfirmed")).detail
            await far.unplug()
            assert (await ends(printer)).code == "absent"
        await far.plug()


@pytest.mark.parametrize("status", [True, False], ids=["asked for its state", "asked for its mark only"])
async def test_one_that_is_said_to_answer_gets_no_ticket_while_it_is_silent_from_the_start(far: SimPrinter, status: bool) -> None:
    far.set(silent=True)
    async with opened(far.port, answers=True, status=status, **FAST) as printer:
        with pytest.raises(DeviceError, match="off, or busy") as refused:
            await printer.print_slip(SLIP)
        assert refused.value.code == "busy"
        await first(printer, "busy")
        far.set(silent=False)
        assert await printer.print_slip(SLIP) is Outcome.PRINTED
    assert len(far.slips) == 1


def test_one_that_is_never_asked_cannot_be_said_to_answer() -> None:
    with pytest.raises(ValueError, match="wants a printer that is asked"):
        Config.model_validate({"port": "/dev/ttyUSB0", "answers": True, "status": False, "confirm": False})


async def test_a_byte_of_noise_makes_no_printer_that_answers() -> None:
    driver = EscposPrinterDriver()
    async with scripted({}, greeting=b"") as far:
        noise = iter([b"\x12"])
        far.says["status"] = lambda _: next(noise, b"")
        async with opened_by(driver, far.port, **FAST) as printer:
            assert (await ends(printer)).code == "timeout"
        async with opened_by(driver, far.port, **FAST) as printer:
            assert await printer.print_slip(SLIP) is Outcome.UNCONFIRMED


async def test_answers_that_come_late_are_no_silence_and_are_not_mixed_up() -> None:
    """A board under load: each answer comes after its question was asked again. Only the fourth says something."""
    loop = asyncio.get_running_loop()
    async with scripted() as far:

        def late(question: bytes) -> bytes:
            loop.call_later(0.28, far.push, b"\x1e" if question == b"\x04" else b"\x12")
            return b""

        far.says["status"] = late
        async with opened(far.port, **FAST) as printer:
            for _ in range(2):
                assert (await anext(printer.watch())).code == "paper_near_end"
            assert await printer.print_slip(SLIP) is Outcome.PRINTED


async def test_real_silence_is_told_within_five_seconds_by_the_settings_as_they_come() -> None:
    async with scripted() as far:
        config = Config.model_validate({"port": far.port})
        loop = asyncio.get_running_loop()
        async with EscposPrinterDriver().open(config) as printer:
            assert await printer.print_slip(SLIP) is Outcome.PRINTED
            looking = loop.create_task(ends(printer))
            await far.until(lambda: far.asked.count("status") >= 4)
            far.says, began = {}, loop.time()
            assert (await looking).code == "timeout"
            assert loop.time() - began < 6.0


# -- what stops a ticket in its middle


async def test_paper_that_ends_in_mid_ticket_is_told_at_once_and_not_when_the_wait_is_over(far: SimPrinter) -> None:
    async with opened(far.port, confirm_s=8.0) as printer:
        assert await printer.print_slip(SLIP) is Outcome.PRINTED
        far.set(slow=2000.0)
        async with asyncio.TaskGroup() as tasks:
            slip = tasks.create_task(printer.print_slip(SLIP))
            looking = tasks.create_task(first(printer, "paper_out"))
            await far.half_out()
            far.set(paper="out", slow=None)
            await looking
            assert not slip.done(), "a new roll may still save it"
            far.set(paper="ok")
        assert slip.result() is Outcome.PRINTED


# -- talk without end


@asynccontextmanager
async def jabbering(pause_s: float = 0.0, size: int = 4096) -> AsyncIterator[str]:
    """A far side on TCP that sends random bytes for ever."""
    chance = random.Random(7)

    async def talk(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):
            while True:
                writer.write(chance.randbytes(size))
                await writer.drain()
                await asyncio.sleep(pause_s)

    listener = tcp()
    async with door(talk, listener):
        yield f"tcp:127.0.0.1:{listener.getsockname()[1]}"


@pytest.mark.parametrize(("pause_s", "size"), [(0.0, 4096), (0.01, 12)], ids=["as fast as it goes", "9600 baud"])
async def test_a_line_that_jabbers_is_let_go_and_stays_so(pause_s: float, size: int) -> None:
    driver = EscposPrinterDriver()
    async with jabbering(pause_s, size) as port:
        async with opened_by(driver, port, **FAST) as printer:
            seen = list[Fault]()
            with pytest.raises(DeviceError, match="sends without end") as error:
                async for fault in printer.watch():
                    seen.append(fault)
            assert error.value.code == "jabber"
            with pytest.raises(DeviceError, match="sends without end"):
                await printer.print_slip(SLIP)
        if not pause_s:
            with pytest.raises(DeviceError, match="sends without end"):
                async with opened_by(driver, port, **FAST):
                    pytest.fail("it is not up for a moment")


async def test_a_ticket_whose_printer_begins_to_jabber_is_uncertain_at_once() -> None:
    async with scripted() as far, opened(far.port, **FAST | {"confirm_s": 9.0}) as printer:
        assert await printer.print_slip(SLIP) is Outcome.PRINTED
        chance, asked = random.Random(7), len(far.names)
        del far.says["id"]
        loop = asyncio.get_running_loop()
        slip, began = loop.create_task(printer.print_slip(SLIP)), loop.time()
        await far.until(lambda: len(far.names) > asked)
        while not slip.done():
            far.push(chance.randbytes(64))
            await asyncio.sleep(0.01)
        assert slip.result() is Outcome.UNCERTAIN
        assert loop.time() - began < 4.0


def test_the_deadline_of_a_ticket_is_near_the_sum_of_its_parts() -> None:
    config = Config.model_validate({"port": "/dev/usb/lp0"})
    parts = 2 * config.write_s + config.confirm_s
    assert parts < BlockingPrinter(config, Known(), list[Fault]().append).printing_s < parts + 30.0
