"""The control socket: a link over an AF_UNIX stream, one server and many clients. Frames are those of ``frames``.

Rule 1  Who may open the socket file (mode 0660) may do everything: the file's owner and group are the access control.
Rule 2  A client can harm only itself. Its lines are capped before they are parsed, what it does not read is bounded, and a broken
        line ends its connection with a line in the log.
Rule 3  A reply goes to the connection that asked: the server sees ``reply_to`` as ``@<connection>/...``.
"""

import asyncio
import errno
import grp
import logging
import socket
import stat
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import cast

from kiosd.errors import ConfigError, Refused, Unavailable
from kiosd.links.base import NOBODY_LISTENS, Message
from kiosd.links.frames import Frame, decode, encode
from kiosd.links.peer import STALL_S, Peer, Subscription, Subscriptions

log = logging.getLogger(__name__)
CONTROL_SOCKET = "control.sock"  # in the daemon's state directory
MAX_ASKED = 64 * 1024  # bytes of one line from a client, before it is parsed
MAX_ANSWERED = 1024 * 1024  # bytes of one line from the server: a snapshot of a day with thousands of tickets
MAX_BACKLOG = 1024 * 1024  # bytes that one client has not read
MAX_CLIENTS = 64
MODE = 0o660
GONE = "kiosd closed the connection"


class _Connection(asyncio.Protocol):
    """One socket: bytes to frames and back. ``name`` is for the log; ``most_in`` and ``most_out`` cap a line's bytes."""

    def __init__(self, name: str, most_in: int, most_out: int) -> None:
        self.name = name
        self.peer: Peer | None = None
        self.closed = asyncio.get_running_loop().create_future()
        self._most_in, self._most_out = most_in, most_out
        self._transport: asyncio.Transport | None = None
        self._rest = b""
        self.reason = ""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        if self.reason:  # closed between accept and here
            transport.close()

    def data_received(self, data: bytes) -> None:
        *lines, self._rest = (self._rest + data).split(b"\n")
        try:
            for line in lines:
                self._take(line)
            self._cap(self._rest)
        except ValueError as exc:
            log.warning("%s sent what is no frame (%s): closed", self.name, exc)
            self.cut(str(exc))

    def _take(self, line: bytes) -> None:
        self._cap(line)
        if self.peer is not None and not self.reason:
            self.peer.receive(decode(line))

    def _cap(self, line: bytes) -> None:
        if len(line) > self._most_in:
            raise ValueError(f"a line of more than {self._most_in} bytes")

    def eof_received(self) -> None:
        self.close()

    def connection_lost(self, exc: Exception | None) -> None:
        self.reason = self.reason or GONE
        if self.peer is not None:
            self.peer.lost(self.reason)
        if not self.closed.done():
            self.closed.set_result(None)

    def send(self, frame: Frame) -> None:
        """``Line.send``."""
        line = encode(frame)
        if len(line) > self._most_out:
            raise Refused("too_large", {"limit": self._most_out})
        if self._transport is None or self._transport.is_closing():
            return
        self._transport.write(line)
        if self._transport.get_write_buffer_size() > MAX_BACKLOG:
            self.cut(f"{MAX_BACKLOG} bytes were not read")

    def hold(self, stop: bool) -> None:
        """``Line.hold``."""
        if self._transport is not None and not self._transport.is_closing():
            (self._transport.pause_reading if stop else self._transport.resume_reading)()

    def cut(self, reason: str) -> None:
        """``Line.cut``: what was not read is lost."""
        if self._transport is not None and not self.reason:
            log.info("%s is cut off: %s", self.name, reason)
            self.reason = reason
            self._transport.abort()

    def close(self) -> None:
        """End in good order, without waiting for a side that does not read."""
        self.reason = self.reason or GONE
        if self._transport is not None:
            (self._transport.abort if self._transport.get_write_buffer_size() else self._transport.close)()


class UnixServer:
    """The daemon's end; a ``Link``. A publish goes to every client that subscribed, a reply to the one that asked."""

    def __init__(self, stall_s: float = STALL_S) -> None:
        self._stall_s = stall_s
        self._listeners = Subscriptions()
        self._clients: dict[str, _Connection] = {}
        self._count = 0

    def new_connection(self) -> asyncio.Protocol:
        """The protocol of the next client; one too many is closed at once."""
        if len(self._clients) >= MAX_CLIENTS:
            log.warning("control socket: %d clients, one more is refused", MAX_CLIENTS)
            return _Turnstile()
        self._count += 1
        sender = f"@{self._count}/"
        connection = _Connection(f"control client {self._count}", MAX_ASKED, MAX_ANSWERED)
        connection.peer = Peer(connection, self._listeners, sender, self._stall_s)
        connection.closed.add_done_callback(lambda _: self._clients.pop(sender))
        self._clients[sender] = connection
        return connection

    async def publish(self, message: Message) -> None:
        sender, slash, topic = message.topic.partition("/")
        if message.topic.startswith("@"):
            await self._answer(self._clients.get(sender + slash), message, topic)
            return
        wanting = [client.peer for client in self._clients.values() if client.peer is not None and client.peer.wants(message.topic)]
        taken: list[Peer] = []
        async with asyncio.TaskGroup() as group:
            for peer in wanting:
                group.create_task(_offer(peer, message, taken))
        if not taken:
            raise Refused(NOBODY_LISTENS)

    async def _answer(self, client: _Connection | None, message: Message, topic: str) -> None:
        if client is None or client.peer is None or not client.peer.wants(topic):
            raise Refused(NOBODY_LISTENS)
        await client.peer.publish(message, topic)

    @asynccontextmanager
    async def subscribe(self, pattern: str) -> AsyncIterator[Subscription]:
        with self._listeners.open(pattern) as subscription:
            yield subscription

    async def close(self) -> None:
        """End every connection; returns when all are gone."""
        self._listeners.end("the control socket is closed")
        clients = list(self._clients.values())
        for client in clients:
            client.close()
        for client in clients:
            await client.closed


