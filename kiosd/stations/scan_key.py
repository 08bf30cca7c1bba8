"""The site's scan key: what makes tokens of scans (domain section 9). A file that only its owner reads."""

import os
import secrets
from pathlib import Path

from kiosd.errors import ConfigError

FILE = "scan.key"
BYTES = 32
LEAST_BYTES = 16


def load_scan_key(key_file: str, state: Path, make: bool = True) -> bytes:
    """The key in ``key_file``, or the one in the state directory, made at the first start; ``ConfigError`` when it cannot be used.

    ``make``: a satellite must not make one, for its tokens must be those of its hub.
    """
    path = Path(key_file) if key_file else state / FILE
    try:
        if not key_file and not path.exists():
            if not make:
                raise ConfigError(f"[scan] key_file: there is no {path}: copy the hub's key there, as kiosd enroll does, with mode 600")
            _make(path)
        if path.stat().st_mode & 0o077:
            raise ConfigError(f"[scan] key_file: {path} can be read by others; run: chmod 600 {path}")
        key = path.read_bytes()
    except OSError as exc:
        raise ConfigError(f"[scan] key_file: {path} cannot be read: {exc.strerror}") from exc
    if len(key) < LEAST_BYTES:
        raise ConfigError(f"[scan] key_file: {path} holds {len(key)} bytes; a key has at least {LEAST_BYTES}")
    return key


def _make(path: Path) -> None:
    """Written whole or not at all: a power cut must not leave half a key."""
    fresh = path.with_suffix(".new")
    fd = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        os.write(fd, secrets.token_bytes(BYTES))
        os.fsync(fd)
    finally:
        os.close(fd)
    fresh.rename(path)
