"""Runs a fleet: connections that come back, events when they are due, each sent until it is acknowledged.

Rule 1  A stream has no gap and one connection: events of a site go out in order. What was not acknowledged when a connection ends is sent
        again over the next one, so a broker may get it twice, as from a real site.
Rule 2  An event that the broker refuses is counted and given up: this is a load test, not an outbox.
Rule 3  Nothing is retained: after a load test the broker is as it was.
"""

import asyncio
import gc
import random
import ssl
from collections.abc import Callable, Iterator
from functools import partial
from itertools import count, cycle

from kiosd.clock import Clock
from kiosd.errors import Refused, Unavailable
from kiosd.fleet.plan import Outcome, Plan, make_room, used
from kiosd.fleet.site import NODE, Owed, Site, name
from kiosd.fleet.verify import Consumer
from kiosd.links.direct import DirectLink, tls_context
from kiosd.mqtt.topics import Topics

DIALS = 16  # connections being made at once
AGAIN_S = (1.0, 5.0)  # pause before a connection that was lost is made anew
DRAIN_S = 15.0  # for the last acknowledgements
TURN = 50  # events made without a look at the sockets, when the generator is late
Say = Callable[[str], None]


class Connection:
    """One client and the sites that publish through it."""

    def __init__(self, client_id: str, plan: Plan, outcome: Outcome, dials: asyncio.Semaphore, context: ssl.SSLContext | None) -> None:
        self.sites: list[Site] = []
        self.settled = asyncio.Event()
        self._client_id, self._plan, self._outcome, self._dials, self._context = client_id, plan, outcome, dials, context
        self._link: DirectLink | None = None
        self._loop = asyncio.get_running_loop()

    async def dial(self) -> bool:
        """Connect; whether that was possible."""
        link = DirectLink(self._plan.broker, self._client_id, context=self._context)
        try:
            async with self._dials:
                await link.open()
        except (Refused, Unavailable) as no:
            self._outcome.unreachable[str(no)] += 1
            return False
        self._link = link
        self._outcome.connected += 1
        for site in self.sites:
            for one in tuple(site.owed.values()):
                self._outcome.sent_again += 1
                self._send(site, one)
        return True

    async def keep(self) -> None:
        """Make the connection anew whenever it is lost, for ever."""
        while True:
            if self._link is not None:
                await asyncio.shield(self._link.lost)
                self._link = None
                self._outcome.lost += 1
                self._outcome.connected -= 1
            await asyncio.sleep(random.uniform(*AGAIN_S))  # noqa: S311 - spreads load, guards nothing
            await self.dial()

    def publish(self, site: Site, due: float) -> None:
        """Let the next event of ``site`` happen, and send it if there is a connection."""
        self._outcome.published += 1
        self._send(site, site.happen(due))

    def _send(self, site: Site, one: Owed) -> None:
        if self._link is not None:
            self._link.send(site.message(one)).add_done_callback(partial(self._answered, site, one))

    def _answered(self, site: Site, one: Owed, future: asyncio.Future[None]) -> None:
        error = None if future.cancelled() else future.exception()
        if isinstance(error, Unavailable) or site.owed.pop(one.record.seq, None) is None:
            return
        self._outcome.latencies.append(self._loop.time() - one.due)
        if isinstance(error, Refused):
            self._outcome.refused[error.code] += 1
            site.refused.add(one.record.seq)
        else:
            self._outcome.acknowledged += 1
        if not site.owed:
            self.settled.set()

    async def drained(self) -> None:
        """Wait until nothing is owed."""
        while any(site.owed for site in self.sites):
            self.settled.clear()
            await self.settled.wait()

    async def close(self) -> None:
        """Say good-bye."""
        if self._link is not None:
            await self._link.close()
            self._link = None


async def run_fleet(plan: Plan, clock: Clock, say: Say) -> Outcome:
    """Do what ``plan`` says; ``Unavailable`` when the first connection cannot be made. ``say`` hears how it goes."""
    make_room(plan.count)
    outcome, dials, context = Outcome(plan), asyncio.Semaphore(DIALS), tls_context(plan.broker)
    clients = [Connection(f"kiosd-fleet-{name(index)}", plan, outcome, dials, context) for index in range(plan.count)]
    sites = [Site(Topics(plan.broker.prefix, name(index), NODE), clock) for index in range(plan.sites)]
    for site, client in zip(sites, cycle(clients), strict=False):
        client.sites.append(site)
    if not await clients[0].dial():  # before a thousand others knock at a door that is shut
        raise Unavailable(f"no connection to {plan.broker.host}:{plan.broker.port}: {next(iter(outcome.unreachable))}")
    await asyncio.gather(*(client.dial() for client in clients[1:]))
    say(f"{outcome.connected} of {plan.count} connections are up")
    gc.collect()
    gc.freeze()  # else the collector looks at a thousand clients again and again: pauses of 200 ms that the broker would be blamed for
    try:
        await _measured(plan, outcome, clients, sites)
    finally:
        gc.unfreeze()
        await asyncio.gather(*(client.close() for client in clients))
    return outcome


async def _measured(plan: Plan, outcome: Outcome, clients: list[Connection], sites: list[Site]) -> None:
    consumer = Consumer(plan.broker, sites) if plan.verify else None
    if consumer is not None:
        await consumer.open()
    loop, (cpu_before, _) = asyncio.get_running_loop(), used()
    async with asyncio.TaskGroup() as group:
        keepers = [group.create_task(client.keep()) for client in clients]
        begin = loop.time()
        await _schedule(plan, outcome, clients, sites)
        outcome.elapsed_s = loop.time() - begin
        cpu, outcome.memory_mb = used()
        outcome.cpu_s = cpu - cpu_before
        await _drain(clients)
        outcome.unanswered = sum(len(site.owed) for site in sites)
        if consumer is not None:
            outcome.verified = await consumer.close()
        for keeper in keepers:
            keeper.cancel()


async def _drain(clients: list[Connection]) -> None:
    try:
        async with asyncio.timeout(DRAIN_S):
            for client in clients:
                await client.drained()
    except TimeoutError:
        return  # what is left is counted as unanswered


async def _schedule(plan: Plan, outcome: Outcome, clients: list[Connection], sites: list[Site]) -> None:
    """Every event at its time, or as soon as possible after it; when it was due is what its latency counts from."""
    loop = asyncio.get_running_loop()
    begin = loop.time()
    turns = cycle(range(len(sites))) if plan.spread == "even" else _at_random(len(sites))
    for number, due_s, index in zip(count(1), times(plan), turns, strict=False):
        due = begin + due_s
        late = loop.time() - due
        if late < 0 or number % TURN == 0:
            await asyncio.sleep(max(0.0, -late))
        outcome.behind_s = max(outcome.behind_s, loop.time() - due)
        clients[index % len(clients)].publish(sites[index], due)


def _at_random(sites: int) -> Iterator[int]:
    while True:
        yield random.randrange(sites)  # noqa: S311 - load, no secret


def times(plan: Plan) -> Iterator[float]:
    """When the events are due, in seconds from the start."""
    due, made = 0.0, 0
    while (plan.events is None or made < plan.events) and (plan.seconds is None or due < plan.seconds):
        yield due
        made += 1
        due = made / plan.rate if plan.spread == "even" else due + random.expovariate(plan.rate)
