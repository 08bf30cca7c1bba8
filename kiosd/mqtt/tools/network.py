"""The way to a broker, one step after the other: name, TCP, TLS. Blocking, with a deadline each: call it in a lane."""

import errno
import socket
import ssl
from collections.abc import Iterator, Mapping
from contextlib import closing, suppress
from datetime import UTC, datetime

from kiosd.clock import Moment
from kiosd.errors import ConfigError
from kiosd.findings import Finding, failed, note, ok, skipped
from kiosd.links.direct import tls_context
from kiosd.mqtt.settings import MqttSettings, is_loopback
from kiosd.mqtt.tools.certificate import validity

STEP_S = 5.0  # for each address and each handshake
ALERT_S = 0.5  # TLS 1.3: a broker refuses a client certificate only after the handshake
SOON_DAYS = 30
CONNECT = b"\x10\x11\x00\x04MQTT\x05\x02\x00\x05\x00\x00\x04doct"
"""An MQTT 5 CONNECT without a user: whatever is answered to it, whoever answers speaks MQTT in clear."""
CONNACK = 0x20

_UNREACHABLE = "no way leads to that address"
TCP = {
    errno.ECONNREFUSED: ("the machine answers, but nothing listens on that port", "start the broker there, or correct port"),
    errno.ENETUNREACH: (_UNREACHABLE, "see that this board has a network: cable, address, default route"),
    errno.EHOSTUNREACH: (_UNREACHABLE, "see that the broker's machine is on and in this network"),
}
"""Cause and remedy by errno."""
SILENT = ("packets get lost: the machine is off, or a firewall drops them", "see that it is on; allow this port in the firewalls between")
OTHER = ("the system does not allow or know this", "see the result's words")

NOT_YET, EXPIRED, SELF_SIGNED, SELF_SIGNED_CHAIN, NO_ISSUER, NO_FIRST, WRONG_NAME, WRONG_ADDRESS = 9, 10, 18, 19, 20, 21, 62, 64
"""X509_V_ERR_... of OpenSSL's x509_vfy.h, as ``SSLCertVerificationError.verify_code`` has them."""
UNTRUSTED = {SELF_SIGNED, SELF_SIGNED_CHAIN, NO_ISSUER, NO_FIRST}
CLIENT_CERTIFICATE = {
    "CERTIFICATE_REQUIRED": "the broker wants a client certificate, and none is configured",
    "UNKNOWN_CA": "the broker does not trust the authority of our client certificate",
    "BAD_CERTIFICATE": "the broker does not accept our client certificate",
    "CERTIFICATE_EXPIRED": "our client certificate has expired, by the broker's clock",
    "CERTIFICATE_REVOKED": "our client certificate was revoked",
    "HANDSHAKE_FAILURE": "the broker breaks off: often because it wants a client certificate",
}
"""What a TLS alert of the broker means, by the end of OpenSSL's name for it."""


