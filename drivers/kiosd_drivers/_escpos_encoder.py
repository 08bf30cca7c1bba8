"""A slip as ESC/POS bytes, by python-escpos: the encoder only, it never sees a wire (hardware section 1).

Rule 1  A new encoder for each ticket: python-escpos remembers a code page that the printer forgets at ``ESC @``.
Rule 2  Text is untrusted. It passes ``safe_text``, so that no control byte from a configuration or a command reaches the printer.
Rule 3  Nothing here imports escpos before ``load``, which belongs in a lane: it takes 30 ms on a PC, ten times that on a Pi.
"""

import json
import logging
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from kiosd.ports import Align, Qr, Slip, Text, safe_text
from kiosd.threads import once

QR_DOTS = 6  # 0.75 mm a module: read by cheap scanners and by phones
QR_LEVEL_M = 1  # python-escpos' QR_ECLEVEL_M: 15 % of the code may be damaged
CUT_AFTER_FEED = b"\x1dV\x42"  # GS V 66 n: feed to the cutter and n dots more, then cut
FEED = b"\x1bJ"  # ESC J n: print and feed n dots
LINE_DOTS, CHARACTER_DOTS, QR_SIDE = 30, 24, 200  # of height; a ticket's code has 29 modules and a line after it
DOTS_PER_COLUMN, DOTS_PER_MM = 12, 8
TEAR_DOTS = 120  # from the print head to the tear bar: 15 mm at 8 dots/mm

CAPABILITIES = {
    "profiles": {
        "default": {
            "name": "kiosd",
            "notes": "ASCII only: one code page, and nothing that python-escpos would have to guess about the printer.",
            "codePages": {"0": "CP437"},
            "features": {"qrCode": True},
            "fonts": {"0": {"name": "Font A", "columns": 32}},
        }
    },
    "encodings": {"CP437": {"name": "CP437", "python_encode": "cp437"}},
}
"""Our own printer database for python-escpos: parsing its 96 kB one costs 3 MB of memory and 0.1 s (0.3 s and more on a Pi)."""


@dataclass(frozen=True, slots=True)
class Paper:
    """What the encoder needs to know of a printer.

    ``feed_dots`` is fed before the cut, or before the hand that tears; ``logo`` is what is sent before the first line.
    """

    columns: int
    cut: bool
    feed_dots: int | None
    qr: Literal["native", "raster"]
    logo: bytes = field(default=b"", repr=False)


def load() -> Callable[[Slip, Paper], bytes]:
    """Import python-escpos (blocking) and give back ``encode``."""
    encoder_class()
    return encode


def encode(slip: Slip, paper: Paper) -> bytes:
    """One buffer for one ticket: reset, the lines, feed and cut."""
    encoder = encoder_class()()
    encoder.hw("INIT")
    encoder.raw(paper.logo)
    for line in slip.lines:
        if isinstance(line, Qr):
            _qr(encoder, line, paper)
        else:
            _text(encoder, line, paper)
    feed = paper.feed_dots if paper.feed_dots is not None else (0 if paper.cut else TEAR_DOTS)
    encoder.raw((CUT_AFTER_FEED if paper.cut else FEED) + bytes([feed]))
    output: bytes = encoder.output()
    return output


def length_mm(slip: Slip, paper: Paper) -> float:
    """About how long the paper of ``slip`` is, from the print head to the cut."""
    dots = sum(QR_SIDE if isinstance(line, Qr) else LINE_DOTS + (line.size - 1) * CHARACTER_DOTS for line in slip.lines)
    picture = len(paper.logo) // (paper.columns * DOTS_PER_COLUMN // 8)
    return (dots + picture + TEAR_DOTS) / DOTS_PER_MM


def _text(encoder: Any, line: Text, paper: Paper) -> None:
    align = "center" if line.align is Align.CENTER else "left"
    encoder.set(align=align, bold=line.bold, custom_size=True, width=line.size, height=line.size)
    encoder.text(safe_text(line.text)[: paper.columns // line.size] + "\n")


def _qr(encoder: Any, line: Qr, paper: Paper) -> None:
    encoder.set(align="center", bold=False, custom_size=True, width=1, height=1)
    encoder.qr(safe_text(line.data), ec=QR_LEVEL_M, size=QR_DOTS, native=paper.qr == "native")
    if paper.qr == "native":
        encoder.text("\n")  # python-escpos adds empty lines to a raster code by itself


@once
def encoder_class() -> Any:
    """python-escpos' base class with a list of bytes instead of a device. One import for all printers: two at once would take each other's
    environment away.

    Not ``escpos.printer.Dummy``: importing that package imports every back-end it can find (USB, CUPS, network, serial).
    """
    with _quiet_import():
        from escpos.escpos import Escpos

    class Encoder(Escpos):  # type: ignore[misc] # python-escpos gives mypy no types
        def __init__(self) -> None:
            super().__init__()
            self._parts: list[bytes] = []

        def _raw(self, msg: bytes) -> None:
            self._parts.append(msg)

        raw = _raw

        def output(self) -> bytes:
            return b"".join(self._parts)

    return Encoder


@contextmanager
def _quiet_import() -> Iterator[None]:
    """What python-escpos 3.1 does at import, undone: its big database, ``logging.basicConfig()``, a new directory at each start."""
    if "escpos.capabilities" in sys.modules:
        yield
        return
    handlers = logging.root.handlers[:]
    before = {name: os.environ.pop(name, None) for name in ("ESCPOS_CAPABILITIES_FILE", "ESCPOS_CAPABILITIES_PICKLE_DIR")}
    with tempfile.TemporaryDirectory(prefix="kiosd-escpos-") as directory:
        own = Path(directory, "capabilities.json")
        own.write_text(json.dumps(CAPABILITIES), encoding="ascii")
        os.environ["ESCPOS_CAPABILITIES_FILE"] = str(own)
        try:
            yield
        finally:
            del os.environ["ESCPOS_CAPABILITIES_FILE"]
            os.environ.update({name: value for name, value in before.items() if value is not None})
            logging.root.handlers[:] = handlers
            if library := sys.modules.get("escpos.capabilities"):
                shutil.rmtree(library.pickle_dir, ignore_errors=True)  # made by mkdtemp() at import, used never again
