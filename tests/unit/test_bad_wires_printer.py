"""A ticket on a wire that loses or changes bytes on their way to the paper. Wires that do not: ``test_sim_wires``."""

import asyncio
from contextlib import suppress
from functools import partial
from pathlib import Path

import pytest

from kiosd.errors import DeviceError
from kiosd.ports import Outcome, Slip, Text
from kiosd_sim.outlets import PtyOutlet
from kiosd_sim.paper import PrintedSlip
from kiosd_sim.printer import sim_printer_pty
from kiosd_sim.wires import Garbled, Lossy, Way, bad_wire
from support.printers import SLIP, opened

WITHIN_S = 60.0  # it takes two; a busy machine may need more
COPY = Slip(SLIP.ticket, (SLIP.lines[0], Text("*** SALINAN ***", bold=True), *SLIP.lines[1:]), copy=True)
TRIES = 5


async def printed(port: str, slip: Slip) -> Outcome:
    """Print ``slip`` as a station does: again and again while surely nothing of it came out, and never after that."""
    for _ in range(TRIES):
        with suppress(DeviceError):
            async with opened(port, confirm_s=0.5) as printer:
                return await printer.print_slip(slip)
    return Outcome.UNCERTAIN


async def clean(directory: Path, slip: Slip) -> PrintedSlip:
    """``slip`` from a printer on a good wire."""
    async with sim_printer_pty(directory / f"clean-{slip.copy}") as paper:
        assert await printed(paper.port, slip) is Outcome.PRINTED
    return paper.slips[0]


@pytest.mark.parametrize(
    "way", [Lossy(25), Lossy(97), Lossy(400), Garbled(25), Garbled(97), Garbled(400)], ids=["l25", "l97", "l400", "g25", "g97", "g400"]
)
async def test_a_ticket_on_a_wire_that_spoils_it_is_one_original_and_at_most_one_copy(tmp_path: Path, way: Way) -> None:
    """What came out may be spoiled, and the printer does not know: its language has no checksum. Nothing hangs, nothing comes twice."""
    whole = [await clean(tmp_path, slip) for slip in (SLIP, COPY)]
    async with sim_printer_pty(tmp_path / "far") as paper:
        async with asyncio.timeout(WITHIN_S), bad_wire(partial(PtyOutlet, tmp_path / "near"), paper.port, way) as port:
            outcome = await printed(port, SLIP)
            copied = outcome is Outcome.UNCERTAIN
            if copied:
                await printed(port, COPY)
        slips = list(paper.slips)
    assert all(slips.count(one) <= 1 for one in whole)
    assert len(slips) <= 1 + copied
    assert copied or whole[1] not in slips
