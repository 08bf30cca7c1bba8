"""TLS as kiosd speaks it: one pinned authority, host names checked, 1.2 or newer."""

import ssl
from pathlib import Path


def client_context(ca_file: Path, cert_file: Path | None, key_file: Path | None) -> ssl.SSLContext:
    """A context that trusts ``ca_file`` alone and shows ``cert_file``; raises ``OSError`` when a file is missing or is no certificate."""
    context = ssl.create_default_context(cafile=ca_file)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if cert_file is not None:
        context.load_cert_chain(cert_file, key_file)
    return context
