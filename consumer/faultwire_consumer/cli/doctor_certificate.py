"""Certificates of servers as `faultwire doctor` sees them: whose, by whom, and for how many days more."""

import asyncio
import socket
import ssl
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple
from urllib.parse import urlsplit

from faultwire_consumer.cli.fault import Fault, FaultCode
from faultwire_shared.broker_url import split_addresses
from faultwire_shared.tls.context import TlsFileError, make_context
from faultwire_shared.tls.files import TlsFiles, secured_of

DAYS: Final = 21
"""A certificate with fewer days left is a fault."""
_SECONDS: Final = 5.0
_AMQPS: Final = 5671
_POSTGRESQL: Final = 5432
_POSTGRESQL_TLS: Final = b"\x00\x00\x00\x08\x04\xd2\x16\x2f"
"""PostgreSQL's request for TLS, which it answers by an S or an N."""
_RENEW: Final = "renew it; files are read again for each connection, so no worker has to be restarted"


class Seen(NamedTuple):
    """The findings at a server's certificates: some words for its line, and faults."""

    told: str = ""
    faults: tuple[Fault, ...] = ()


class _Server(NamedTuple):
    host: str
    port: int
    context: ssl.SSLContext
    prelude: Callable[[socket.socket], None]


async def look_at_broker(url: str) -> Seen:
    """Look at the certificate of each node that is spoken to by TLS."""
    return await asyncio.to_thread(_look_at_all, _broker_places, url)


async def look_at_database(url: str) -> Seen:
    """Look at PostgreSQL's certificate, where it is verified."""
    return await asyncio.to_thread(_look_at_all, _database_places, url)


def _look_at_all(places_of: Callable[[str], Sequence[_Server]], url: str) -> Seen:
    """Look at every place; whether one is to be trusted is said by who connects, and not again here."""
    told, now = "", datetime.now(UTC)
    faults: list[Fault] = []
    try:
        places = places_of(url)
    except (TlsFileError, ValueError):
        return Seen()
    for place in places:
        try:
            certificate = _look(place)
        except OSError:
            continue
        told += f", certificate {describe(certificate, now)}"
        faults += fault_of(certificate, now)
    return Seen(told, tuple(faults))


def _broker_places(url: str) -> Sequence[_Server]:
    places = []
    for address in split_addresses(url):
        secured, parts = secured_of(address), urlsplit(address)
        if parts.scheme == "amqps" and secured.verifies:
            context = make_context(secured.files)
            places.append(_Server(parts.hostname or "", parts.port or _AMQPS, context, _at_once))
    return places


def _database_places(url: str) -> Sequence[_Server]:
    from faultwire_consumer.store.contract.url import parse_database_url  # noqa: PLC0415 - loads SQLAlchemy

    parsed = parse_database_url(url)
    words: dict[str, str] = {name: str(value) for name, value in parsed.query.items()}
    if not words.get("sslmode", "").startswith("verify-"):
        return ()
    root = words.get("sslrootcert")
    files = TlsFiles(None if root == "system" else root, words.get("sslcert"), words.get("sslkey"))
    context = make_context(files)
    context.check_hostname = words["sslmode"] == "verify-full"
    hosts = words.get("host", parsed.host or "").split(",")
    ports = words.get("port", str(parsed.port or _POSTGRESQL)).split(",")
    return [
        _Server(host, int(port), context, _ask_postgresql)
        for host, port in zip(hosts, ports, strict=True)
        if not host.startswith("/")
    ]


def _at_once(_: socket.socket) -> None:
    """Of a protocol that begins with TLS."""


def _ask_postgresql(plain: socket.socket) -> None:
    """Ask for TLS.

    Raises:
        OSError: there is none.
    """
    plain.sendall(_POSTGRESQL_TLS)
    if plain.recv(1) != b"S":
        raise ConnectionError("it speaks no TLS there")


def _look(place: _Server) -> "Certificate":
    """Speak TLS with a server, and return the certificate that it shows.

    Raises:
        OSError: it does not answer, or nobody whom the context trusts vouches for it.
    """
    with socket.create_connection((place.host, place.port), timeout=_SECONDS) as plain:
        place.prelude(plain)
        with place.context.wrap_socket(plain, server_hostname=place.host) as secured:
            return read_certificate(secured.getpeercert() or {})


class Certificate(NamedTuple):
    """A certificate that was verified."""

    name: str
    issuer: str
    ends_at: datetime

    def days_left(self, now: datetime) -> int:
        """Return the whole days for which it still holds."""
        return (self.ends_at - now).days


def read_certificate(given: Any) -> Certificate:
    """Read a certificate as Python's ssl gives it."""
    ends_at = datetime.fromtimestamp(ssl.cert_time_to_seconds(given["notAfter"]), UTC)
    return Certificate(_name(given.get("subject", ())), _name(given.get("issuer", ())), ends_at)


def describe(certificate: Certificate, now: datetime) -> str:
    """Say whose it is, who vouches for it, and how long it holds."""
    return f"of {certificate.name} by {certificate.issuer}: {certificate.days_left(now)} days left"


def fault_of(certificate: Certificate, now: datetime) -> tuple[Fault, ...]:
    """Return a fault where it ends soon."""
    if certificate.days_left(now) >= DAYS:
        return ()
    until = f"until {certificate.ends_at:%Y-%m-%d %H:%M} UTC"
    cause = f"the certificate {describe(certificate, now)} ({until})"
    return (Fault(FaultCode.CERTIFICATE_ENDS, cause, _RENEW),)


def _name(parts: Any) -> str:
    names = {key: value for part in parts for key, value in part}
    return str(names.get("commonName") or names.get("organizationName") or "nobody")
