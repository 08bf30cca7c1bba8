"""The queue as a state machine: random commands from everybody, with restarts and clocks that jump, on the real journal.

``support.watch`` has the invariants of domain section 3; they are checked at every event and after every step.
"""

import asyncio
import re
import shutil
import tempfile
from contextlib import AsyncExitStack
from datetime import datetime, timedelta
from pathlib import Path
from typing import get_args

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from kiosd.clock import ManualClock
from kiosd.queue import commands as cmd
from kiosd.queue.commands import Command
from kiosd.queue.interface import Reply
from kiosd.queue.local import LocalQueue, open_local
from kiosd.queue.model import Place, Role, TicketState
from kiosd.redact import PLAIN
from kiosd.stations.counter import token
from support.samples import NAMES, sample
from support.site import WEDNESDAY
from support.watch import REFUSALS, Watch, mixed_site

COUNTERS, SERVICES, N = st.integers(1, 3), st.sampled_from("ABC"), st.integers(0, 40)
WORDS = st.sampled_from(["", "pulang", "NIK 3201150101900001", "3201 1501 0190 0001 hilang"])
VISITORS = st.lists(st.tuples(SERVICES, st.booleans()), min_size=1, max_size=5)
DESK = {
    "reprint": (TicketState.WAITING, TicketState.CALLED), "category": (), "readmit": (TicketState.NO_SHOW,), "void": (TicketState.WAITING,),
    "cancel": (TicketState.NO_SHOW, TicketState.CALLED),
}  # fmt: skip
"""What is done with a ticket, and in which states it may be; others are asked for when there is none."""
AT_COUNTER = (
    "next", "next", "next", "start", "start", "scan", "finish", "transfer", "refer", "absent", "absent", "recall", "call", "undo_call",
    "undo_start", "undo_finish", "invite", "rate", "survey", "open", "pause", "close",
)  # fmt: skip
STEPS = st.lists(st.tuples(st.sampled_from(AT_COUNTER), N), min_size=1, max_size=7)
ENDS: list[tuple[str, ...]] = [(), ("training", "undo_finish", "resume"), ("resume", "tick", "undo_finish"), ("close_day", "tick")]
CLOCK = ("on", "on", "on", "back", "forward", "four hours", "close")
UNTIL = st.sampled_from([None, "10:00", "2026-07-03T09:00", "9999-12-31T23:59", "2026-02-30T09:00"])
PAUSES, REASONS = (0.0, 0.0, 0.2, 1.0, 5.0, 11.0, 16.0, 70.0), sorted(cmd.CALL_REASONS)
SITE = mixed_site()
MAINTENANCE = {"seal_day", "erase_tokens"}


