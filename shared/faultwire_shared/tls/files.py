"""The files of TLS as settings name them, and as they stand behind the ``?`` of an address."""

import os
from collections.abc import Mapping
from typing import Final, NamedTuple, TypeVar
from urllib.parse import parse_qsl, quote, urlencode

from faultwire_shared.broker_url import split_addresses
from faultwire_shared.redact import redact_url

T = TypeVar("T")

_ENCRYPTED: Final = ("amqps", "https")
_WORDS: Final = ("cafile", "certfile", "keyfile")
_RENAMED: Final = {"cacertfile": "cafile", "capath": "cafile", "auth_mechanism": "auth"}
"""RabbitMQ's words for what aiormq calls otherwise."""
_VERIFYING: Final = {
    "verify": {"verify_peer": True, "verify_none": False},
    "no_verify_ssl": {"0": True, "1": False},
}
_MECHANISMS: Final = ("plain", "external")
# What other clients' addresses say and means nothing here: bounds and names are this client's own.
_HARMLESS: Final = (
    *("heartbeat", "connection_timeout", "timeout", "channel_max", "frame_max", "name", "locale"),
    *("connection_attempts", "retry_delay", "socket_timeout", "stack_timeout", "blocked_connection_timeout"),
    *("fail_fast", "reconnect_interval"),
)


class TlsFiles(NamedTuple):
    """Paths; each is read again for each new connection."""

    ca_file: str | None = None
    """The only authorities that are trusted, as PEM; or a directory of them; None trusts this machine's."""
    certificate_file: str | None = None
    """This side's own certificate, with those between it and its authority."""
    key_file: str | None = None
    """Its key, where that is not in the certificate's file."""


NO_FILES: Final = TlsFiles()


class Secured(NamedTuple):
    """An address without its words on TLS, and what they say."""

    address: str
    files: TlsFiles
    verifies: bool
    """False where the address itself asks to trust everybody."""


def tls_files(*paths: "str | os.PathLike[str] | None") -> TlsFiles:
    """Make the three paths texts."""
    return TlsFiles(*(None if path is None else os.fspath(path) for path in paths))


def check_files(files: TlsFiles, prefix: str) -> None:
    """See that the files make sense together; they are not read.

    Raises:
        ValueError: there is a key without its certificate.
    """
    if files.key_file and not files.certificate_file:
        raise ValueError(f"{prefix}_key_file is the key of a certificate: set {prefix}_certificate_file too")


def with_files(url: str, files: TlsFiles) -> str:
    """Return a broker's or a worker's address, or a cluster's, that names the files.

    Raises:
        ValueError: an address is not encrypted, or names files of its own; it is shown without a password.
    """
    check_files(files, "broker")
    if not any(files):
        return url
    return ",".join(_with_words(address, files) for address in split_addresses(url))


def _with_words(address: str, files: TlsFiles) -> str:
    if not address.startswith(tuple(f"{scheme}://" for scheme in _ENCRYPTED)):
        raise ValueError(f"{redact_url(address)} is not encrypted: files of TLS want amqps:// or https://")
    if any(secured_of(address).files):
        raise ValueError(f"{redact_url(address)} names files of TLS, and settings do too: say it once")
    words = {word: path for word, path in zip(_WORDS, files, strict=True) if path}
    joint = "&" if "?" in address.rpartition("@")[2] else "?"
    return f"{address}{joint}{urlencode(words, quote_via=quote, safe='')}"


def secured_of(address: str) -> Secured:
    """Split the words on TLS off one address, as RabbitMQ and aiormq write them.

    Raises:
        ValueError: a word is unknown or cannot be followed; the text names it and no password.
    """
    _, _, query = address.rpartition("@")[2].partition("?")
    if not query:
        return Secured(address, TlsFiles(), verifies=True)
    words: dict[str, str] = {}
    verifies = True
    for written, value in parse_qsl(query, keep_blank_values=True):
        name = _RENAMED.get(written, written)
        if name in _VERIFYING:
            verifies = _choice(written, value, _VERIFYING[name]) and verifies
        elif name == "auth":
            words[name] = _choice(written, value.lower(), {one: one for one in _MECHANISMS})
        elif name in _WORDS:
            words[name] = value
        elif name not in _HARMLESS:
            known = ", ".join((*_WORDS, "verify", "auth"))
            raise ValueError(f"{written[:40]!r} is no word that faultwire knows there; it knows {known}")
    files = TlsFiles(*(words.get(word) or None for word in _WORDS))
    if (any(files) or not verifies) and not address.startswith(_ENCRYPTED):
        raise ValueError("words of TLS stand there, and the address is not encrypted: write amqps://")
    head = address[: len(address) - len(query) - 1]
    mechanism = f"?auth={words['auth']}" if "auth" in words else ""
    return Secured(head + mechanism, files, verifies)


def _choice(word: str, value: str, choices: Mapping[str, T]) -> T:
    if value not in choices:
        raise ValueError(f"{word} cannot be {value[:40]!r}; write {' or '.join(choices)}")
    return choices[value]