def check_network(settings: MqttSettings, now: Moment) -> Iterator[Finding]:
    """Name, TCP and TLS, as far as one leads to the next; the last finding is no failure if the way is open."""
    try:
        found = socket.getaddrinfo(settings.host, settings.port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as exc:
        yield _no_name(settings.host, exc)
        return
    addresses = list(dict.fromkeys(str(address[0]) for *_, address in found))
    yield ok("name", f"{settings.host} is {', '.join(addresses)}")
    finding = reach(settings)
    yield finding
    if finding.verdict == "failed":
        return
    if settings.tls:
        yield from check_tls(settings, now)
    elif not is_loopback(settings.host):
        yield note(
            "TLS", "none: everything goes in clear, passwords too", "insecure = true", "give the broker a certificate, and us ca_file"
        )


def _no_name(host: str, exc: Exception) -> Finding:
    code = exc.errno if isinstance(exc, socket.gaierror) else None
    if code in {socket.EAI_AGAIN, socket.EAI_FAIL}:
        return failed(
            "name", f"{host}: {exc}", "the name server does not answer", "see /etc/resolv.conf and the network; or give the address"
        )
    return failed("name", f"{host}: {exc}", "there is no such name", "correct host, or enter the name in DNS or /etc/hosts")


def reach(settings: MqttSettings) -> Finding:
    """A TCP connection, made and closed."""
    place = f"{settings.host} port {settings.port}"
    try:
        with socket.create_connection((settings.host, settings.port), STEP_S):
            return ok("TCP", f"{place} accepts connections")
    except TimeoutError:
        return failed("TCP", f"{place} did not answer in {STEP_S:g} s", *SILENT)
    except OSError as exc:
        return failed("TCP", f"{place}: {exc.strerror or exc}", *TCP.get(exc.errno or 0, OTHER))


def check_tls(settings: MqttSettings, now: Moment) -> Iterator[Finding]:
    """The handshake as the daemon does it, and what the certificate says of its days."""
    try:
        context = tls_context(settings)
    except ConfigError:
        yield skipped("TLS", "a file that it needs cannot be used")
        return
    assert context is not None  # noqa: S101 - settings.tls, says the caller
    try:
        with _wire(settings) as wire, context.wrap_socket(wire, server_hostname=settings.host) as tls:
            certificate = tls.getpeercert() or {}
            version = tls.version()
            _await_alert(tls)
    except ssl.SSLCertVerificationError as exc:
        yield _untrusted(settings, exc, now)
    except ssl.SSLError as exc:
        yield _broken(settings, exc)
    except OSError as exc:  # it hung up, or said nothing
        yield _no_tls(settings, exc)
    else:
        yield ok("TLS", f"{version}, certificate of the pinned authority, for {settings.host}")
        yield _days_left(certificate, now)


def _wire(settings: MqttSettings) -> socket.socket:
    return socket.create_connection((settings.host, settings.port), STEP_S)


def _await_alert(tls: ssl.SSLSocket) -> None:
    tls.settimeout(ALERT_S)
    with suppress(TimeoutError):
        tls.recv(1)


def _untrusted(settings: MqttSettings, exc: ssl.SSLCertVerificationError, now: Moment) -> Finding:
    words, code = exc.verify_message or str(exc), exc.verify_code
    if code in {NOT_YET, EXPIRED}:
        return _out_of_date(settings, code == NOT_YET, now)
    if code in UNTRUSTED:
        cause = "another authority than that in ca_file signed the broker's certificate, or somebody stands between"
        return failed(
            "TLS", words, cause, "copy the authority's certificate of this broker to ca_file; if it is the right one, trust nobody here"
        )
    if code in {WRONG_NAME, WRONG_ADDRESS}:
        cause = f"the broker's certificate is for another name than {settings.host}"
        return failed("TLS", words, cause, "put the certificate's name into host, or have the certificate made for this name")
    return failed("TLS", words, "the broker's certificate is not accepted", "have it made anew by the authority in ca_file")


def _out_of_date(settings: MqttSettings, early: bool, now: Moment) -> Finding:
    """Before the certificate's days or behind them: the fault of a clock that nobody set, or of the certificate."""
    board = f"this board's clock says {now.time:%Y-%m-%d %H:%M} UTC"
    result = f"{_valid(settings)}; {board}" + ("" if now.synced else " and is not synchronised")
    if not now.synced:
        cause = "this board's clock is wrong, most likely: it has no battery, and no time server was reached"
        return failed(
            "TLS", result, cause, "give the board a time server it can reach (timedatectl), then try again; leave the certificate alone"
        )
    if early:
        return failed("TLS", result, "the broker's certificate is not yet valid", "see the clock of the machine on which it was made")
    return failed("TLS", result, "the broker's certificate, or that of its authority, has expired", "renew it on the broker")


def _valid(settings: MqttSettings) -> str:
    """The days of the certificate that was not accepted; nothing of it is believed."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    try:
        with _wire(settings) as wire, context.wrap_socket(wire, server_hostname=settings.host) as tls:
            first, last = validity(tls.getpeercert(binary_form=True) or b"")
    except (OSError, ValueError):
        return "the days of the certificate are not known"
    return f"the certificate is valid from {first:%Y-%m-%d %H:%M} to {last:%Y-%m-%d %H:%M} UTC"


def _broken(settings: MqttSettings, exc: ssl.SSLError) -> Finding:
    reason = exc.reason or str(exc)
    for end, cause in CLIENT_CERTIFICATE.items():
        if reason.endswith(end):
            return failed("TLS", reason, cause, "give cert_file and key_file of an authority that the broker trusts (its cafile)")
    if reason.endswith("PROTOCOL_VERSION"):
        return failed("TLS", reason, "the broker knows no TLS 1.2 or newer", "update the broker")
    return _no_tls(settings, exc)


def _no_tls(settings: MqttSettings, exc: OSError) -> Finding:
    result = "the handshake got no answer" if isinstance(exc, TimeoutError) else f"the handshake failed: {exc.strerror or exc}"
    if speaks_plain_mqtt(settings):
        cause = "the broker speaks MQTT without TLS on this port"
        return failed("TLS", result, cause, "correct port (8883 is usual for TLS), or give the broker's listener a certificate")
    return failed("TLS", result, "what listens on this port speaks no TLS", "correct host and port")


def speaks_plain_mqtt(settings: MqttSettings) -> bool:
    """Whether MQTT in clear is answered on the port. No user and no password are sent."""
    with suppress(OSError), _wire(settings) as wire:
        wire.sendall(CONNECT)
        return wire.recv(1)[:1] == bytes([CONNACK])
    return False


def speaks_tls(settings: MqttSettings) -> bool:
    """Whether a TLS handshake is answered on the port, whoever it is."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    try:
        with _wire(settings) as wire, closing(context.wrap_socket(wire, server_hostname=settings.host)):
            return True
    except OSError:
        return False


def _days_left(certificate: Mapping[str, object], now: Moment) -> Finding:
    last = datetime.fromtimestamp(ssl.cert_time_to_seconds(str(certificate["notAfter"])), UTC)
    left = (last - now.time).days
    result = f"the broker's certificate is valid until {last:%Y-%m-%d}, {left} days from now"
    if left < SOON_DAYS:
        return note("certificate", result, "then no kiosk reaches this broker any more", "renew it on the broker")
    return ok("certificate", result)
