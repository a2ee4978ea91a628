"""Options that a manager reads from the environment, and the address that it can use."""

import logging
from collections.abc import Mapping
from typing import Final
from urllib.parse import urlsplit

from msgspec import Struct

from faultwire_shared.broker_url import split_addresses
from faultwire_shared.redact import redact_url

AMQP_SCHEMES: Final = ("amqp", "amqps")
HTTP_SCHEMES: Final = ("http", "https")

PREFIX: Final = "FAULTWIRE_"
UNKNOWN_SERVICE: Final = "unknown_service"
_FALSE: Final = ("0", "false", "no", "off")
_TRUE: Final = ("1", "true", "yes", "on", "")

logger = logging.getLogger("faultwire")


class Settings(Struct, frozen=True, kw_only=True):
    """The client's settings, as the environment has them."""

    service: str
    broker_url: str | None = None
    environment: str = "production"
    release: str | None = None
    spool_path: str | None = None
    """None is the default's, an empty text none at all."""


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


def read_settings(environ: Mapping[str, str]) -> Settings:
    """Read ``FAULTWIRE_BROKER_URL SERVICE ENVIRONMENT RELEASE SPOOL_PATH ENABLED``, each also as ``…_FILE``.

    A value that cannot be used is told in one warning and turns publishing off: a mistake in the
    environment must not stop the host.
    """
    try:
        return Settings(
            service=_read(environ, "SERVICE") or environ.get("OTEL_SERVICE_NAME") or UNKNOWN_SERVICE,
            environment=_read(environ, "ENVIRONMENT") or "production",
            release=_read(environ, "RELEASE") or None,
            broker_url=_broker_url(environ),
            spool_path=_read(environ, "SPOOL_PATH"),
        )
    except (OSError, ValueError) as error:
        extra = {"event": "settings.refused", "reason": str(error)}
        logger.warning("settings.refused reason=%s; nothing is published", error, extra=extra)
        return Settings(service=environ.get(f"{PREFIX}SERVICE") or UNKNOWN_SERVICE)


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