class QueueMachine(RuleBasedStateMachine):
    """Drives a ``LocalQueue`` and keeps what it answered."""

    @initialize()
    def start(self) -> None:
        self.folder = Path(tempfile.mkdtemp(dir="/dev/shm"))
        self.clock = ManualClock(WEDNESDAY)
        self.runner = asyncio.Runner(debug=False)  # half the time: the loop is not what is tried here
        self.answered: list[tuple[datetime, Command, Reply]] = []
        self.watch = Watch(SITE)
        self.runner.run(self._open())
        self.visitors([(service, n == 1) for service in "ABC" for n in range(3)], "")

    async def _open(self) -> None:
        self.stack = AsyncExitStack()
        self.queue: LocalQueue
        self.queue = await self.stack.enter_async_context(open_local(self.folder, SITE, self.clock))
        self.writer = asyncio.get_running_loop().create_task(self.queue.run())

    async def _close(self) -> None:
        self.writer.cancel()
        await asyncio.wait({self.writer})
        await self.stack.aclose()

    def teardown(self) -> None:
        if hasattr(self, "runner"):
            on_disk = self._bytes()
            self.runner.run(self._close())
            self.runner.close()
            on_disk += self._bytes()
            shutil.rmtree(self.folder)
            assert not re.search(rb"\d{16}", on_disk), "an identity number is on disk"

    def _bytes(self) -> bytes:
        """Journal and WAL. The stream's random id may end in twelve digits, and a year stands behind it."""
        return b"".join(path.read_bytes() for path in self.folder.iterdir()).replace(self.queue.stream.encode(), b"-")

    def ask(self, *commands: Command) -> list[Reply]:
        async def all_at_once() -> list[Reply]:
            return await asyncio.gather(*(self.queue.execute(command) for command in commands))

        replies = self.runner.run(all_at_once())
        records = self.queue._journal.read(self.watch.book.seq, 1_000_000)
        for record in records:
            self.watch.see(record)
        last = self.queue.book.last
        for command, reply in zip(commands, replies, strict=True):
            assert not PLAIN.search(reply.model_dump_json())
            mine = [record for record in records if record.command == command.id]
            if not reply.done:
                assert reply.message and isinstance(mine[-1].event, REFUSALS)
            if reply.sequence:
                assert last is not None and reply.sequence == mine[-1].seq
                self.answered.append((last.time, command, reply))
        return replies

    def number(self, n: int, *states: TicketState) -> str:
        """One of today's tickets, one in these states if there is any."""
        tickets = list(self.queue.book.tickets.values())
        numbers = [one.number for one in tickets if one.state in states] or [one.number for one in tickets]
        return numbers[n % len(numbers)] if numbers else "A001"

    # Visitors and the receptionist.

    @rule(come=VISITORS, button=st.sampled_from(["", "", "", "button/A"]))
    def visitors(self, come: list[tuple[str, bool]], button: str) -> None:
        self.ask(*(cmd.IssueTicket(service=service, priority=priority, place=button) for service, priority in come))

    @rule(do=st.lists(st.tuples(st.sampled_from(sorted(DESK)), N), min_size=1, max_size=4), actor=st.sampled_from([None, "receptionist"]))
    def desk(self, do: list[tuple[str, int]], actor: Role | None) -> None:
        for name, n in do if self.queue.book.tickets else ():
            self.ask(sample(name, actor, ticket=self.number(n, *DESK[name])))

    @rule(n=N, priority=st.booleans())
    def priority(self, n: int, priority: bool) -> None:
        self.ask(cmd.SetPriority(ticket=self.number(n, TicketState.WAITING), priority=priority))

    @rule(service=SERVICES, count=st.integers(1, 3), minutes=st.sampled_from([None, 0, 1, 5]), come=st.booleans())
    def written_by_hand(self, service: str, count: int, minutes: int | None, come: bool) -> None:
        """Book, perhaps give others a number meanwhile, and type in; one number too many."""
        before = self.queue.book.line(service).last
        self.ask(cmd.ReserveNumbers(service=service, count=count), *([cmd.IssueTicket(service=service)] if come else []))
        self.clock.advance(90)
        ago = self.clock.now().time.astimezone(SITE.site.zone) - timedelta(minutes=minutes or 0)
        at = None if minutes is None else f"{ago:%Y-%m-%dT%H:%M}"
        for n in range(count + 1, 0, -1):
            self.ask(cmd.EnterTicket(ticket=f"{service}{before + n:03d}", priority=n == 2, at=at))

    # Officers and who sits before them.

    def _at_counter(self, counter: int, steps: list[tuple[str, int]]) -> None:
        for step, n in steps:
            self.clock.advance(PAUSES[n % len(PAUSES)])
            self.ask(self._step(step, counter, n))

    def _step(self, step: str, counter: int, n: int) -> Command:
        match step:
            case "call":
                return sample("call", counter=counter, ticket=self.number(n, TicketState.WAITING), reason=REASONS[n % len(REASONS)])
            case "transfer":
                return sample("transfer", counter=counter, service="ABC"[n % 3], position=get_args(Place)[n // 3 % 3])
            case "refer":
                return sample("refer", counter=counter, destination=("back_office", "BKS02", "entah")[n % 3])
            case "absent":
                return sample("absent", counter=counter, force=(None, "", "pulang", "NIK 3201150101900001")[n % 4])
            case "rate":
                return sample("rate", counter=counter, score=1 + n % 4, age_s=(0.0, 0.1, 60.0)[n % 3])
            case "scan":
                return sample("scan", counter=counter, token=token(b"k" * 32, f"https://x/?nik={3201150101900000 + n}"))
            case _:
                return sample(step, counter=counter)

    @rule(come=VISITORS, counter=COUNTERS, steps=STEPS)
    def at_a_counter(self, come: list[tuple[str, bool]], counter: int, steps: list[tuple[str, int]]) -> None:
        self.visitors(come, "")
        self._at_counter(counter, steps)

    @rule(come=VISITORS, counter=COUNTERS, start=st.sampled_from(["start", "scan", "recall", "rate"]), steps=STEPS)
    def one_visit(self, come: list[tuple[str, bool]], counter: int, start: str, steps: list[tuple[str, int]]) -> None:
        self.visitors(come, "")
        self._at_counter(counter, [("next", 0), (start, 0), *steps])

    @rule(counter=COUNTERS, steps=STEPS, back=st.lists(st.sampled_from(["undo_finish", "undo_start", "undo_call"]), min_size=1, max_size=4))
    def there_and_back(self, counter: int, steps: list[tuple[str, int]], back: list[str]) -> None:
        self._at_counter(counter, [("next", 0), ("start", 0), ("finish", 0), *((name, 0) for name in back), *steps])

    @rule(counter=COUNTERS, steps=STEPS, times=st.integers(1, 2))
    def absent_and_back(self, counter: int, steps: list[tuple[str, int]], times: int) -> None:
        for _ in range(times):
            self._at_counter(counter, [("next", 0), ("absent", 2), *steps])
            self.ask(sample("readmit", ticket=self.number(0, TicketState.NO_SHOW)))

    @rule(service=SERVICES, come=st.lists(st.booleans(), max_size=5), away=st.integers(0, 3), first=COUNTERS, second=COUNTERS, n=N)
    def at_two_at_once(self, service: str, come: list[bool], away: int, first: int, second: int, n: int) -> None:
        """Some are called and do not come; then two press at the same moment, and the first one was wrong."""
        self.visitors([(service, priority) for priority in come], "")
        for _ in range(away):
            self.ask(cmd.CallNext(counter=first), cmd.MarkAbsent(counter=first, force="x"))
        self.ask(cmd.CallNext(counter=first), cmd.CallNext(counter=second))
        self.ask(sample(("undo_call", "absent", "start")[n % 3], counter=first), sample(("start", "absent")[n % 2], counter=second))

    # The manager, a training, and everybody who may not.

    @rule(steps=STEPS, come=VISITORS, closed=st.sampled_from(["", "suspend", "close_day"]), ends=st.sampled_from(ENDS))
    def training(self, steps: list[tuple[str, int]], come: list[tuple[str, bool]], closed: str, ends: tuple[str, ...]) -> None:
        """Often the site is closed for it, else it would hardly ever begin."""
        free = [sample("cancel", ticket=one.number) for one in self.queue.book.tickets.values() if one.state is TicketState.WAITING]
        self.ask(*([*free, sample(closed)] if closed else []), cmd.Training(on=True))
        self.visitors(come, "")
        self._at_counter(1, [("next", 0), *steps])
        self.ask(*(sample(name) if name != "training" else cmd.Training(on=False) for name in ends))

    @rule(until=UNTIL, words=WORDS, ends=st.booleans())
    def suspend(self, until: str | None, words: str, ends: bool) -> None:
        self.ask(cmd.Suspend(until=until, reason=words), cmd.IssueTicket(service="A"), cmd.Note(text=words))
        self.ask(*([cmd.Resume()] if ends else []))

    @rule(name=st.sampled_from(sorted(set(NAMES) - MAINTENANCE)), role=st.sampled_from(get_args(Role)))
    def somebody(self, name: str, role: Role) -> None:
        command = sample(name, role)
        if name != "suspend":
            (reply,) = self.ask(command)
            assert (reply.code == "not_allowed") is (role not in command.may)

    # Devices.

    @rule(counter=COUNTERS, n=N, outcome=st.sampled_from(["printed", "failed", "failed", "uncertain"]), void=st.booleans(), words=WORDS)
    def paper(self, counter: int, n: int, outcome: str, void: bool, words: str) -> None:
        number = self.number(n)
        paper = [
            sample("report_paper", ticket=uid, outcome=outcome, detail=words) for uid in self.queue.book.tickets if uid.endswith(number)
        ]
        self.ask(*paper, *([cmd.VoidTicket(ticket=number)] if void else []), sample("reject_scan", counter=counter))

    @rule(device=st.sampled_from(["printer", "board"]), state=st.sampled_from(["ok", "degraded", "down"]), words=WORDS)
    def device(self, device: str, state: str, words: str) -> None:
        promise = sample("repair", device=device, until=f"{self.clock.now().time + timedelta(days=2):%Y-%m-%dT%H:%M}", reason=words)
        self.ask(sample("report_device", device=device, state=state, detail=words), promise)

    # Time, clocks, restarts.

    @rule(how=st.sampled_from(CLOCK), minutes=st.integers(1, 5000), synced=st.booleans())
    def the_clock(self, how: str, minutes: int, synced: bool) -> None:
        now = self.clock.now().time
        match how:
            case "on":
                self.clock.advance((0.05, 1, 11, 16, 61, 121, 301, 1800)[minutes % 8])
            case "back":
                self.clock.step_to(now - timedelta(minutes=minutes), synced=synced)
            case "forward":
                self.clock.step_to(now + timedelta(days=1), synced=synced)
            case "four hours":
                self.clock.advance(4 * 3600)
            case _:
                self.ask(cmd.CloseDay(), cmd.IssueTicket(service="A"), sample("readmit", ticket=self.number(0, TicketState.NO_SHOW)))
                self.clock.advance((minutes % 2) * 86_400)
        self.ask(cmd.Tick())

    @rule(data=st.data())
    def repeat(self, data: st.DataObject) -> None:
        """The same id again within 24 hours is done once and answered the same, also after a restart."""
        last = self.queue.book.last
        now = max(self.clock.now().time, last.time) if last else self.clock.now().time
        recent = [(command, reply) for at, command, reply in self.answered[-40:] if now - at < timedelta(hours=23)]
        if recent:
            command, reply = data.draw(st.sampled_from(recent))
            before = self.queue.book.seq
            assert self.runner.run(self.queue.execute(command)) == reply
            assert self.queue.book.seq == before

    @rule(reboot=st.booleans(), night=st.sampled_from(["", "tick", "suspend"]))
    def restart(self, reboot: bool, night: str) -> None:
        if night:
            self.ask(sample("report_device"), sample(night))
            self.clock.step_to(self.clock.now().time + timedelta(days=1), synced=True)
            self.ask(cmd.Tick())
        before, view = self.queue.book, self.runner.run(self.queue.snapshot())
        self.runner.run(self._close())
        if reboot:
            self.clock.reboot(self.clock.now().time, synced=self.clock.now().synced)
        self.runner.run(self._open())
        assert self.queue.book == before
        if not reboot and view.clock == "synced":  # time that runs on by itself is counted from the start of the process
            assert self.runner.run(self.queue.snapshot()) == view
        self.ask(*([cmd.Resume()] if night else []))

    @invariant()
    def the_site_is_as_the_events_say(self) -> None:
        if hasattr(self, "queue"):
            assert self.watch.book == self.queue.book, "replaying the events gives the same book"
            self.watch.standing()


TestQueueMachine = QueueMachine.TestCase
TestQueueMachine.settings = settings(
    max_examples=200, stateful_step_count=50, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much]
)
