"""``kiosd enroll``: on the hub, make a satellite's enrolment file; on the satellite, take it in (``--accept``)."""

import argparse
import base64
import re
import sys
import tomllib
from datetime import UTC, datetime
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from kiosd import enrolment
from kiosd.cli import DONE, USAGE
from kiosd.clock import utc_text, whole_ms
from kiosd.config import Settings, load, load_any
from kiosd.config.board_checks import BROKER
from kiosd.config.model import SatelliteId
from kiosd.enrolment import CA_FILE, CONFIG, KEY_FILE, PASSWORD_FILE, Enrolment, Place, Secrets
from kiosd.errors import ConfigError, Refused
from kiosd.mqtt.settings import Host, MqttSettings, is_loopback
from kiosd.mqtt.tools.target import config_path
from kiosd.stations.scan_key import load_scan_key

INSTALLED_CA = Path("/etc/mosquitto/kiosd") / CA_FILE
PASSWD = "/etc/mosquitto/kiosd/site.passwd"  # noqa: S105 - the file of config/mosquitto, not a password
TLS_PORT, PLAIN_PORT = 8883, 1883
MOST_PASSWD = 1024 * 1024  # bytes of a password file of mosquitto


class _WrongWords(Exception):
    """Words that make no sense together; its text says what is right."""


def enroll(args: argparse.Namespace) -> int:
    """``NODE``: make its enrolment file. ``--accept FILE``: take one in."""
    if (args.accept is None) == (args.node is None):
        print("kiosd: name the satellite that is made known here, or --accept FILE on the satellite itself", file=sys.stderr)
        return USAGE
    try:
        return _accept(args) if args.node is None else _make(args)
    except _WrongWords as wrong:
        print(f"kiosd: {wrong}", file=sys.stderr)
        return USAGE


def _refused(code: str, sentence: str) -> Refused:
    return Refused(code, {"message": sentence})


# On the hub.


def _make(args: argparse.Namespace) -> int:
    node, counters = _checked(args.node, TypeAdapter(SatelliteId), "NODE is small letters, digits and hyphens"), _counters(args.counters)
    output = Path(args.output or f"{node}.enrolment.toml")
    if output.exists() and not args.force:
        raise _refused("exists", f"{output} exists; delete it, or say --force to replace it")
    config = config_path(args.config, args.state)
    hub = load(config)
    broker = _broker(hub, node, counters, config)
    ca = _authority(args, broker)
    host, port = _address(args, broker, tls=bool(ca))
    key = _scan_key(hub, args.state) if counters else b""
    place = Place(
        made=utc_text(whole_ms(datetime.now(UTC))), node=node, hub=hub.node.id, site=hub.site.id, timezone=hub.site.timezone,
        language=hub.site.language, counters=counters, host=host, port=port, prefix=broker.prefix,
    )  # fmt: skip
    secret = Secrets(password=enrolment.new_password(), ca=ca, scan_key=base64.b64encode(key).decode())
    enrolment.write(output, enrolment.text(Enrolment(enrolment=place, secrets=secret)).encode(), 0o600)
    entry = enrolment.password_entry(node, secret.password)
    if args.passwd_file:
        _enter(Path(args.passwd_file), node, entry)
    print("\n".join(_to_do(output, hub, place, config, None if args.passwd_file else entry)))
    return DONE


def _checked(value: str, kind: "TypeAdapter[str]", rule: str) -> str:
    try:
        return kind.validate_python(value)
    except ValidationError:
        raise _WrongWords(rule) from None


def _counters(given: str | None) -> tuple[int, ...]:
    numbers = given.split(",") if given else []
    if not all(re.fullmatch(r" *[1-9][0-9]? *", number) for number in numbers):
        raise _WrongWords("--counters is one number 1-99 or several, for example 1,2")
    return tuple(dict.fromkeys(int(number) for number in numbers))


def _broker(hub: Settings, node: str, counters: tuple[int, ...], config: Path) -> MqttSettings:
    """The site's broker; ``Refused`` when the hub could not have such a satellite."""
    taken = "the hub itself" if node == hub.node.id else "a device of the hub" if node in hub.devices else ""
    if taken:
        raise _refused("taken", f"{node} is {taken}: a satellite needs a name of its own")
    for number in counters:
        if number not in hub.counters:
            known = ", ".join(map(str, sorted(hub.counters))) or "none"
            raise _refused("unknown_counter", f"{config} has no [counters.{number}]; known: {known}")
    if BROKER not in hub.mqtt:
        raise _refused("no_broker", f"{config} has no [mqtt.{BROKER}], and satellites are reached over the site's broker: add it first")
    return hub.mqtt[BROKER]


def _scan_key(hub: Settings, state: Path) -> bytes:
    """The site's key. It is not made here: this may be root, whose file the daemon could not read."""
    if not hub.scan.key_file and not (state / KEY_FILE).exists():
        raise _refused("no_key", f"there is no {state / KEY_FILE} yet: the hub makes it when it starts for the first time")
    key = load_scan_key(hub.scan.key_file, state, make=False)
    if len(key) > enrolment.MOST_KEY:
        raise ConfigError(f"the scan key has {len(key)} bytes; kiosd enroll carries {enrolment.MOST_KEY} at most")
    return key


