"""What a satellite needs to belong to its hub, in one file to carry there: an enrolment file. It is a secret as a whole.

Rule 1  Facts, no configuration text: the satellite makes its own kiosd.toml of them, and every secret goes to a file of its own.
Rule 2  A board gets what it needs: no scan key without counters, no certificate's key ever.
Rule 3  Whatever is wrong with a file is said without repeating a secret.
"""

import base64
import binascii
import hashlib
import json
import os
import pwd
import re
import secrets
import ssl
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, StringConstraints, model_validator

from kiosd.config import document
from kiosd.config.model import NodeId, SatelliteId
from kiosd.config.problems import Problems
from kiosd.errors import ConfigError
from kiosd.mqtt.settings import Host, TopicLevels, is_loopback
from kiosd.queue.commands import CounterNumber
from kiosd.queue.fields import Section
from kiosd.queue.settings import Language, SiteId, Timezone

PASSWORD_BYTES = 24
PASSWORD = re.compile(r"[A-Za-z0-9_-]{16,64}")
CERTIFICATE = re.compile(r"-----BEGIN CERTIFICATE-----[A-Za-z0-9+/=\s]+-----END CERTIFICATE-----")
MOST_CERTIFICATES = 16 * 1024  # bytes
LEAST_KEY, MOST_KEY = 16, 1024  # bytes
CONFIG, PASSWORD_FILE, CA_FILE, KEY_FILE = "kiosd.toml", "mqtt-site.password", "ca.crt", "scan.key"
SERVICE_USER = "kiosd"
"""Whom the unit runs as: files that are only for their owner are made its own."""


