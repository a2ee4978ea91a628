"""Options that a manager reads from the environment, and the address that it can use."""

import logging
import os
from collections.abc import Mapping
from typing import Final, Literal
from urllib.parse import urlsplit

from msgspec import Struct

from faultwire_shared.broker_url import split_addresses
from faultwire_shared.redact import redact_url
from faultwire_shared.tls.files import TlsFiles, with_files

AMQP_SCHEMES: Final = ("amqp", "amqps")
HTTP_SCHEMES: Final = ("http", "https")

PREFIX: Final = "FAULTWIRE_"
Locals = Literal["none", "own"]
"""Whose calls' local variables travel with an event: nobody's, or those of the service's own code."""

UNKNOWN_SERVICE: Final = "unknown_service"
TOKEN_CHARACTERS: Final = 4096
_FALSE: Final = ("0", "false", "no", "off")
_TRUE: Final = ("1", "true", "yes", "on", "")

logger: logging.Logger = logging.getLogger("faultwire")


class Settings(Struct, frozen=True, kw_only=True):
    """The client's settings, as the environment has them."""

    service: str
    broker_url: str | None = None
    broker_ca_file: str | None = None
    broker_certificate_file: str | None = None
    broker_key_file: str | None = None
    token: "str | TokenFile | None" = None
    environment: str = "production"
    release: str | None = None
    spool_path: str | None = None
    """None is the default's, an empty text none at all."""
    include_locals: Locals = "none"


class TokenFile(os.PathLike[str]):
    """The path of a file that holds a token; ``pathlib`` would add 10 ms to the import."""

    def __init__(self, path: str) -> None:
        self._path = path

    def __fspath__(self) -> str:
        return self._path


def scheme_of(url: str) -> str:
    """The URL's scheme, once every address in it is seen to be one that the client can use.

    Raises:
        ValueError: with a sentence that shows no password.
    """
    schemes = [_scheme_of(address) for address in split_addresses(url)]
    if len(schemes) > 1 and not set(schemes) <= set(AMQP_SCHEMES):
        raise ValueError(
            "broker_url may name several addresses of amqp:// or amqps://, and one of http(s)://"
        )
    return schemes[0]


def _scheme_of(url: str) -> str:
    try:
        parts = urlsplit(url)
        scheme, host, _ = parts.scheme, parts.hostname, parts.port
    except ValueError:
        raise ValueError(f"broker_url cannot be read: {redact_url(url)}") from None
    if scheme not in AMQP_SCHEMES + HTTP_SCHEMES:
        known = "amqp://, amqps://, http:// or https://"
        raise ValueError(f"broker_url must begin with {known}, not {scheme[:20] or 'nothing'!r}")
    if not host:
        raise ValueError(f"broker_url names no host: {redact_url(url)}")
    return scheme


def bearer_of(text: str) -> str:
    """Return the header by which a token is shown.

    Raises:
        ValueError: the text cannot be a token; what is said does not show it.
    """
    token = text.strip()
    is_word = token.isascii() and token.isprintable() and " " not in token
    if not (is_word and 0 < len(token) <= TOKEN_CHARACTERS):
        raise ValueError("a token is one word of ASCII, as `faultwire access token create` prints it")
    return f"Bearer {token}"


def check_token(url: str | None, token: str | os.PathLike[str] | None) -> None:
    """See that a token can be shown at this address, if it is one of a worker.

    Raises:
        ValueError: it cannot.
    """
    if url is None or token is None or scheme_of(url) in AMQP_SCHEMES:
        return
    if isinstance(token, str):
        bearer_of(token)
    if "@" in urlsplit(url).netloc:
        raise ValueError("broker_url names a user and there is a token too; a request can show one of them")


def check_locals(choice: object) -> Locals:
    """Return the choice.

    Raises:
        ValueError: it is none.
    """
    if choice == "own":
        return "own"
    if choice == "none":
        return "none"
    raise ValueError(f'include_locals must be "none" or "own", not {str(choice)[:20]!r}')


def read_settings(environ: Mapping[str, str]) -> Settings:
    """Read ``FAULTWIRE_<NAME>`` for each of the settings and ENABLED, or the file that ``…_FILE`` names.

    A value that cannot be used is told in one warning and turns publishing off: a mistake in the
    environment must not stop the host.
    """
    try:
        broker_url, token, files = _broker_url(environ), read_token(environ), read_tls_files(environ)
        check_token(broker_url, token)
        if broker_url is not None:
            with_files(broker_url, files)
        return Settings(
            service=_read(environ, "SERVICE") or environ.get("OTEL_SERVICE_NAME") or UNKNOWN_SERVICE,
            environment=_read(environ, "ENVIRONMENT") or "production",
            release=_read(environ, "RELEASE") or None,
            broker_url=broker_url,
            broker_ca_file=files.ca_file,
            broker_certificate_file=files.certificate_file,
            broker_key_file=files.key_file,
            token=token,
            spool_path=_read(environ, "SPOOL_PATH"),
            include_locals=check_locals((_read(environ, "INCLUDE_LOCALS") or "none").lower()),
        )
    except (OSError, ValueError) as error:
        extra = {"event": "settings.refused", "reason": str(error)}
        logger.warning("settings.refused reason=%s; nothing is published", error, extra=extra)
        return Settings(service=environ.get(f"{PREFIX}SERVICE") or UNKNOWN_SERVICE)


def read_token(environ: Mapping[str, str]) -> str | TokenFile | None:
    """Read ``FAULTWIRE_TOKEN``; or name its file, which is read when it is needed: it may change."""
    token = environ.get(f"{PREFIX}TOKEN", "").strip()
    path = environ.get(f"{PREFIX}TOKEN_FILE")
    return token or (TokenFile(path) if path else None)


def read_tls_files(environ: Mapping[str, str]) -> TlsFiles:
    """Read ``FAULTWIRE_BROKER_CA_FILE`` and its two likes, which are paths and not opened here."""
    return TlsFiles(
        *(environ.get(f"{PREFIX}BROKER_{name}_FILE") or None for name in ("CA", "CERTIFICATE", "KEY"))
    )


def _broker_url(environ: Mapping[str, str]) -> str | None:
    enabled = (_read(environ, "ENABLED") or "").strip().lower()
    if enabled in _FALSE:
        return None
    if enabled not in _TRUE:
        raise ValueError(f"{PREFIX}ENABLED must be true or false, not {enabled[:20]!r}")
    url = _read(environ, "BROKER_URL")
    if url:
        scheme_of(url)
    return url or None


def _read(environ: Mapping[str, str], name: str) -> str | None:
    value = environ.get(PREFIX + name)
    if value is not None:
        return value.strip()
    path = environ.get(f"{PREFIX}{name}_FILE")
    if not path:
        return None
    with open(path, encoding="utf-8") as file:  # noqa: PTH123 - pathlib adds 10 ms to the import
        return file.read().strip()
