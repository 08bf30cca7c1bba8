"""The broker that ``config/mosquitto`` describes, made as its README says, and clients that may be anybody.

Only paths, ports and the site's id are changed; it is started through a main file like Debian's.
"""

import re
import ssl
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from paho.mqtt.client import Client as Paho
from paho.mqtt.client import MQTTMessage, MQTTv5
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from support.broker import Broker, free_port
from support.mqtt_peer import until

CONFIG = Path(__file__).parents[2] / "config" / "mosquitto"
README = CONFIG / "README.md"
AUTHORITY, PASSWORDS = "1. An authority and the broker's certificate", "2. Passwords"
SITE = "cth01"
ROOT = f"kiosd/1/{SITE}/hub"
DEBIAN = """
pid_file {folder}/mosquitto.pid
persistence true
persistence_location {folder}/data/
log_dest file {folder}/mosquitto.log
include_dir {folder}/conf.d
user root
"""
"""The main file of Debian's package, with our paths; tests may run as root."""


def block(heading: str) -> str:
    """The first shell block under a heading of the README."""
    found = re.search(rf"^## {re.escape(heading)}\n.*?^```sh\n(.*?)^```", README.read_text(), re.MULTILINE | re.DOTALL)
    assert found, f"README has no commands under {heading!r}"
    return found[1]