class _Turnstile(asyncio.Protocol):
    """Turns a client away."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        transport.close()


async def _offer(peer: Peer, message: Message, taken: list[Peer]) -> None:
    with suppress(Refused, Unavailable):  # one client that left or is cut off is no matter of the others
        await peer.publish(message, message.topic)
        taken.append(peer)


@asynccontextmanager
async def serve_unix(path: Path, stall_s: float = STALL_S) -> AsyncIterator[UnixServer]:
    """Listen at ``path`` for the length of a ``with`` block.

    Raises ``ConfigError`` when the file can not be there, ``Unavailable`` when another program answers at it.
    """
    listener, inode = _listen(path)
    link = UnixServer(stall_s)
    server = await asyncio.get_running_loop().create_unix_server(link.new_connection, sock=listener)
    try:
        yield link
    finally:
        server.close()
        await link.close()
        _remove(path, inode)


def _remove(path: Path, inode: int) -> None:
    """Take the socket file away, unless another daemon has put its own there."""
    with suppress(FileNotFoundError):
        if path.lstat().st_ino == inode:
            path.unlink()


def _listen(path: Path) -> tuple[socket.socket, int]:
    """A listening socket at ``path``. It is made beside it and moved there, so nobody meets one with a wrong mode or a deaf one."""
    _check_place(path)
    fresh = path.with_suffix(".new")
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        fresh.unlink(missing_ok=True)
        listener.bind(str(fresh))
        fresh.chmod(MODE)
        listener.listen()
        fresh.rename(path)
    except OSError as exc:
        listener.close()
        raise ConfigError(f"control socket {path}: {exc.strerror or exc}") from exc
    return listener, path.stat().st_ino


def _check_place(path: Path) -> None:
    if not path.parent.is_dir():
        raise ConfigError(f"control socket {path}: the directory {path.parent} does not exist")
    if not path.exists():
        return
    if not stat.S_ISSOCK(path.lstat().st_mode):
        raise ConfigError(f"control socket {path}: there is a file that is no socket; it is not touched")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.setblocking(False)
        result = probe.connect_ex(str(path))
    if result != errno.ECONNREFUSED:  # refused: nobody has it open, it was left behind by a crash
        raise Unavailable(f"another program answers at the control socket {path}")


class UnixClient:
    """A client's end; a ``Link``."""

    def __init__(self, peer: Peer) -> None:
        self._peer = peer

    async def publish(self, message: Message) -> None:
        await self._peer.publish(message, message.topic)

    @asynccontextmanager
    async def subscribe(self, pattern: str) -> AsyncIterator[Subscription]:
        with self._peer.subscribe(pattern) as subscription:
            yield subscription


class NotConnected(Unavailable):
    """Nobody answers at a control socket, or not to us: nothing was asked."""


@asynccontextmanager
async def connect_unix(path: Path, timeout: float = 5.0) -> AsyncIterator[UnixClient]:
    """A client's end of the control socket at ``path``; ``NotConnected`` with a sentence for a person when there is none."""
    listeners = Subscriptions()
    connection = _Connection("kiosd", MAX_ANSWERED, MAX_ASKED)
    connection.peer = Peer(connection, listeners)
    connection.closed.add_done_callback(lambda _: listeners.end(connection.reason))
    await _connect(connection, path, timeout)
    try:
        yield UnixClient(connection.peer)
    finally:
        connection.close()
        await connection.closed


async def _connect(connection: _Connection, path: Path, timeout: float) -> None:
    try:
        async with asyncio.timeout(timeout):
            await asyncio.get_running_loop().create_unix_connection(lambda: connection, str(path))
    except (FileNotFoundError, NotADirectoryError):
        raise NotConnected(f"kiosd is not running (no control socket at {path})") from None
    except ConnectionRefusedError:
        raise NotConnected(f"kiosd is not running (nobody answers at {path})") from None
    except PermissionError:
        raise NotConnected(_forbidden(path)) from None
    except TimeoutError:
        raise NotConnected(f"kiosd did not answer at {path} in {timeout:g} s") from None
    except OSError as exc:
        raise NotConnected(f"control socket {path}: {exc.strerror or exc}") from None


def _forbidden(path: Path) -> str:
    try:
        group = grp.getgrgid(path.stat().st_gid).gr_name
    except (OSError, KeyError):
        return f"no permission to use the control socket {path}"
    return f"no permission to use the control socket {path}: only root and members of the group {group} may"
