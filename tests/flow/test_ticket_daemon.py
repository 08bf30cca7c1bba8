"""The whole daemon as a process with two printers: what its configuration says is what comes out of which."""

import asyncio
from pathlib import Path

from kiosd.queue.commands import IssueTicket
from kiosd.queue.interface import Queue
from kiosd_sim.printer import SimPrinter, sim_printer_pty, sim_printer_tcp
from support.kiosk import Kiosk

DEVICES = """
[ticket_machine]
printer = "printer"
spare = "spare"
[devices.printer]
driver = "escpos_printer"
port = "{first}"
poll_s = 0.1
answer_s = 2.0
[devices.spare]
driver = "escpos_printer"
port = "{spare}"
columns = 48
poll_s = 0.1
answer_s = 2.0
"""


async def until(queue: Queue, device: str, code: str) -> None:
    """Wait until the daemon says that ``device`` has ``code``."""
    async with asyncio.timeout(30):
        while (device, code) not in {(view.device, view.code) for view in (await queue.snapshot()).devices}:  # noqa: ASYNC110
            await asyncio.sleep(0.05)


async def print_at(queue: Queue, printer: SimPrinter) -> str:
    """Give a ticket; what is on the slip that ``printer`` prints."""
    number = (await queue.execute(IssueTicket(service="F"))).result["number"]
    async with asyncio.timeout(30):
        slip = await printer.next_slip()
    assert number in slip.text
    return slip.text


async def test_the_spare_of_the_configuration_stands_in_for_the_first(tmp_path: Path) -> None:
    async with sim_printer_pty(tmp_path / "lp") as first, sim_printer_tcp(columns=48) as spare:
        with Kiosk(tmp_path, more=DEVICES.format(first=first.port, spare=spare.port)) as daemon:
            await daemon.start()
            async with daemon.queue() as queue:
                await until(queue, "printer", "")
                await until(queue, "spare", "")
                await print_at(queue, first)
                first.set(paper="out")
                await until(queue, "printer", "paper_out")
                assert "-" * 48 in await print_at(queue, spare)
                first.set(paper="ok")
                await until(queue, "printer", "")
                await print_at(queue, first)
                assert (len(first.slips), len(spare.slips)) == (2, 1)
            assert daemon.stop() == 0


async def test_two_printers_are_opened_together_at_a_start(tmp_path: Path) -> None:
    """Each needs python-escpos, whose import may not happen twice at once."""
    async with sim_printer_pty(tmp_path / "lp") as first, sim_printer_tcp(columns=48) as spare:
        with Kiosk(tmp_path, more=DEVICES.format(first=first.port, spare=spare.port)) as daemon:
            for _ in range(3):
                await daemon.start()
                async with daemon.queue() as queue:
                    await until(queue, "printer", "")
                    await until(queue, "spare", "")
                assert daemon.stop() == 0
            log = daemon.log.read_text()
            assert "is down" not in log and "bug" not in log


async def test_a_daemon_that_is_killed_again_and_again_prints_one_copy_at_most(tmp_path: Path) -> None:
    only = DEVICES[: DEVICES.index("[devices.spare]")].replace('spare = "spare"', "")
    async with sim_printer_pty(tmp_path / "lp") as far, asyncio.timeout(60):
        far.set(slow=300.0)
        with Kiosk(tmp_path, more=only.format(first=far.port)) as daemon:
            await daemon.start()
            async with daemon.queue() as queue:
                await until(queue, "printer", "")
                number = (await queue.execute(IssueTicket(service="F"))).result["number"]
                await far.half_out()
                daemon.kill()
            await far.next_slip()  # the line keeps what it has
            for turn in range(3):
                await daemon.start()
                async with daemon.queue() as queue:
                    await (until(queue, "printer", "") if turn else far.half_out())
                    daemon.kill()
                if turn == 0:
                    await far.next_slip()
            far.set(slow=None)
            await daemon.start()
            async with daemon.queue() as queue:
                await print_at(queue, far)
            assert daemon.stop() == 0
        slips = [slip.text for slip in (*far.slips, *far.torn) if number in slip.text]
        assert [("SALINAN" in text) for text in slips] == [False, True]
