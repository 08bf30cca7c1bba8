"""The conversation with printers that know everything, half of it or nothing, that lie, or that stop in the middle."""

import asyncio
import time
from contextlib import suppress
from pathlib import Path

import pytest

from kiosd.errors import DeviceError
from kiosd.ports import Fault, Outcome
from kiosd_drivers import _escpos_status
from kiosd_drivers._escpos_status import ASK_SENSORS, CLEAR, REPORTS_ON, Conversation, Marker
from kiosd_drivers._wires import Wire
from kiosd_drivers.escpos_printer import EscposPrinter
from kiosd_sim.printer import sim_printer_pty
from support.printers import SLIP, Says, first, opened, scripted
from support.sim_pins import until

PAPER_OUT = b"\x18\x00\x0c\x0f"
FAST = {"answer_s": 0.2, "confirm_s": 0.4}


async def faults_of(printer: EscposPrinter, count: int) -> list[Fault]:
    """The first ``count`` faults."""
    found: list[Fault] = []
    async for fault in printer.watch():
        found.append(fault)
        if len(found) == count:
            break
    return found


# -- the word that a ticket is printed


async def test_a_ticket_is_printed_when_its_own_id_comes_back() -> None:
    async with scripted() as far, opened(far.port, **FAST) as printer:
        for _ in range(3):
            assert await printer.print_slip(SLIP) is Outcome.PRINTED
        names = far.names
        assert len(names) == len(set(names)) == 4, "the probe's, and one for each ticket"
        assert all(byte & 0xF0 == 0x40 for name in names for byte in name), "told apart from every other answer"
        assert "sensors" not in far.asked


@pytest.mark.parametrize(
    "answer",
    [lambda _: b"\x37\x22@@@@\x00", lambda name: b"\x37\x22" + name, lambda _: b"\x00\x00\x12\x0c", lambda _: PAPER_OUT, lambda _: b""],
    ids=["another id", "cut short", "other answers", "automatic status", "nothing"],
)
async def test_nothing_but_its_own_id_says_that_it_is_printed(answer: Says) -> None:
    async with scripted() as far, opened(far.port, **FAST) as printer:
        assert await printer.print_slip(SLIP) is Outcome.PRINTED
        far.says["id"] = answer
        assert await printer.print_slip(SLIP) is Outcome.UNCERTAIN


async def test_status_bytes_and_reports_inside_the_answer_do_not_hide_it() -> None:
    def mixed(name: bytes) -> bytes:
        return b"\x11\x37\x22" + name[:2] + b"\x12" + PAPER_OUT + b"\x13" + name[2:] + b"\x00"

    async with scripted(id=mixed) as far, opened(far.port, **FAST) as printer:
        assert await printer.print_slip(SLIP) is Outcome.PRINTED


@pytest.mark.parametrize("stale", [b"\x00", b"\x0c\x00\x00", b"\x37\x22@@@@\x00", b"\x10", b"\x37\x22", PAPER_OUT * 9, b"\x12\x12\x1a"])
async def test_what_was_said_before_the_printer_was_opened_answers_nothing(stale: bytes) -> None:
    async with scripted(greeting=stale, id=None, sensors=None) as far, opened(far.port, **FAST, speed_mm_s=500) as printer:
        assert await printer.print_slip(SLIP) is Outcome.UNCONFIRMED


async def test_the_sensors_are_the_second_best_word() -> None:
    async with scripted(id=None) as far, opened(far.port, **FAST) as printer:
        assert await printer.print_slip(SLIP) is Outcome.PRINTED
        far.says["sensors"] = lambda _: PAPER_OUT  # only what it says by itself
        assert await printer.print_slip(SLIP) is Outcome.UNCERTAIN


async def test_a_word_that_does_not_come_though_all_is_well_is_not_waited_for_again() -> None:
    async with scripted() as far, opened(far.port, **FAST) as printer:
        assert await printer.print_slip(SLIP) is Outcome.PRINTED
        del far.says["id"]
        assert await printer.print_slip(SLIP) is Outcome.UNCERTAIN
        assert await printer.print_slip(SLIP) is Outcome.PRINTED, "by the sensors"
        assert far.asked[-1] == "sensors"
        del far.says["sensors"]
        assert await printer.print_slip(SLIP) is Outcome.UNCERTAIN
        assert await printer.print_slip(SLIP) is Outcome.UNCONFIRMED


