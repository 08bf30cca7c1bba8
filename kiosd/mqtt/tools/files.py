"""The files that a broker's section names: there, readable, of the right kind, and secret where they must be."""

import stat
from collections.abc import Iterator
from pathlib import Path

from kiosd.errors import ConfigError
from kiosd.findings import Finding, failed, ok
from kiosd.links.credentials import password
from kiosd.links.direct import tls_context
from kiosd.mqtt.settings import MqttSettings

CHECK = "configuration"
OTHERS = stat.S_IRWXO
AS_KIOSD = "run this as root or as the daemon's user; else see the file's owner and mode"


def check_files(name: str, settings: MqttSettings) -> Iterator[Finding]:
    """What is wrong with them, or that nothing is."""
    secret = {"password_file": settings.password_file, "key_file": settings.key_file}
    public = {"ca_file": settings.ca_file, "cert_file": settings.cert_file}
    wrong = [finding for key, path in (secret | public).items() if path is not None for finding in _file(key, path, key in secret)]
    if not any(finding.result.startswith(("ca_file", "cert_file", "key_file")) for finding in wrong):
        wrong += _tls(settings)
    yield from wrong or [ok(CHECK, _summary(name, settings))]


def _file(key: str, path: Path, secret: bool) -> Iterator[Finding]:
    try:
        with path.open("rb") as file:
            mode, empty = stat.S_IMODE(path.stat().st_mode), not file.read(1)
    except OSError as exc:
        remedy = AS_KIOSD if isinstance(exc, PermissionError) else f"put the file there, or correct {key}"
        yield failed(CHECK, f"{key} {path}: {exc.strerror}", "the file cannot be read", remedy)
        return
    if secret and mode & OTHERS:
        yield failed(CHECK, f"{key} {path} has mode {mode:o}", "everybody on this board may read it", f"chmod o= {path}")
    if empty:
        yield failed(CHECK, f"{key} {path} is empty", "it was never filled", "put in what its name says")


def _tls(settings: MqttSettings) -> Iterator[Finding]:
    try:
        tls_context(settings)
        password(settings.password_file)
    except ConfigError as exc:
        yield failed(
            CHECK,
            str(exc),
            "the file is not what its key says",
            "certificates and keys are PEM files; cert_file and key_file fit each other",
        )


def _summary(name: str, settings: MqttSettings) -> str:
    user = f"user {settings.username}" if settings.username else "no user"
    tls = "TLS, with a client certificate" if settings.cert_file else "TLS" if settings.tls else "in clear"
    return f"[mqtt.{name}] is {settings.host} port {settings.port}, {tls}, {user}, MQTT {settings.protocol}"
