"""Certificates for brokers in tests, with any days and any name, made by openssl."""

import subprocess
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

CONFIG = """
[req]
distinguished_name = name
prompt = no
[name]
CN = test
[authority]
basicConstraints = critical, CA:TRUE
keyUsage = critical, keyCertSign, cRLSign
subjectKeyIdentifier = hash
[server]
basicConstraints = critical, CA:FALSE
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
subjectAltName = {san}
[ca]
default_ca = us
[us]
database = {folder}/index
new_certs_dir = {folder}
serial = {folder}/serial
default_md = sha256
policy = any
unique_subject = no
[any]
commonName = supplied
"""
NOW = datetime.now(UTC)
DAY = timedelta(days=1)


def _openssl(folder: Path, *words: str) -> None:
    done = subprocess.run(["openssl", *words], cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@dataclass(frozen=True)
class Authority:
    """A certificate authority in ``folder``."""

    folder: Path

    @classmethod
    def make(cls, folder: Path) -> "Authority":
        folder.mkdir(exist_ok=True)
        (folder / "index").touch()
        (folder / "serial").write_text("01\n")
        it = cls(folder)
        it._configure("DNS:localhost")
        _openssl(folder, "ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", "ca.key")
        words = ("-config", "config", "-extensions", "authority", "-subj", f"/CN={folder.name}", "-days", "3650")
        _openssl(folder, "req", "-x509", "-new", "-key", "ca.key", *words, "-out", "ca.crt")
        return it

    def _configure(self, san: str) -> None:
        (self.folder / "config").write_text(CONFIG.format(folder=self.folder, san=san))

    @property
    def certificate(self) -> Path:
        return self.folder / "ca.crt"

    def issue(
        self, name: str, san: str = "DNS:localhost,IP:127.0.0.1", begin: datetime = NOW - DAY, end: datetime = NOW + 365 * DAY
    ) -> Path:
        """``<name>.crt``, its key beside it as ``<name>.key``."""
        self._configure(san)
        _openssl(self.folder, "ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", f"{name}.key")
        _openssl(self.folder, "req", "-new", "-key", f"{name}.key", "-config", "config", "-subj", f"/CN={name}", "-out", f"{name}.csr")
        days = ("-startdate", f"{begin:%Y%m%d%H%M%SZ}", "-enddate", f"{end:%Y%m%d%H%M%SZ}")
        words = ("-batch", "-notext", "-config", "config", "-cert", "ca.crt", "-keyfile", "ca.key", "-extensions", "server")
        _openssl(self.folder, "ca", *words, *days, "-in", f"{name}.csr", "-out", f"{name}.crt")
        return self.folder / f"{name}.crt"


def tls_listener(authority: Authority, certificate: Path, more: str = "") -> str:
    """Lines of mosquitto's configuration that turn its listener into one with TLS."""
    return f"cafile {authority.certificate}\ncertfile {certificate}\nkeyfile {certificate.with_suffix('.key')}\n{more}"