def run(script: str, folder: Path, **values: str) -> None:
    """Run a block of the README in ``folder``, with other values for its variables."""
    for name, value in values.items():
        script, changed = re.subn(rf"^{name}=\S+", f"{name}={value}", script, count=1, flags=re.MULTILINE)
        assert changed, name
    done = subprocess.run(["sh", "-eu"], cwd=folder, input=script, text=True, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr


def certificates(folder: Path, address: str = "127.0.0.1") -> None:
    """``ca.crt``, ``server.crt`` and their keys."""
    run(block(AUTHORITY), folder, SITE=SITE, HOST="hub.local", ADDRESS=address)


def passwords(folder: Path, *more: str) -> None:
    """Those of the README, and ``more`` users of ``site.passwd``."""
    run(block(PASSWORDS) + "".join(f"new site.passwd {user}\n" for user in more), folder)


class SiteBroker(Broker):
    """A site's broker in ``folder``, which holds certificates and passwords. ``changes`` replace lines of its configuration.

    ``central``: another one that a bridge goes to, as its user ``hub``.
    """

    def __init__(self, folder: Path, changes: dict[str, str] | None = None, central: "SiteBroker | None" = None) -> None:
        self.folder, self.plain = folder, free_port()
        super().__init__(folder)
        (folder / "conf.d").mkdir()
        (folder / "data").mkdir()
        self._config.write_text(DEBIAN.format(folder=folder))
        more = {"listener 1883 127.0.0.1": f"listener {self.plain} 127.0.0.1", "listener 8883": f"listener {self.port} 127.0.0.1"}
        self._put("kiosd-site.conf", "conf.d", more | (changes or {}))
        self._put("kiosd.acl", ".", {})
        (folder / "kiosd.acl").chmod(0o600)
        if central is not None:
            (folder / "central-ca.crt").write_bytes((central.folder / "ca.crt").read_bytes())
            remote = {"address CENTRAL:8883": f"address 127.0.0.1:{central.port}", "remote_username kiosd-SITE": "remote_username hub"}
            remote |= {"remote_password CHANGE-ME": f"remote_password {central.secret('hub').read_text().strip()}"}
            self._put("kiosd-bridge.conf", "conf.d", remote)

    def _put(self, name: str, where: str, changes: dict[str, str]) -> None:
        text = (CONFIG / name).read_text()
        for old, new in changes.items():
            assert text.count(f"\n{old}\n") == 1, old
            text = text.replace(f"\n{old}\n", f"\n{new}\n")
        text = text.replace("/etc/mosquitto/kiosd/", f"{self.folder}/").replace("SITE", SITE)
        (self.folder / where / name).write_text(text)

    @property
    def log(self) -> str:
        return self._log.read_text()

    def secret(self, user: str) -> Path:
        """The file with a user's password."""
        return self.folder / f"{user}.password"


@contextmanager
def site_broker(
    folder: Path, *users: str, changes: dict[str, str] | None = None, central: SiteBroker | None = None
) -> Iterator[SiteBroker]:
    """A running one; ``users`` beside those of the README."""
    certificates(folder)
    passwords(folder, *users)
    it = SiteBroker(folder, changes, central)
    it.start()
    try:
        yield it
    finally:
        it.stop()


@dataclass
class Somebody:
    """A client of any name and any manners. ``reason`` of its connection, ``messages`` that came, ``acks`` by message id."""

    broker: SiteBroker
    user: str | None
    secret: str | None = None
    client_id: str = ""
    tls: bool = True
    plain: bool = False
    ca: Path | None = None
    cert: Path | None = None
    reason: str = ""
    gone: str = ""
    messages: list[MQTTMessage] = field(default_factory=list)
    acks: dict[int, str] = field(default_factory=dict)
    granted: dict[int, list[str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        client_id = self.client_id or f"{self.user}-client"
        it = self._paho = Paho(CallbackAPIVersion.VERSION2, client_id, protocol=MQTTv5, reconnect_on_failure=False)
        it.suppress_exceptions = True
        if self.user is not None:
            secret = self.secret if self.secret is not None else self.broker.secret(self.user).read_text().strip()
            it.username_pw_set(self.user, secret)
        if self.tls and not self.plain:
            context = ssl.create_default_context(cafile=self.ca or self.broker.folder / "ca.crt")
            if self.cert is not None:
                context.load_cert_chain(self.cert, self.cert.with_suffix(".key"))
            it.tls_set_context(context)
        it.on_connect = lambda _c, _d, _f, reason, _p: setattr(self, "reason", str(reason))
        it.on_disconnect = lambda _c, _d, _f, reason, _p: setattr(self, "gone", str(reason))
        it.on_publish = lambda _c, _d, mid, reason, _p: self.acks.__setitem__(mid, str(reason))
        it.on_subscribe = lambda _c, _d, mid, reasons, _p: self.granted.__setitem__(mid, [str(one) for one in reasons])
        it.on_message = lambda _c, _d, message: self.messages.append(message)

    async def connect(self) -> "Somebody":
        """Try; ``reason`` or ``gone`` says what became of it. Raises what TLS raises."""
        self._paho.connect(  # the handshake is done here, by this thread
            "127.0.0.1", self.broker.plain if self.plain else self.broker.port, keepalive=30
        )
        self._paho.loop_start()
        await until(lambda: self.reason or self.gone)
        return self

    async def publish(self, topic: str, payload: bytes = b"x", retain: bool = False, **properties: Any) -> str:
        """The broker's reason code, or why the connection ended."""
        made = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
        for name, value in properties.items():
            setattr(made, name, value)
        mid = self._paho.publish(topic, payload, 1, retain, made).mid
        await until(lambda: mid in self.acks or self.gone)
        return self.acks.get(mid, self.gone)

    def shout(self, topic: str, *payloads: bytes) -> None:
        """All at once, whatever becomes of them."""
        for payload in payloads:
            self._paho.publish(topic, payload, 1)

    async def subscribe(self, *patterns: str, qos: int = 1) -> None:
        """Returns when the broker has answered, whatever it said."""
        _, mid = self._paho.subscribe([(pattern, qos) for pattern in patterns])
        assert mid is not None
        await until(lambda: mid in self.granted or self.gone)

    def topics(self) -> set[str]:
        """Where messages came from."""
        return {message.topic for message in self.messages}

    def close(self) -> None:
        self._paho.disconnect()
        self._paho.loop_stop()
