"""Python libraries and programs: whether those that the configured devices need are there, and the right ones.

Versions come from the installed packages' own records; nothing is imported, for importing lgpio makes a file and escpos takes a second.
"""

import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass

from kiosd.commissioning.patient import ON_PINS, ON_SERIAL, PRINTING, SPEAKING, TYPING, Patient
from kiosd.findings import Finding, failed, note, ok

ALWAYS: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Library:
    """A Python library: the names of its packages (any will do), its least version, which drivers need it (``ALWAYS``: kiosd itself)."""

    packages: tuple[str, ...]
    least: str
    drivers: frozenset[str]
    remedy: str
    dead: str = ""


DEAD_LGPIO = "0.0.0.2 is an empty shell that pip takes where there is no wheel"


def lgpio_remedy(python: tuple[int, int]) -> str:
    """How this version of Python gets lgpio. lgpio has wheels up to 3.12, adafruit-lgpio, the same by another name, from 3.13 on."""
    pip = "'lgpio>=0.2.2'" if python < (3, 13) else "adafruit-lgpio"
    return f"Raspberry Pi OS: sudo apt install python3-lgpio, with a venv of --system-site-packages; else pip install {pip}"


LIBRARIES = (
    Library(("gpiozero",), "2.0.1", ON_PINS, "pip install 'gpiozero>=2.0.1' (Debian's own python3-gpiozero is 1.6.2, too old for a Pi 5)"),
    Library(("lgpio", "adafruit-lgpio"), "0.2.2", ON_PINS, lgpio_remedy(sys.version_info[:2]), DEAD_LGPIO),
    Library(
        ("evdev",), "1.6.1", TYPING, "sudo apt install python3-evdev, with a venv of --system-site-packages (pip needs gcc and headers)"
    ),
    Library(("pyserial",), "3.5", ON_SERIAL | PRINTING, "pip install 'pyserial>=3.5'"),
    Library(("python-escpos",), "3.1", PRINTING, "pip install 'python-escpos>=3.1' (not its [all], which needs a compiler)"),
    Library(("minimalmodbus",), "2.1", frozenset({"modbus_display"}), "pip install 'minimalmodbus>=2.1'"),
    Library(("luma.led_matrix",), "1.7", frozenset({"max7219_display"}), "pip install 'luma.led_matrix>=1.7'"),
    Library(("paho-mqtt",), "2.2", ALWAYS, "pip install 'paho-mqtt>=2.2' (Debian's own python3-paho-mqtt is older)"),
    Library(("pydantic",), "2.7", ALWAYS, "pip install 'pydantic>=2.7'"),
)
HOT_PLUG = Library(("pyudev",), "0.24", ALWAYS, "pip install 'pyudev>=0.24'")
"""Without it a device that is plugged in is found by looking again, seconds later."""
SYNTHESISER = "espeak-ng"


@dataclass(frozen=True, slots=True)
class Program:
    """A program, its Debian package, the drivers whose devices need it, and what happens without it. ``spare``: it works all the same."""

    name: str
    package: str
    drivers: frozenset[str]
    why: str
    spare: bool = False


PROGRAMS = (
    Program("aplay", "alsa-utils", SPEAKING, "the voice is played by it"),
    Program(SYNTHESISER, "espeak-ng", SPEAKING, "words without a recorded clip are spoken by it"),
    Program("setserial", "setserial", ON_SERIAL, "closing the port of a jammed device takes 30 s without it (60-kiosd.rules)", spare=True),
)


def libraries(patient: Patient) -> Iterator[Finding]:
    """Each library against its least version; one that nothing here needs is a note at most."""
    good = []
    for library in LIBRARIES:
        needed = library.drivers is ALWAYS or bool(patient.of(library.drivers))
        wrong = _wrong(patient, library)
        if not wrong:
            good.append(_shown(patient, library))
        elif needed:
            yield failed("libraries", *wrong, library.remedy)
        elif patient.settings is None:
            yield note("libraries", *wrong, library.remedy)
    if lost := _wrong(patient, HOT_PLUG):
        yield note("libraries", lost[0], "devices that are plugged in are found seconds later", HOT_PLUG.remedy)
    if good:
        yield ok("libraries", ", ".join(good))


def _installed(patient: Patient, library: Library) -> tuple[str, str]:
    """Package and version; the library's first name and ``""`` when it is missing."""
    found = [(package, version) for package in library.packages if (version := patient.machine.version(package))]
    return max(found, key=lambda one: numbers(one[1]), default=(library.packages[0], ""))


def _wrong(patient: Patient, library: Library) -> tuple[str, str] | None:
    """Result and cause; None when it is good."""
    package, version = _installed(patient, library)
    if not version:
        return f"{package} is missing", f"it is needed for {', '.join(sorted(library.drivers)) or 'kiosd itself'}"
    if numbers(version) < numbers(library.least):
        return f"{package} is {version}", library.dead or f"{library.least} or newer is needed"
    return None


def _shown(patient: Patient, library: Library) -> str:
    return " ".join(_installed(patient, library))


def numbers(version: str) -> tuple[int, ...]:
    """``2.0.1.post3`` as (2, 0, 1): letters and what comes after them are passed over."""
    return tuple(map(int, re.findall(r"\d+", re.split(r"[^\d.]", version, maxsplit=1)[0])))


def programs(patient: Patient) -> Iterator[Finding]:
    """What configured devices call, or are better with."""
    wanted = [program for program in PROGRAMS if patient.of(program.drivers)]
    recorded = all("clips" in patient.devices[name] for name in patient.of(SPEAKING))
    for program in wanted:
        if patient.machine.program(program.name) is None:
            spare = program.spare or (program.name == SYNTHESISER and recorded)
            yield (note if spare else failed)("programs", f"{program.name} is missing", program.why, f"sudo apt install {program.package}")
    present = [program.name for program in wanted if patient.machine.program(program.name) is not None]
    if present or not wanted:
        yield ok("programs", ", ".join(present) or "none is needed")
