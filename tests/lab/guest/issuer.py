"""Asks the daemon for tickets, one after the other, and says each number to the host only when the daemon has said it. Until it is cut off.

Run by kiosd's own Python: the tickets come over the control socket, as the command line's do. Acknowledgements leave the guest at once,
through a virtio-serial port, so that the host knows what was promised to the outside when the power went.
"""

import asyncio
import os
from pathlib import Path

from kiosd.links.unix import connect_unix
from kiosd.queue.commands import IssueTicket
from kiosd.queue.remote import RemoteQueue

STATE = Path("/var/lib/kiosd")
PORT = "/dev/virtio-ports/org.kiosd.lab.ack"


async def main() -> None:
    out = os.open(PORT, os.O_WRONLY)
    async with connect_unix(STATE / "control.sock") as link:
        queue = RemoteQueue(link, 30.0)
        while True:
            reply = await queue.execute(IssueTicket(service="F", slip=False))
            os.write(out, f"{reply.result['number']} {reply.sequence}\n".encode())


asyncio.run(main())