async def test_what_stopped_a_ticket_is_told_as_its_reason() -> None:
    async with scripted(clear=None) as far, opened(far.port, **FAST) as printer:
        assert await printer.print_slip(SLIP) is Outcome.PRINTED
        del far.says["id"]
        before = far.got.count(b"D005")
        far.says["status"] = lambda question: b"\x1a" if question == b"\x03" and far.got.count(b"D005") > before else b"\x12"
        assert await printer.print_slip(SLIP) is Outcome.UNCERTAIN
        with pytest.raises(DeviceError, match="cutter") as error:
            await printer.print_slip(SLIP)
        assert error.value.code == "cutter"


async def test_a_printer_that_cannot_say_it_is_told_once_and_hides_nothing() -> None:
    async with scripted(id=None, sensors=None) as far, opened(far.port, **FAST) as printer:
        far.says["status"] = lambda question: b"\x1e" if question == b"\x04" else b"\x12"
        near = (await faults_of(printer, 1))[0]
        assert near.code == "paper_near_end" and "cannot say" in near.detail
        far.says["status"] = lambda _: b"\x12"
        found = asyncio.get_running_loop().create_task(faults_of(printer, 3))
        fault = await first(printer, "unconfirmed")
        assert "confirm = false" in fault.detail
        found.cancel()
        with suppress(asyncio.CancelledError):
            await found
    async with scripted(id=None, sensors=None) as far, opened(far.port, **FAST, confirm=False) as printer:
        assert await printer.print_slip(SLIP) is Outcome.PRINTED
        assert not {"id", "sensors"} & set(far.asked)


# -- clones


async def test_half_a_clone_tells_what_stopped_it_but_not_that_it_printed() -> None:
    def only_the_first(question: bytes) -> bytes:
        return b"\x12" if question == b"\x01" else b""

    async with scripted({}, status=only_the_first) as far, opened(far.port, **FAST, speed_mm_s=500) as printer:
        assert await printer.print_slip(SLIP) is Outcome.UNCONFIRMED
        far.says["status"] = lambda question: b"\x1a" if question == b"\x01" and far.got.count(b"D005") > 3 else only_the_first(question)
        assert await printer.print_slip(SLIP) is Outcome.UNCERTAIN, "it went offline while it printed"
        with pytest.raises(DeviceError) as error:
            await printer.print_slip(SLIP)
        assert error.value.code == "offline"
        await far.until(lambda: far.asked[-1] == "recover")


async def test_one_lost_answer_is_asked_for_again_and_two_are_a_fault() -> None:
    lost = iter([True, False, False, False, False])

    def loses(_: bytes) -> bytes:
        return b"" if next(lost, False) else b"\x12"

    async with scripted() as far, opened(far.port, **FAST) as printer:
        assert await printer.print_slip(SLIP) is Outcome.PRINTED
        far.says["status"] = loses
        assert await printer.print_slip(SLIP) is Outcome.PRINTED
        del far.says["status"]
        with pytest.raises(DeviceError, match="stopped answering"):
            await printer.print_slip(SLIP)


# -- automatic status


async def test_automatic_status_is_asked_for_and_asked_for_again_behind_each_ticket() -> None:
    async with scripted() as far, opened(far.port, **FAST) as printer:
        assert await printer.print_slip(SLIP) is Outcome.PRINTED
        ticket = far.got[far.got.rindex(b"D005") :]
        assert ticket.index(b"\x1dV\x42") < ticket.index(REPORTS_ON) < ticket.index(b"\x1d(H")


async def test_no_automatic_status_where_the_printer_may_not_be_asked() -> None:
    async with scripted() as far, opened(far.port, **FAST, status=False) as printer:
        assert await printer.print_slip(SLIP) is Outcome.PRINTED
        assert not {"status", "reports"} & set(far.asked)


async def test_what_the_printer_says_by_itself_counts_while_it_answers_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    async with scripted() as far, opened(far.port, **FAST) as printer:
        assert await printer.print_slip(SLIP) is Outcome.PRINTED
        del far.says["status"]
        far.push(PAPER_OUT)
        assert (await first(printer, "paper_out")).detail == "the paper is out"
        with pytest.raises(DeviceError) as refused:
            await printer.print_slip(SLIP)
        assert refused.value.code == "paper_out"
        monkeypatch.setattr(_escpos_status, "BUSY_S", 0.0)
        with pytest.raises(DeviceError, match="stopped answering"):
            await first(printer, "never")


