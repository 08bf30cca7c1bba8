"""A whole kiosk on simulated hardware: ``python -m kiosd_sim.run``, which ``make run`` starts.

This process is everything outside the kiosk: the hardware's far side, a private broker, visitors and officers. The kiosk is the real
program in a process of its own; of it we know what anybody may: its configuration, its devices, its control socket.
"""

import argparse
import asyncio
import fcntl
import os
import random
import re
import signal
import sys
import tempfile
import tomllib
from asyncio.subprocess import Process
from collections.abc import Iterator, Sequence
from contextlib import AsyncExitStack, contextmanager, suppress
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from kiosd_sim import control, daemon, inputs
from kiosd_sim.broker import Broker, private_broker
from kiosd_sim.children import Trouble
from kiosd_sim.farside import FarSide, far_side, obey
from kiosd_sim.finger import press_pin
from kiosd_sim.floor import CONFIG, FAR_SOCKET, KEYBOARDS_SOCKET, PINS_SOCKET, Floor, Panel, floor
from kiosd_sim.keyboard import SimKeyboards
from kiosd_sim.room import Room
from kiosd_sim.screen import Screen
from kiosd_sim.settings import Document, at_home, simulated
from kiosd_sim.visitors import People
from kiosd_sim.welcome import welcome

IN_USE = 69  # EX_UNAVAILABLE of sysexits.h
LAST_WORDS_S = 1.0
SOCKET_PATH_BYTES = 90  # sun_path holds 108, and the daemon adds a name
PLAIN_PATH = re.compile(r"/[!-~]{1,150}")  # what a port in the configuration may look like, and room for a name


def parser() -> argparse.ArgumentParser:
    """The options of a simulation."""
    on_off = argparse.BooleanOptionalAction
    it = argparse.ArgumentParser(prog="python -m kiosd_sim.run", description="Run a kiosk on simulated hardware.", allow_abbrev=False)
    it.add_argument("--config", type=Path, default=Path("config/tipe-1.toml"), metavar="FILE", help="preset to run (default: %(default)s)")
    it.add_argument("--state", type=Path, default=Path("var/sim"), metavar="DIR", help="where everything is kept (default: %(default)s)")
    it.add_argument("--auto", action=on_off, default=True, help="visitors and officers who act by themselves")
    it.add_argument("--broker", action=on_off, default=True, help="a private mosquitto, if there is one")
    it.add_argument("--pace", type=float, default=1.0, metavar="N", help="how many times faster people are")
    it.add_argument("--seed", metavar="TEXT", help="the same people do the same as with this seed before")
    return it


def main(argv: Sequence[str] | None = None) -> int:
    """Run until Ctrl-C or SIGTERM; the exit status."""
    options = parser().parse_args(argv)
    try:
        options.state.mkdir(mode=0o750, parents=True, exist_ok=True)
        with only_one(options.state):
            asyncio.run(until_stopped(options))
            print(f"Ended. The next run goes on from the journal in {options.state}.")
    except BaseException as exc:  # noqa: BLE001 - what nobody raised on purpose is raised again
        return _status(exc)
    return 0


def _status(exc: BaseException) -> int:
    """Say why we end, and with which status."""
    while isinstance(exc, BaseExceptionGroup):
        known = [one for one in exc.exceptions if isinstance(one, Trouble | BrokenPipeError | BaseExceptionGroup)]
        exc = (known or list(exc.exceptions))[0]
    match exc:
        case Trouble():
            print(f"kiosd simulation: {exc}", file=sys.stderr)
            return exc.status
        case KeyboardInterrupt():
            return 0
        case BrokenPipeError():  # nobody reads the terminal's output any more; what is left of it has nowhere to go
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return 0
    raise exc


@contextmanager
def only_one(state: Path) -> Iterator[None]:
    """Hold ``state`` for this process; ``Trouble`` that says who does. The kernel lets go when we die."""
    if len(os.fsencode(state)) > SOCKET_PATH_BYTES:
        raise Trouble(f"{state} is too long a name for sockets in it; name a shorter one: make run STATE=...", os.EX_USAGE)
    with (state / "sim.lock").open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            holder = file.read(100).strip() or "another process"
            raise Trouble(f"{state} is in use by {holder}: stop that, or name another one: make run STATE=...", IN_USE) from None
        file.truncate(0)
        file.write(f"the simulation with process number {os.getpid()}\n")
        file.flush()
        yield


async def until_stopped(options: argparse.Namespace) -> None:
    """``simulate``, ended in order by the first SIGINT, SIGTERM or SIGHUP. Later ones change nothing: it takes 2 s at most."""
    async with asyncio.TaskGroup() as group:
        work = group.create_task(simulate(options))
        asked: list[int] = []

        def stop(number: int) -> None:
            if not asked:
                work.cancel()
            asked.append(number)

        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            asyncio.get_running_loop().add_signal_handler(number, stop, number)


