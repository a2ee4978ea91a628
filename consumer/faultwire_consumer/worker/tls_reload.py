"""Files of TLS, read again when SIGHUP asks for it: a wrong one is told before a connection meets it."""

from faultwire_consumer.config import WorkerConfig
from faultwire_consumer.serving.certificate import ServedCertificate, Shown
from faultwire_consumer.store.contract.url import parse_database_url
from faultwire_shared.broker_url import split_addresses
from faultwire_shared.tls.context import make_context
from faultwire_shared.tls.files import TlsFiles, secured_of

_SYSTEM = "system"
"""libpq's word for the authorities that the machine trusts."""


class TlsReload:
    """Reads every file that the settings name; for broker and database each connection reads them anyway."""

    def __init__(self, certificate: ServedCertificate | None = None) -> None:
        self._certificate = certificate

    def read(self, config: WorkerConfig) -> Shown | None:
        """Read the files; return what the server is to show, None where it speaks no TLS.

        Raises:
            TlsFileError: one cannot be read, or holds something else; nothing has changed.
        """
        for files in (*_of_broker(config), *_of_database(config)):
            make_context(files)
        return None if self._certificate is None else self._certificate.read()

    def use(self, shown: Shown | None) -> None:
        """Show what was read to new visitors."""
        if self._certificate is not None and shown is not None:
            self._certificate.use(shown)


def _of_broker(config: WorkerConfig) -> list[TlsFiles]:
    addresses = split_addresses(config.broker_url) if config.broker_url is not None else ()
    return [files for one in addresses if any(files := secured_of(one).files)]


def _of_database(config: WorkerConfig) -> list[TlsFiles]:
    """Those of PostgreSQL's addresses, but for keys with a password, which its driver alone opens."""
    found = []
    for address in (config.database_url, config.database_read_url):
        if address is not None and address.startswith("postgresql"):
            words = parse_database_url(address).query
            root, shown, key = (_text(words.get(name)) for name in ("sslrootcert", "sslcert", "sslkey"))
            files = TlsFiles(None if root == _SYSTEM else root, shown, key)
            if any(files) and "sslpassword" not in words:
                found.append(files)
    return found


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None
