"""The simulated printer as a program of its own, for other software and for the lab: ``python -m kiosd_sim.printer``.

It writes each slip into a directory as text and picture, and obeys lines on a Unix socket: one line in, one line out, ``ok``, ``error:
...`` or, for ``state``, JSON. A line is a request of ``moods`` (``paper out``, ``cover open``, ``slow 50``, ``clone half`` ...), ``plug``,
``unplug`` or ``state``.
"""

import argparse
import asyncio
import json
import os
import signal
import sys
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager, suppress
from pathlib import Path
from typing import Any

from kiosd.errors import Refused
from kiosd_sim.control import listening
from kiosd_sim.door import door
from kiosd_sim.moods import changed, described
from kiosd_sim.paper import PrintedSlip
from kiosd_sim.printer import SimPrinter, sim_printer_gadget, sim_printer_pty, sim_printer_tcp

LINE_BYTES = 256
DEFAULT_SLIPS = "slips"


class _Shelf:
    """Where the slips are put down, numbered as they come."""

    def __init__(self, directory: Path) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self._directory, self.count = directory, 0

    def put(self, slip: PrintedSlip) -> None:
        """Write a slip; the text last, so that who finds it finds the picture too."""
        self.count += 1
        file = self._directory / f"{self.count:05}.txt"
        with suppress(ModuleNotFoundError):  # QR codes and barcodes are drawn by packages that a small machine may lack
            slip.save(file.with_suffix(".png"))
        fresh = file.with_suffix(".new")
        fresh.write_text(f"{slip.text}\n", encoding="utf-8")
        fresh.replace(file)
        print(f"slip {self.count}: {slip.mm:.0f} mm", flush=True)


async def _obey(printer: SimPrinter, shelf: _Shelf, line: bytes) -> str:
    try:
        words = line.decode("ascii").split()
        if words == ["state"]:
            counts = {"slips": shelf.count, "torn": len(printer.torn), "waiting": printer.waiting}
            return json.dumps({"port": printer.port} | described(printer.mood) | counts)
        if words == ["plug"]:
            await printer.plug()
        elif words == ["unplug"]:
            await printer.unplug()
        else:
            printer.become(changed(printer.mood, words))
    except Refused as exc:
        return f"error: {exc.facts.get('message', exc.code)}"
    except (UnicodeDecodeError, OSError) as exc:
        return f"error: {exc}"
    return "ok"


async def _serve(printer: SimPrinter, shelf: _Shelf, path: Path | None, stop: asyncio.Event) -> None:
    async def client(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError, asyncio.LimitOverrunError, ValueError):  # ValueError: a line without an end
            while line := await reader.readline():
                writer.write(f"{await _obey(printer, shelf, line)}\n".encode())

    if path is None:
        await stop.wait()
        return
    with listening(path) as listener:
        async with door(client, listener, LINE_BYTES):
            await stop.wait()


def _printer(args: argparse.Namespace, settings: dict[str, Any]) -> AbstractAsyncContextManager[SimPrinter]:
    if args.gadget:
        return sim_printer_gadget(args.gadget, **settings)
    return sim_printer_pty(args.pty, **settings) if args.pty else sim_printer_tcp(args.tcp, **settings)


async def _run(args: argparse.Namespace) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    shelf = _Shelf(args.slips)
    settings = {"columns": args.columns, "cutter": not args.no_cutter, "on_slip": shelf.put, "buffer": args.buffer}
    async with _printer(args, settings) as printer:
        print(f"printer at {printer.port}", flush=True)
        await _serve(printer, shelf, args.control, stop)


def _port(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) <= 5 and int(text) <= 65_535):
        raise argparse.ArgumentTypeError("a TCP port is a number, 0 to 65535")
    return int(text)


def parser() -> argparse.ArgumentParser:
    """The command line."""
    top = argparse.ArgumentParser(prog="python -m kiosd_sim.printer", description=__doc__.split("\n")[0] if __doc__ else None)
    wire = top.add_mutually_exclusive_group(required=True)
    wire.add_argument("--pty", type=Path, metavar="LINK", help="on a serial line that the host finds at LINK")
    wire.add_argument("--tcp", type=_port, metavar="PORT", help="as a print server on 127.0.0.1 (0: a free port)")
    wire.add_argument("--gadget", type=Path, metavar="DEVICE", help="as the far side of a USB printer gadget, /dev/g_printer0")
    top.add_argument("--slips", type=Path, metavar="DIR", default=Path(DEFAULT_SLIPS), help="where slips are written as NNNNN.txt and .png")
    top.add_argument("--control", type=Path, metavar="SOCKET", help="Unix socket that takes requests: paper out, cover open, state ...")
    top.add_argument("--columns", type=int, default=32, help="characters on a line: 32 (58 mm) or 48 (80 mm)")
    top.add_argument("--no-cutter", action="store_true", help="slips are torn off by hand")
    top.add_argument("--buffer", type=int, metavar="BYTES", default=4096, help="how much it holds while it cannot print")
    return top


def main(argv: Sequence[str]) -> int:
    """Run until SIGINT or SIGTERM; the exit status, 1 when it cannot be where it was told to be."""
    args = parser().parse_args(argv)
    os.umask(0o077)  # slips have numbers of people on them
    try:
        asyncio.run(_run(args))
    except OSError as exc:
        print(f"printer: {exc}", file=sys.stderr)
        return 1
    return 0
