"""The far side's own socket, for ``kiosd sim scan`` and the like: one line in, a JSON list of words; one out, ``ok``, with an
answer behind it if there is one, or ``error: ...``."""

import asyncio
import json
import os
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

from kiosd.errors import Refused, Unavailable
from kiosd_sim.door import door
from kiosd_sim.floor import not_running

LINE_BYTES = 64 * 1024  # a scan of 4 KB whose every character is written as an escape, and room
ANSWER_S = 5.0
Do = Callable[[list[str]], Awaitable[str | None]]
"""Does what the words say, and what it answers; ``Refused`` or ``OSError`` says why not."""


@asynccontextmanager
async def serve(path: Path, do: Do) -> AsyncIterator[None]:
    """Answer at ``path`` for the length of the block. Only this user may ask."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        reply = await _reply(reader, do)
        writer.write(f"{' '.join(reply.split())}\n".encode())

    with listening(path) as listener:
        async with door(answer, listener, LINE_BYTES):
            yield


@contextmanager
def listening(path: Path, kind: int = socket.SOCK_STREAM) -> Iterator[socket.socket]:
    """A socket at ``path`` that only this user may talk to."""
    path.unlink(missing_ok=True)  # of a run that was killed
    with socket.socket(socket.AF_UNIX, kind) as listener:
        listener.bind(os.fspath(path))
        path.chmod(0o600)
        try:
            yield listener
        finally:
            path.unlink(missing_ok=True)


async def _reply(reader: asyncio.StreamReader, do: Do) -> str:
    try:
        async with asyncio.timeout(ANSWER_S):
            line = await reader.readuntil()
            words = json.loads(line)
            if not (isinstance(words, list) and words and all(isinstance(word, str) for word in words)):
                return "error: a request is a list of words"
            return f"ok {await do(words) or ''}"
    except asyncio.LimitOverrunError:
        return f"error: a request has at most {LINE_BYTES} bytes"
    except (ValueError, EOFError, RecursionError):
        return "error: a request is one line of JSON"
    except Refused as exc:
        return f"error: {exc.facts.get('message', exc.code)}"
    except TimeoutError:
        return f"error: not done in {ANSWER_S:g} s: the device does not take it"
    except OSError as exc:
        return f"error: {exc.strerror or exc}"


def ask(state: Path, path: Path, *words: str) -> str:
    """Have ``words`` done by the simulation in ``state``, whose socket is ``path``, and what it answers; ``Unavailable`` or ``Refused``."""
    try:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(ANSWER_S + 1)
            connection.connect(os.fspath(path))
            connection.sendall(json.dumps(words).encode() + b"\n")
            with connection.makefile("rb") as lines:
                reply = lines.readline(LINE_BYTES).decode(errors="replace").strip()
    except OSError:
        raise Unavailable(not_running(state)) from None
    done, _, answer = reply.partition(" ")
    if done != "ok":
        raise Refused("error", {"message": reply.removeprefix("error: ") or "the simulation ended"})
    return answer
