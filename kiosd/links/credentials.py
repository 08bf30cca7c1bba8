"""What a link trusts and what it shows of itself. Every secret stands in a file of its own."""

import ssl
from pathlib import Path

from kiosd.errors import ConfigError


def client_context(ca_file: Path, cert_file: Path | None, key_file: Path | None) -> ssl.SSLContext:
    """TLS 1.2 or newer that trusts ``ca_file`` alone, checks host names and shows ``cert_file``; ``ConfigError`` for a wrong file."""
    try:
        context = ssl.create_default_context(cafile=ca_file)
    except OSError as exc:
        raise ConfigError(f"ca_file {ca_file}: {exc.strerror or exc}") from None
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if cert_file is not None:
        try:
            context.load_cert_chain(cert_file, key_file)
        except OSError as exc:
            raise ConfigError(f"cert_file {cert_file} with key_file {key_file}: {exc.strerror or exc}") from None
    return context


def password(file: Path | None) -> str | None:
    """The secret in ``file`` without blanks around it; ``ConfigError`` when it cannot be read."""
    if file is None:
        return None
    try:
        return file.read_text(encoding="utf-8").strip()
    except (OSError, ValueError) as exc:
        raise ConfigError(f"password_file {file}: {exc}") from None
