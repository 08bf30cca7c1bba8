"""Has tickets issued, one after the other, and says each number to the host only when it was promised to the outside. Until it is cut off.

Service F by the control socket, as a receptionist does: promised when the daemon has replied. Service G by a finger on the button: promised
when the broker has the event. What is promised leaves the guest at once, through a virtio-serial port, so that the host knows it when the
power goes. Run by kiosd's own Python.
"""

import asyncio
import json
import os
from asyncio.subprocess import PIPE
from pathlib import Path

from kiosd.links.unix import connect_unix
from kiosd.queue.commands import IssueTicket
from kiosd.queue.remote import RemoteQueue

STATE = Path("/var/lib/kiosd")
PORT = "/dev/virtio-ports/org.kiosd.lab.ack"
PRESS_G = ("/usr/bin/python3", "-I", "-S", "/opt/lab/devices.py", "press", "17")
PRESS_S = 0.4  # between two presses: longer than the button's hold-off
LISTEN = ("mosquitto_sub", "-h", "127.0.0.1", "-V", "5", "-q", "1", "-t", "kiosd/1/+/+/ev/#", "-F", "%p")


def promised(out: int, number: str, sequence: int) -> None:
    os.write(out, f"{number} {sequence}\n".encode())


async def ask(out: int) -> None:
    """Tickets of F."""
    async with connect_unix(STATE / "control.sock") as link:
        queue = RemoteQueue(link, 30.0)
        while True:
            reply = await queue.execute(IssueTicket(service="F", slip=False))
            promised(out, str(reply.result["number"]), int(reply.sequence or 0))


async def press() -> None:
    """Tickets of G."""
    while True:
        await (await asyncio.create_subprocess_exec(*PRESS_G)).wait()
        await asyncio.sleep(PRESS_S)


async def listen(out: int) -> None:
    """What a central system hears of G."""
    process = await asyncio.create_subprocess_exec(*LISTEN, stdout=PIPE)
    assert process.stdout is not None
    async for line in process.stdout:
        event = json.loads(line)
        if event["type"] == "kiosd.ticket.issued.v1" and event["subject"].startswith("G"):
            promised(out, event["subject"], int(event["sequence"]))


async def main() -> None:
    out = os.open(PORT, os.O_WRONLY)
    async with asyncio.TaskGroup() as tasks:
        for work in (ask(out), press(), listen(out)):
            tasks.create_task(work)


asyncio.run(main())
