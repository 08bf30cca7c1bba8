"""What the tests of ``kiosd mqtt`` have in common: a kiosk's configuration, and brokers that want a password."""

import subprocess
from collections.abc import Callable
from pathlib import Path

from kiosd.mqtt.topics import Topics
from support.kiosk import write_config
from support.served import Said

TOPICS = Topics("kiosd", "CTH01", "hub")
ROOT = TOPICS.root
SECRET = "geheim-7731"  # noqa: S105 - of a broker that lives for a second
Kiosd = Callable[..., Said]
"""The command line: words to what was said."""


def config(folder: Path, port: int, more: str = "") -> str:
    """The file of a kiosk at this broker."""
    return str(write_config(folder, port, more))


def passwords(folder: Path, user: str = "kiosk", more: str = "") -> str:
    """Lines of a broker that knows ``user``; the password is ``SECRET``."""
    subprocess.run(["mosquitto_passwd", "-c", "-b", str(folder / "passwords"), user, SECRET], check=True)
    return f"allow_anonymous false\npassword_file {folder / 'passwords'}\n{more}"


def login(folder: Path, user: str = "kiosk", secret: str = SECRET) -> str:
    """What a configuration says to come in as ``user``."""
    file = folder / "secret"
    file.touch(0o600)
    file.write_text(secret)
    return f'username = "{user}"\npassword_file = "{file}"\n'