async def test_what_it_says_while_a_ticket_is_waited_for_is_told_at_once() -> None:
    names: list[bytes] = []

    def remember(name: bytes) -> bytes:
        names.append(name)
        return b""

    async with scripted() as far, opened(far.port, **FAST | {"confirm_s": 8.0}) as printer:
        assert await printer.print_slip(SLIP) is Outcome.PRINTED
        far.says["id"] = remember
        async with asyncio.TaskGroup() as tasks:
            slip = tasks.create_task(printer.print_slip(SLIP))
            looking = tasks.create_task(first(printer, "paper_out"))
            await far.until(lambda: bool(names))
            far.push(PAPER_OUT)
            assert (await looking).detail == "the paper is out"
            assert not slip.done()
            far.push(b"\x10\x00\x00\x0f\x37\x22" + names[0] + b"\x00")  # a new roll, and it goes on by itself
        assert slip.result() is Outcome.PRINTED


class SlowLine(Wire):
    """A line from which ``come`` is read: what there is, and how long it must be waited for. It answers the probe by the sensors."""

    def __init__(self) -> None:
        self.come: list[tuple[float, bytes]] = []

    def write(self, data: bytes, progress_s: float) -> None:
        if ASK_SENSORS in data:
            self.come.append((0.0, b"\x00"))

    def drain(self, progress_s: float) -> None:
        pass

    def port_status(self) -> int | None:
        return None

    def read(self, wait_s: float) -> bytes:
        if self.come and self.come[0][0] <= wait_s:
            return self.come.pop(0)[1]
        time.sleep(wait_s)
        return b""


@pytest.mark.parametrize(
    ("before", "answer", "printed", "said"),
    [
        ([(0.0, b"\x18"), (0.02, b"\x00\x0c\x0f")], b"", False, ["paper_out"]),
        ([(0.0, b"\x18")], b"\x00", True, []),
        ([(0.0, b"\x37\x22")], b"\x00", True, []),
    ],
    ids=["the rest comes a moment later", "noise like a report", "noise like a block"],
)
def test_what_was_begun_before_a_ticket_is_no_answer_to_it(
    before: list[tuple[float, bytes]], answer: bytes, printed: bool, said: list[str]
) -> None:
    line, told = SlowLine(), list[str]()
    talk = Conversation(line, 0.02, ask=False, mark=True, tell=lambda fault: told.append(fault.code))
    assert talk.now().code == "" and talk.marker is Marker.SENSORS
    line.come = before.copy()
    talk.send(b"ticket", 1.0)
    line.come = line.come[:-1] + ([(0.0, answer)] if answer else [])
    assert talk.printed(0.1) is printed
    assert told == said


# -- taking a ticket back


async def test_what_was_sent_before_it_was_opened_is_taken_back_first() -> None:
    async with scripted() as far:
        for _ in range(2):
            async with opened(far.port, **FAST) as printer:
                assert await printer.print_slip(SLIP) is Outcome.PRINTED
        assert far.asked.count("clear") == 2 and far.asked.index("clear") < far.asked.index("id")
    async with scripted({}) as silent, opened(silent.port, **FAST) as printer:
        assert await printer.print_slip(SLIP) is Outcome.UNCONFIRMED
        assert "clear" not in silent.asked, "one that answers nothing may print what it does not know"


async def test_questions_do_not_fill_the_buffer_of_a_printer_that_has_no_paper_for_long(tmp_path: Path) -> None:
    async with sim_printer_pty(tmp_path / "lp", buffer=2048) as far, opened(far.port, poll_s=0.001, answer_s=2.0) as printer:
        assert await printer.print_slip(SLIP) is Outcome.PRINTED
        far.set(paper="out")
        async with asyncio.TaskGroup() as tasks:
            well = tasks.create_task(first(printer, ""))
            for _ in range(3):  # much more than it holds is asked
                await until(lambda: far.waiting > 900)
                await until(lambda: far.waiting < 200)
            assert not well.done(), "it was without paper all the time, and there"
            far.set(paper="ok")
        assert await printer.print_slip(SLIP) is Outcome.PRINTED
        assert len(far.slips) == 2 and not far.torn