def _authority(args: argparse.Namespace, broker: MqttSettings) -> str:
    """The certificates that the broker is known by; empty for a broker in clear."""
    if args.insecure:
        return ""
    given = Path(args.ca_file) if args.ca_file else broker.ca_file or INSTALLED_CA
    try:
        return enrolment.certificates(given.read_bytes()[: 4 * enrolment.MOST_CERTIFICATES].decode())
    except (OSError, ValueError) as exc:
        why = exc.strerror if isinstance(exc, OSError) else exc
        hint = "" if args.ca_file else "; name the authority's certificate with --ca-file, or say --insecure for a broker in clear"
        raise ConfigError(f"{given}: {why}{hint}") from None


def _address(args: argparse.Namespace, broker: MqttSettings, *, tls: bool) -> tuple[str, int]:
    """Where a satellite reaches the broker, which the hub may know as this board."""
    here = is_loopback(broker.host)
    if here and args.hub_host is None:
        raise _WrongWords(
            f"the broker is on this board: --hub-host HOST is its name or address for others{', as its certificate says' if tls else ''}"
        )
    host = _checked(args.hub_host or broker.host, TypeAdapter(Host), "HOST is a name or an address")
    port = str(args.port or ((TLS_PORT if tls else PLAIN_PORT) if here else broker.port))
    if not re.fullmatch(r"[1-9][0-9]{0,4}", port) or int(port) > 65_535:
        raise _WrongWords("PORT is a number 1-65535")
    return host, int(port)


def _enter(file: Path, node: str, entry: str) -> None:
    """Put ``entry`` into mosquitto's password file, in place of an older one of ``node``; the file stays whose it is."""
    try:
        there = file.stat() if file.exists() else file.parent.stat()
        lines = file.read_bytes() if file.exists() else b""
    except OSError as exc:
        raise ConfigError(f"{file}: {exc.strerror}") from None
    if len(lines) > MOST_PASSWD:
        raise ConfigError(f"{file}: is longer than {MOST_PASSWD // 1024} KiB: this is no password file of mosquitto")
    others = [line for line in lines.splitlines() if not line.startswith(f"{node}:".encode())]
    content = b"\n".join([*others, entry.encode(), b""])
    enrolment.write(file, content, there.st_mode & 0o777 if file.exists() else 0o600, (there.st_uid, there.st_gid))


def _to_do(output: Path, hub: Settings, place: Place, config: Path, entry: str | None) -> list[str]:
    """What is left to the administrator, whose files are not ours to change."""
    node, known = place.node, hub.satellites.get(place.node)
    lines = [
        f"{output} is made: a SECRET, for {node} alone. On {node}: sudo kiosd enroll --accept {output.name}",
        "Delete it on both boards afterwards.",
    ]
    if known is None or set(known.counters) != set(place.counters):
        lines += ["", f"In {config} of this hub, then restart kiosd:", f"[satellites.{node}]"]
        lines += [f"counters = [{', '.join(map(str, place.counters))}]"] if place.counters else []
    lines += ["", "At the broker:"]
    if entry is not None:
        lines += [
            f"sudo mosquitto_passwd -D {PASSWD} {node}     # only if it was enrolled before",
            f"echo '{entry}' | sudo tee -a {PASSWD} >/dev/null",
        ]
    return [*lines, "sudo systemctl reload mosquitto"]


# On the satellite.


def _accept(args: argparse.Namespace) -> int:
    folder = Path(args.config_dir).absolute()
    if not folder.is_dir():
        raise _refused("no_folder", f"there is no folder {folder}: install kiosd first, or name another one with --config-dir")
    given = enrolment.parse(Path(args.accept))
    place, secret = given.enrolment, given.secrets
    files = {PASSWORD_FILE: f"{secret.password}\n".encode()}
    files |= {KEY_FILE: secret.key} if secret.key else {}
    names = [*files, *([CA_FILE] if secret.ca else []), CONFIG]
    there = [name for name in names if (folder / name).exists()]
    if there and not args.force:
        raise _refused("exists", f"{folder} has {', '.join(there)} already; say --force to replace it")
    for name, content in files.items():
        enrolment.write(folder / name, content, 0o600, enrolment.owner())
    if secret.ca:
        enrolment.write(folder / CA_FILE, secret.ca.encode(), 0o644)
    text = enrolment.configuration(place, folder, tls=bool(secret.ca), scans=bool(secret.key))
    kept = _keep_or_write(folder / CONFIG, text)
    print(f"{place.node} belongs to {place.hub} of site {place.site} now; {', '.join(names)} are in {folder}.")
    print(f"{CONFIG} is {kept}: name this board's devices in it, then run: kiosd check-config {folder / CONFIG}")
    print(f"Then: sudo systemctl restart kiosd. Delete {args.accept}, here and on the hub.")
    return DONE


def _keep_or_write(path: Path, text: str) -> str:
    """Write the configuration, but keep one that leads to the same hub already: somebody has named the devices in it. What was done."""
    old = path.with_name(f"{path.name}.old")
    there = path.exists()
    if there and _way(path.read_bytes()) == _way(text.encode()):
        return "kept as it was"
    if there:
        path.rename(old)
    enrolment.write(path, text.encode(), 0o644)
    load_any(path)
    return f"new, and the one before is {old.name}" if there else "new"


def _way(content: bytes) -> object:
    """What a configuration says about the board, its hub and the way there; None when that cannot be read."""
    try:
        tables = tomllib.loads(content.decode())
    except ValueError:
        return None
    return {name: tables.get(name) for name in ("node", "mqtt", "scan")} | {"site": tables.get("site", {}).get("id")}