async def simulate(options: argparse.Namespace) -> None:
    """Everything, for ever; ``Trouble`` when it cannot go on."""
    state, screen = options.state, Screen(options.state / "tickets")
    screen.say(f"Starting a kiosk from {options.config}; its state is in {state} ...")
    await daemon.check(options.config)
    preset = at_home(tomllib.loads(options.config.read_text(encoding="utf-8")), options.config.parent, state)
    async with AsyncExitStack() as stack:
        broker = await stack.enter_async_context(private_broker(state / "mosquitto", options.broker))
        links = stack.enter_context(device_directory(state))
        far = await stack.enter_async_context(far_side(preset["devices"], links, screen))
        sim = simulated(preset, far.ports, broker.port)
        sim.document["hours"]["calendars"] = every_day(state, datetime.now(UTC).year)
        write_config(state / CONFIG, sim.document, options.config)
        plan = floor(sim.document)
        await stack.enter_async_context(inputs.served(state / KEYBOARDS_SOCKET, SimKeyboards(*far.keyboards)))
        programs = [voice.programs for voice in far.voices.values()]
        modules = [inputs.stand_in(state.absolute() / "modules")] if far.keyboards else []
        program = await stack.enter_async_context(daemon.running_daemon(state, programs, modules))
        now = await daemon.snapshot(state)
        await stack.enter_async_context(control.serve(state / FAR_SOCKET, partial(obey, far, plan)))
        screen.welcome(welcome(options.config, state, sim, plan, broker, now, options.auto))
        room = Room(now)
        people = _people(options, plan, room, far, screen) if options.auto else None
        await _live(state, screen, room, people, program, broker)


def _people(options: argparse.Namespace, plan: Floor, room: Room, far: FarSide, screen: Screen) -> People:
    async def press(panel: Panel, number: int) -> None:
        if panel.keypad:
            await far.work_keys(panel.device, "press", [number])
        else:
            await press_pin(options.state / PINS_SOCKET, number)

    dice = random.Random(options.seed)
    return People(plan, room, press, far.scan, partial(screen.line, "people"), dice, options.pace)


async def _live(state: Path, screen: Screen, room: Room, people: People | None, program: Process, broker: Broker) -> None:
    async with asyncio.TaskGroup() as group:
        group.create_task(_follow(state, screen, room, people, program))
        group.create_task(_watch_daemon(program, state / daemon.LOG))
        if broker.port:
            group.create_task(_watch_broker(broker, screen))
        if people:
            group.create_task(people.run())


async def _follow(state: Path, screen: Screen, room: Room, people: People | None, program: Process) -> None:
    """Tell everybody what happens."""
    async for record in daemon.events(state, room.sequence):
        screen.record(record)
        room.take(record)
        if people:
            people.take(record)
    with suppress(TimeoutError):
        async with asyncio.timeout(LAST_WORDS_S):
            await program.wait()
            return  # whoever watches it says why
    raise Trouble("kiosd does not tell its events any more")


async def _watch_daemon(program: Process, log: Path) -> None:
    await program.wait()
    raise daemon.gone(program, log)


async def _watch_broker(broker: Broker, screen: Screen) -> None:
    screen.line("broker", await broker.gone())


@contextmanager
def device_directory(state: Path) -> Iterator[Path]:
    """Where devices have their names: in ``state``, unless a configuration could not write its path."""
    usual = state.absolute() / "dev"
    if PLAIN_PATH.fullmatch(str(usual)):
        usual.mkdir(exist_ok=True)
        yield usual
    else:
        with tempfile.TemporaryDirectory(prefix="kiosd-sim-") as other:
            yield Path(other)


def every_day(state: Path, year: int) -> list[str]:
    """Calendars without a closed day, this year's and the next, so that nobody is warned of holidays that the simulation does not keep."""
    names = [f"calendar-{one}.toml" for one in (year, year + 1)]
    for offset, name in enumerate(names):
        (state / name).write_text(f'year = {year + offset}\nname = "Simulation: open every day"\nclosed = []\n', encoding="utf-8")
    return names


def write_config(path: Path, document: Document, preset: Path) -> None:
    """Write it whole: a second run may read while the first is killed."""
    import tomli_w

    fresh = path.with_suffix(".new")
    head = f"# Made from {preset} at each start of the simulation: changes here are lost.\n\n"
    fresh.write_text(head + tomli_w.dumps(document), encoding="utf-8")
    fresh.replace(path)


if __name__ == "__main__":
    sys.exit(main())