async def test_a_printer_whose_buffer_is_full_of_questions_is_still_without_paper_and_goes_on_with_the_next_roll(tmp_path: Path) -> None:
    async with sim_printer_pty(tmp_path / "lp", buffer=512) as far:
        far.set(clone="simple")  # takes nothing back
        async with opened(far.port, poll_s=0.001, answer_s=0.1) as printer:
            assert await printer.print_slip(SLIP) is Outcome.PRINTED
            far.set(paper="out")
            async with asyncio.TaskGroup() as tasks:
                well = tasks.create_task(first(printer, ""))
                await until(lambda: far.waiting == 512)
                with pytest.raises(DeviceError) as refused:
                    await printer.print_slip(SLIP)
                assert refused.value.code == "paper_out" and not well.done()
                far.set(paper="ok")
            assert await printer.print_slip(SLIP) is Outcome.PRINTED
            assert len(far.slips) == 2


async def test_a_ticket_that_may_wait_for_paper_in_the_printer_is_left_there() -> None:
    async with scripted(id=None, sensors=None) as far, opened(far.port, **FAST, poll_s=0.001, speed_mm_s=500) as printer:
        assert await printer.print_slip(SLIP) is Outcome.UNCONFIRMED
        far.says["status"] = lambda question: b"\x72" if question == b"\x04" else b"\x12"
        asked = len(far.asked)
        async with asyncio.TaskGroup() as tasks:
            looking = tasks.create_task(first(printer, "never"))
            await far.until(lambda: len(far.asked) - asked > 600)
            looking.cancel()
        assert far.asked.count("clear") == 1, "the one at its opening"


async def test_a_ticket_in_doubt_is_taken_back_and_the_printer_stays() -> None:
    async with scripted() as far, opened(far.port, **FAST) as printer:
        assert await printer.print_slip(SLIP) is Outcome.PRINTED
        answer = far.says.pop("id")
        assert await printer.print_slip(SLIP) is Outcome.UNCERTAIN
        assert CLEAR in far.got and far.asked[-1] == "clear"
        far.says["id"] = answer
        assert await printer.print_slip(SLIP) is Outcome.PRINTED


async def test_a_printer_that_does_not_say_that_it_took_it_back_is_closed() -> None:
    async with scripted(clear=None) as far, opened(far.port, **FAST) as printer:
        assert await printer.print_slip(SLIP) is Outcome.PRINTED
        del far.says["id"]
        assert await printer.print_slip(SLIP) is Outcome.UNCERTAIN
        await far.until(lambda: far.asked[-2:] == ["clear", "recover"])
        with pytest.raises(DeviceError, match="did not say"):
            await printer.print_slip(SLIP)


# -- a USB port beside the data


class UsbPort:
    """What LPGETSTATUS says, on a wire that has none."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.byte = 0x18
        monkeypatch.setattr(Wire, "port_status", lambda _: self.byte)


async def test_the_usb_port_tells_of_paper_and_errors_beside_the_data(monkeypatch: pytest.MonkeyPatch) -> None:
    port = UsbPort(monkeypatch)
    async with scripted() as far, opened(far.port, **FAST) as printer:
        assert await printer.print_slip(SLIP) is Outcome.PRINTED
        asked = len(far.asked)
        port.byte = 0x38
        with pytest.raises(DeviceError) as error:
            await printer.print_slip(SLIP)
        assert error.value.code == "paper_out" and len(far.asked) == asked, "no question would get through"
        port.byte = 0x10
        assert (await first(printer, "error")).detail
        del far.says["status"]
        port.byte = 0x18
        assert (await first(printer, "busy")).detail


async def test_a_usb_port_that_only_ever_says_zero_says_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    UsbPort(monkeypatch).byte = 0
    async with scripted() as far, opened(far.port, **FAST) as printer:
        assert await printer.print_slip(SLIP) is Outcome.PRINTED


async def test_a_far_side_that_only_talks_noise_is_no_printed_ticket() -> None:
    async with scripted({}, status=lambda _: b"\x91\xff\x80\x13\x11") as far, opened(far.port, **FAST) as printer:
        assert await printer.print_slip(SLIP) is Outcome.UNCONFIRMED
        await far.until(lambda: b"Terima kasih" in far.got)
