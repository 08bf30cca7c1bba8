"""The walk through a ticket printer: a slip that is no ticket, then the cover and the paper."""

import asyncio
from collections.abc import Callable

from kiosd.commissioning.walk import REMEDIES, UNKNOWN, USE_S, Walk
from kiosd.errors import DeviceError
from kiosd.findings import failed, note, ok, skipped
from kiosd.ports import DriverConfig, Fault, Outcome, Qr, Slip, Text, TicketPrinter

PRINTS = frozenset({"", "paper_near_end", "unconfirmed", "logo"})
"""Fault codes with which a printer prints all the same (``TicketPrinter``)."""
OUTCOMES = {
    Outcome.PRINTED: ok("print", "confirmed: the printer said so, or is trusted to (confirm = false)"),
    Outcome.UNCONFIRMED: note("print", "unconfirmed: it took all bytes, and is a printer that cannot say more",
                              "it answers no question about its work", "see that the slip is whole; kiosd works with it"),
    Outcome.UNCERTAIN: failed("print", "uncertain: something failed, the slip may be whole, torn or missing", *REMEDIES["timeout"]),
}  # fmt: skip
QR = "UJI-BUKAN-TIKET"


def trial_slip(columns: int) -> Slip:
    """A slip that is no ticket: sizes, a ruler over the whole width, a QR code."""
    ruler = "".join(str(number % 10) for number in range(1, columns + 1))
    lines = (
        Text("*** UJI / TEST ***", bold=True),
        Text("bukan nomor antrean"),
        Text("not a ticket"),
        Text(ruler),
        Text("UJI", size=min(6, columns // 3), bold=True),
        Text("ABCDEFG 0123456789"[:columns]),
        Qr(QR),
        Text("-" * columns),
    )
    return Slip("UJI", lines)


async def printer(walk: Walk, device: TicketPrinter, _: DriverConfig) -> None:
    """Print a slip, look at it; then the cover and the paper."""
    for fault in await walk.settle():
        if isinstance(fault, Fault) and fault.code not in PRINTS:
            walk.say(f"  {fault.detail}")
    try:
        async with asyncio.timeout(USE_S):
            outcome = await device.print_slip(trial_slip(device.columns))
    except DeviceError as exc:
        walk.found(failed("print", f"nothing was printed: {exc}", *REMEDIES.get(exc.code, UNKNOWN)))
    else:
        walk.found(OUTCOMES[outcome])
        await _slip(walk, device.columns)
    await walk.settle()
    states = "; ".join(fault.detail for fault in walk.faults.values())
    walk.found(note("paper", states) if states else ok("paper", "the printer says that all is well, or says nothing"))
    cover = await _state(walk, "cover", lambda code: code not in PRINTS, "Open the printer's cover", "Close the cover")
    paper = await _state(
        walk, "paper out", lambda code: code == "paper_out", "Take the paper out", "Put the paper back and close the cover"
    )
    if cover or paper:
        walk.say("  It answers. Say answers = true in [devices.NAME]: then it gets no tickets when it is off at the start.")


async def _slip(walk: Walk, columns: int) -> None:
    await walk.asked(
        "slip",
        f"Is the slip whole: {columns} digits on one line, UJI big, a QR code, a rule on one line, and cut?",
        "it looks as it should",
        "columns is wrong (the ruler wraps or is short), the QR code is not native, or there is no cutter",
        f'columns ({columns} now; 32 on 58 mm, 48 on 80 mm), qr = "raster", cut = false in [devices.NAME]',
    )


async def _state(walk: Walk, check: str, wanted: Callable[[str], bool], prompt: str, back: str) -> bool:
    """Have a printer say that it cannot print, and that it can again; whether it said the first."""
    told = await walk.wait_for(prompt, lambda item: isinstance(item, Fault) and wanted(item.code))
    if told == "skipped":
        walk.found(skipped(check, "not tried"))
    elif not isinstance(told, Fault):
        cause = "it has no such sensor, or answers no questions"
        walk.found(note(check, "the printer does not say it", cause, "kiosd notices it when a ticket does not come"))
    else:
        walk.found(ok(check, f"it says: {told.detail} ({told.code})"))
        await _again(walk, check, back)
        return True
    return False


async def _again(walk: Walk, check: str, prompt: str) -> None:
    if await walk.wait_for(prompt, lambda _: all(fault.code in PRINTS for fault in walk.faults.values())) == "nothing":
        cause = "its cover, its paper or an error of its own"
        walk.found(failed(check, "it does not say that it can print again", cause, "see its lamps or its display"))
