"""``kiosd devices``, ``kiosd test`` and ``kiosd doctor``: what was typed, done and shown."""

import argparse
import asyncio
import json
import os
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

from kiosd import registry
from kiosd.cli import DONE, REFUSED, USAGE
from kiosd.clock import SystemClock
from kiosd.commissioning.doctor import examine
from kiosd.commissioning.listing import device_text, shown
from kiosd.commissioning.machine import Machine
from kiosd.commissioning.paste import Devices
from kiosd.commissioning.patient import Patient
from kiosd.commissioning.walk import Typed, Walk, go
from kiosd.commissioning.ways import WAYS
from kiosd.config import document, load_any
from kiosd.errors import ConfigError, Refused
from kiosd.findings import good
from kiosd.journal.place import holder
from kiosd.mqtt.tools.target import config_path


def _usage(sentence: str) -> int:
    print(f"kiosd: {sentence}", file=sys.stderr)
    return USAGE


# devices


def devices(args: argparse.Namespace) -> int:
    """List what is plugged in."""
    machine = Machine()
    found = shown(machine, _configured_devices(args))
    if args.json:
        print(json.dumps({"devices": found}))
    elif found:
        print("\n\n".join(map(device_text, found)))
    else:
        print("Nothing is plugged in that a kiosk could use: no USB printer, serial port, scanner, GPIO chip or sound card.")
    return DONE


def _configured_devices(args: argparse.Namespace) -> Devices:
    """[devices] of the configuration, unchecked: it is being written. Nothing where there is none and none was named."""
    path = config_path(args.config, args.state)
    if args.config is None and not path.is_file():
        return {}
    tables = document.parse(path, document.read(path)).get("devices", {})
    return tables if isinstance(tables, dict) else {}


# doctor


def doctor(args: argparse.Namespace) -> int:
    """Examine this board."""
    findings = []
    for finding in examine(_patient(args)):
        findings.append(finding)
        if not args.json:
            print(finding, flush=True)
    if args.json:
        print(json.dumps({"good": good(findings), "findings": [finding.facts() for finding in findings]}))
    return DONE if good(findings) else REFUSED


def _patient(args: argparse.Namespace) -> Patient:
    path = config_path(args.config, args.state)
    try:
        settings, trouble = load_any(path), ""
    except ConfigError as exc:
        settings, trouble = None, str(exc)
    trust_rtc = settings is not None and settings.clock.trust_rtc
    return Patient(Machine(), path, args.state, SystemClock(trust_rtc), settings, trouble)


# test


def test(args: argparse.Namespace) -> int:
    """Walk through one device."""
    if not args.yes and not sys.stdin.isatty():
        return _usage("this is no terminal, so nobody can be asked what is seen or heard: say --yes to try the device without questions")
    settings = load_any(config_path(args.config, args.state))
    way = WAYS[args.action]
    known = {name: device for name, device in settings.devices.items() if registry.find(device.driver).port is way.port}
    name = args.name or next(iter(known), "")
    if name not in known or (args.name is None and len(known) > 1):
        raise Refused("which_device", {"message": _which(args.action, args.name, list(known))})
    _not_held(args.state)
    walk = Walk(lambda text: print(text, flush=True), alone=args.yes)
    with _pins(args.action):
        asyncio.run(_walk(walk, known[name].driver, known[name].config, args.action))
    return DONE if good(walk.findings) else REFUSED


def _which(kind: str, name: str | None, known: list[str]) -> str:
    if not known:
        return f"no device for `kiosd test {kind}` is configured: kiosd devices prints lines for it"
    return (f"there is no such device '{name}'" if name else "there are several") + f"; say which: {', '.join(known)}"


def _not_held(state: Path) -> None:
    """Two programs at one printer would mix their tickets: the daemon has its devices to itself."""
    try:
        who = holder(state)
    except PermissionError:
        message = f"{state} may not be read, so that a running kiosd would not be noticed: run this as root (sudo)"
        raise Refused("state_unreadable", {"message": message}) from None
    if who:
        message = f"the devices belong to {who}: stop it first (sudo systemctl stop kiosd), and start it again afterwards"
        raise Refused("daemon_runs", {"message": message})


@contextmanager
def _pins(kind: str) -> Iterator[None]:
    """What the unit sets for the daemon: the pin library, and a directory where it may make its FIFO."""
    if kind != "buttons":
        yield
        return
    with tempfile.TemporaryDirectory(prefix="kiosd-pins-") as directory:
        os.environ.setdefault("GPIOZERO_PIN_FACTORY", "lgpio")
        os.environ.setdefault("LG_WD", directory)
        yield


async def _walk(walk: Walk, driver: str, config: Any, kind: str) -> None:
    async with _typing(walk):
        await go(walk, registry.find(driver), config, WAYS[kind].steps, WAYS[kind].stream)


@asynccontextmanager
async def _typing(walk: Walk) -> AsyncIterator[None]:
    """Hand over what is typed, line by line."""
    if walk.alone:
        yield
        return
    loop, fd = asyncio.get_running_loop(), sys.stdin.fileno()

    def ready() -> None:
        data = os.read(fd, 4096)
        if not data:
            loop.remove_reader(fd)
            walk.happened(Typed(None))
        for line in data.decode(errors="replace").splitlines():
            walk.happened(Typed(line))

    loop.add_reader(fd, ready)
    try:
        yield
    finally:
        loop.remove_reader(fd)
