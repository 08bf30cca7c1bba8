"""``[devices.NAME]`` with ``driver = "escpos_printer"``: what an installer may say of a printer."""

import re
from ipaddress import ip_address
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, StringConstraints, model_validator

from kiosd.ports import DriverConfig, SiteFile
from kiosd_drivers._match import Match, usb_node

NAME = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?")  # one label of a host name: RFC 1123, and _ as in many an office
LAST_PORT = 65_535


def _reachable(port: str) -> str:
    """``port``, if a ``tcp:HOST:PORT`` could be one; ``ValueError`` says what is wrong. Nobody is asked."""
    if not port.startswith("tcp:"):
        return port
    host, _, number = port.removeprefix("tcp:").rpartition(":")
    if not 1 <= int(number) <= LAST_PORT:
        raise ValueError(f"the port of tcp:HOST:PORT is a number from 1 to {LAST_PORT}")
    if not _is_host(host):
        raise ValueError("the host of tcp:HOST:PORT is an address, or a name: letters, digits, hyphens, at most 63 between two dots")
    return port


def _is_host(host: str) -> bool:
    bare = host[1:-1] if host.startswith("[") and host.endswith("]") else host
    if bare != host or ":" in host or host.replace(".", "").isdigit():  # only an address looks like that
        try:
            return ip_address(bare).version == (6 if bare != host or ":" in host else 4)
        except ValueError:
            return False
    return all(NAME.fullmatch(label) for label in host.removesuffix(".").split("."))


Port = Annotated[str, StringConstraints(pattern=r"^(/[!-~]+|tcp:[!-~]+:[0-9]{1,5})$", max_length=200), AfterValidator(_reachable)]


class Config(DriverConfig):
    """``[devices.NAME]`` with ``driver = "escpos_printer"``; seconds where a name ends in ``_s``."""

    port: Port | None = Field(default=None, description="Device file, /dev/usb/lp0 or a serial line, or tcp:HOST:PORT.")
    match: Match | None = Field(
        default=None, description="Instead of port: rules that find a USB printer by vid_pid, serial, name, phys or path."
    )
    columns: int = Field(default=32, ge=24, le=64, description="Characters of normal size on a line: 32 on 58 mm paper, 48 on 80 mm.")
    baudrate: Literal[1200, 2400, 4800, 9600, 19200, 38400, 57600, 115200] = Field(
        default=19200, description="Speed of a serial line in baud."
    )
    rtscts: bool = Field(default=False, description="Flow control of a serial line by RTS and CTS.")
    xonxoff: bool = Field(default=False, description="Flow control of a serial line by XON and XOFF.")
    cut: bool = Field(default=True, description="False: no cutter; the paper is fed to the tear bar instead.")
    feed_dots: int | None = Field(
        default=None, ge=0, le=255, description="Dots (1/8 mm) fed before the cut, or to the tear bar; unset: 0, without a cutter 120."
    )
    qr: Literal["native", "raster"] = Field(
        default="native", description="raster: the QR code is sent as a picture, for printers that print its data as text, or nothing."
    )
    logo: SiteFile | None = Field(
        default=None, description="PNG file for the head of each ticket, at most 384 dots wide on 58 mm paper, 576 on 80 mm, and 400 high."
    )
    status: bool = Field(default=True, description="False: paper and cover are never asked for, for printers that print the question.")
    answers: bool = Field(
        default=False, description="True: it is known to answer, so one that is silent from the start on is off and gets no tickets."
    )
    confirm: bool = Field(default=True, description="False: a ticket counts as printed once the printer took all its bytes.")
    speed_mm_s: int = Field(
        default=60, ge=20, le=500, description="Paper speed in mm/s, for how long a printer that confirms nothing is watched."
    )
    poll_s: float = Field(default=3.0, gt=0, le=60, description="Seconds between two questions for paper and cover.")
    connect_s: float = Field(default=3.0, gt=0, le=30, description="Seconds for a TCP connection.")
    write_s: float = Field(default=5.0, gt=0, le=30, description="Seconds that a printer may take no byte of a ticket.")
    answer_s: float = Field(default=0.5, gt=0, le=5, description="Seconds for the answer to a question.")
    confirm_s: float = Field(default=15.0, gt=0, le=60, description="Seconds from a ticket's last byte to the word that it is printed.")

    @model_validator(mode="after")
    def _one_place(self) -> Self:
        if (self.port is None) == (self.match is None):
            raise ValueError("give either port, where the printer is, or match, the rules that find it")
        if self.match is not None and (self.match.by_id or self.match.by_path):
            raise ValueError("USB printers have no names under by-id and by-path: match by serial, or by phys, the socket")
        if self.answers and not (self.status or self.confirm):
            raise ValueError("answers = true wants a printer that is asked: not with status = false and confirm = false")
        return self

    @property
    def place(self) -> str:
        """What to call the printer in words, found or not."""
        return self.port or f"the printer with {self.match}"

    def find(self) -> str:
        """Where the printer is now; ``DeviceError`` ``absent`` or ``ambiguous`` where rules find none or several. Blocks for a moment."""
        return self.port or usb_node("usbmisc", self.match or Match(), {})