class Place(Section):
    """Which board it is, and where its hub's broker is."""

    version: Literal[1] = 1
    made: Annotated[str, StringConstraints(pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$")]
    node: SatelliteId
    hub: NodeId
    site: SiteId
    timezone: Timezone
    language: Language
    counters: Annotated[tuple[CounterNumber, ...], Field(strict=False, max_length=99)] = ()
    host: Host
    port: int = Field(ge=1, le=65_535)
    prefix: TopicLevels


class Secrets(Section):
    """What nobody else may have, and the authority that the broker is known by: PEM, empty for a broker in clear. The key is base64."""

    password: str = Field(repr=False)
    ca: str = Field(default="", repr=False)
    scan_key: str = Field(default="", repr=False)

    @model_validator(mode="after")
    def _sound(self) -> "Secrets":
        if not PASSWORD.fullmatch(self.password):
            raise ValueError("password: allowed: 16 to 64 letters, digits, hyphens and underscores")
        if self.ca:
            try:
                clean = certificates(self.ca)
            except ValueError as exc:
                raise ValueError(f"ca: {exc}") from None
            if clean != self.ca:
                raise ValueError("ca: allowed: certificates in PEM, and nothing else")
        if self.scan_key and not LEAST_KEY <= len(self.key) <= MOST_KEY:
            raise ValueError(f"scan_key: allowed: {LEAST_KEY} to {MOST_KEY} bytes")
        return self

    @property
    def key(self) -> bytes:
        """The scan key; empty when there is none."""
        try:
            return base64.b64decode(self.scan_key, validate=True)
        except binascii.Error:
            raise ValueError("scan_key: allowed: base64") from None


class Enrolment(Section):
    """A whole enrolment file."""

    enrolment: Place
    secrets: Secrets


def certificates(pem: str) -> str:
    """The certificates in ``pem``, one after the other; ``ValueError`` when there is none, or something that must not leave its board."""
    if "PRIVATE KEY" in pem:
        raise ValueError("there is a private key in it, which belongs to the authority alone")
    found = "".join(f"{block}\n" for block in CERTIFICATE.findall(pem))
    if not found or len(found) > MOST_CERTIFICATES:
        raise ValueError("there is no certificate in it" if not found else f"it is longer than {MOST_CERTIFICATES // 1024} KiB")
    try:
        ssl.create_default_context(cadata=found)
    except ssl.SSLError:
        raise ValueError("a certificate in it cannot be read") from None
    return found


def new_password() -> str:
    """A password that nobody has to think of: 192 random bits."""
    return secrets.token_urlsafe(PASSWORD_BYTES)


def password_entry(user: str, password: str) -> str:
    """The line of a password file of mosquitto 2: ``$7$``, PBKDF2-HMAC-SHA512, rounds, salt and hash in base64.

    Made here, for mosquitto_passwd takes a password from a terminal or from its command line, which everybody on the board can see. 101
    rounds, as it makes them: they slow down who guesses, and 192 random bits are not guessed.
    """
    salt = secrets.token_bytes(12)
    digest = hashlib.pbkdf2_hmac("sha512", password.encode(), salt, 101)
    return f"{user}:$7$101${base64.b64encode(salt).decode()}${base64.b64encode(digest).decode()}"


def text(enrolment: Enrolment) -> str:
    """The file."""
    place, secret = enrolment.enrolment, enrolment.secrets
    return f"""\
# SECRET. Whoever has this file can pass for {place.node} of site {place.site}. Take it to that board, run there
#     sudo kiosd enroll --accept FILE
# and delete it on both. Enrolling {place.node} again makes this file worthless.

[enrolment]
{_keys(place)}

[secrets]
password = {_quoted(secret.password)}
scan_key = {_quoted(secret.scan_key)}
ca = '''
{secret.ca}'''
"""


def parse(path: Path) -> Enrolment:
    """The enrolment file ``path``; ``ConfigError`` with a line for everything that is wrong with it."""
    tables = document.parse(path, document.read(path))
    problems = Problems(str(path))
    if "enrolment" not in tables:
        raise ConfigError(f"{path}: this is no enrolment file; kiosd enroll makes one on the hub")
    enrolment = problems.check(Enrolment, tables, ())
    problems.raise_if_any()
    assert enrolment is not None  # noqa: S101 - for the type checker: else there was a problem
    return enrolment


def configuration(place: Place, folder: Path, *, tls: bool, scans: bool) -> str:
    """The satellite's kiosd.toml, its secrets in ``folder``; the devices are left to who stands before them."""
    broker: dict[str, object] = {"host": place.host, "port": place.port, "prefix": place.prefix, "username": place.node}
    broker["password_file"] = str(folder / PASSWORD_FILE)
    if tls:
        broker["ca_file"] = str(folder / CA_FILE)
    elif not is_loopback(place.host):
        broker["insecure"] = True
    sections: dict[str, dict[str, object]] = {
        "site": {"id": place.site, "timezone": place.timezone, "language": place.language},
        "node": {"id": place.node, "role": "satellite", "hub": place.hub},
        "mqtt.site": broker,
    }
    if scans:
        sections["scan"] = {"key_file": str(folder / KEY_FILE)}
    head = f"# kiosd.toml of satellite {place.node}, made by kiosd enroll at {place.made}. Passwords never stand in this file.\n"
    body = "".join(
        f"\n[{name}]\n" + "".join(f"{key} = {_quoted(value)}\n" for key, value in keys.items()) for name, keys in sections.items()
    )
    return head + body + (_desks(place.counters) if place.counters else _BOARD)


def _desks(counters: Sequence[int]) -> str:
    desks = "".join(_DESK.format(number=number) for number in counters)
    return f"\n# ---- devices: take the # away from what stands here, then run kiosd check-config {CONFIG}\n{desks}{_DEVICES}"


_DESK = """
[counters.{number}]
# keys = "keys"
# scanner = "scanner"
# rating = "rating"
# display = "display"
"""
_DEVICES = """
# [devices.keys]
# driver = "gpio_buttons"
# buttons = { advance = 5, repeat = 6 }     # BCM numbers
# lamps = { ready = 12 }

# [devices.scanner]
# driver = "serial_scanner"
# port = "/dev/serial/by-id/usb-scanner-if00"

# [devices.rating]
# driver = "gpio_buttons"
# buttons = { 4 = 17, 3 = 27, 2 = 22, 1 = 23 }
# lamps = { rate = 24 }

# [devices.display]
# driver = "serial_display"
# port = "/dev/serial/by-id/usb-display-if00"
# protocol = "cd5220"
"""
_BOARD = """
# ---- the display: change what is different, then run kiosd check-config

[call_board]
displays = ["board"]

[devices.board]
driver = "serial_display"
port = "/dev/serial/by-id/usb-board-if00"
protocol = "cd5220"
"""


def _keys(section: Section) -> str:
    return "\n".join(f"{key} = {_quoted(value)}" for key, value in section.model_dump(mode="json").items())


def _quoted(value: object) -> str:
    """``value`` in TOML, which takes JSON's texts, numbers, switches and lists as they are."""
    return json.dumps(value)


def owner() -> tuple[int, int]:
    """User and group of what only the daemon may read: the service's when root works for it, else (-1: no change) whoever works here."""
    if os.geteuid() == 0:
        with suppress(KeyError):
            entry = pwd.getpwnam(SERVICE_USER)
            return entry.pw_uid, entry.pw_gid
    return -1, -1


def write(path: Path, content: bytes, mode: int, belongs_to: tuple[int, int] = (-1, -1)) -> None:
    """Make ``path`` as a whole or not at all, never readable for more than ``mode`` says, not even for a moment."""
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        fd = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            os.fchown(fd, *belongs_to)
            os.fchmod(fd, mode)
            os.write(fd, content)
            os.fsync(fd)
        finally:
            os.close(fd)
        fresh.rename(path)
    except OSError as exc:
        with suppress(OSError):
            fresh.unlink()
        raise ConfigError(f"{path} cannot be written: {exc.strerror}") from exc
