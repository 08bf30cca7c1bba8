"""A finger for the event loop: presses simulated pins without waiting for them in a thread. The language is that of ``pins``."""

import asyncio
from pathlib import Path

REPLY_BYTES = 8192
PRESS_S = 5.0  # a press takes 0.08 s; a daemon that does not answer for so long hangs


async def press_pin(socket: Path, pin: int) -> None:
    """Press the button on ``pin`` once; ``OSError`` when nobody answers, ``ValueError`` when it cannot be pressed."""
    async with asyncio.timeout(PRESS_S):
        reader, writer = await asyncio.open_unix_connection(socket, limit=REPLY_BYTES)
        try:
            writer.write(f"press {pin}\n".encode())
            reply = (await reader.readline()).decode(errors="replace").strip()
        finally:
            writer.close()
    if reply != "ok":
        raise ValueError(reply.removeprefix("error: ") or "the daemon went away")
