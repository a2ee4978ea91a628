"""Certificates for commands that publish: the client's settings, else those of the commands themselves."""

import os
from collections.abc import Mapping

from faultwire.options import read_tls_files
from faultwire_consumer.cli.address import CA_FILE, publish_url
from faultwire_shared.tls.files import TlsFiles


def publish_files(given: str | None, environ: Mapping[str, str] = os.environ) -> TlsFiles:
    """The files of TLS for the address to publish to; ``FAULTWIRE_CA_FILE`` is for a worker's alone."""
    files = read_tls_files(environ)
    if not any(files) and publish_url(given).startswith("https:"):
        return TlsFiles(ca_file=environ.get(CA_FILE) or None)
    return files
