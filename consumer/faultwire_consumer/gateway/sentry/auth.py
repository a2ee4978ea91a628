"""Finds the key by which an SDK says whose events it sends: in a header, the query, or the envelope's DSN."""

import base64
import binascii
from collections.abc import Iterator, Mapping
from typing import Final
from urllib.parse import unquote, urlsplit

from msgspec import Struct

from faultwire_shared.event import NAME_CHARACTERS, Sdk

KEY_CHARACTERS: Final = 128
"""Of a key as it was sent; what is longer is none."""
DSN_CHARACTERS: Final = 2_048
PROJECT_DIGITS: Final = 18
_HEADER_CHARACTERS: Final = 8_192
_QUERY_KEYS: Final = ("sentry_key", "glitchtip_key")


class SentryAuth(Struct, frozen=True, kw_only=True):
    """The one whom an SDK says it reports for; not judged yet."""

    key: str
    """In small letters, without hyphens; anything that was sent as one."""
    project: int | None = None
    """As a DSN names it; the address of a request names it elsewhere."""
    client: str | None = None
    """As the SDK calls itself: ``sentry.python/2.75.0``."""
    version: str | None = None
    """Of the protocol: 4 to 7, and whatever comes."""

    @property
    def sdk(self) -> Sdk | None:
        """The library that the client names."""
        return sdk_of(self.client)


def find_auth(headers: Mapping[str, str], query: Mapping[str, str]) -> SentryAuth | None:
    """Return the first key that stands in a request's headers or query; None where none does.

    Several are no contradiction: Ruby's SDK sends two at once. The order is that of the headers
    ``X-Sentry-Auth`` and ``Authorization``, and then the query. Secrets of old DSNs are not looked at.

    Args:
        headers: by any spelling of their names.
        query: decoded.
    """
    authorization = headers.get("Authorization", "")
    return (
        _in_sentry_form(headers.get("X-Sentry-Auth", ""))
        or _in_sentry_form(authorization)
        or _in_basic_form(authorization)
        or _in_query(query)
    )


def find_auth_of_dsn(dsn: str | None) -> SentryAuth | None:
    """Return the key and project of a DSN, as an envelope's first line holds one; None where there is none.

    It decides where the request itself holds no key: a backend's tunnel passes the body alone.
    """
    if not dsn or len(dsn) > DSN_CHARACTERS:
        return None
    try:
        address = urlsplit(dsn)
        user = address.username
    except ValueError:
        return None
    return _auth(unquote(user or ""), project=address.path.rstrip("/").rpartition("/")[2])


def sdk_of(client: str | None) -> Sdk | None:
    """Return the library that a client's name, or a ``User-Agent``, names first; None where it names none."""
    first, *_ = (client or "")[:_HEADER_CHARACTERS].split(maxsplit=1) or [""]
    name, _, version = first.partition("/")
    return Sdk(name=name[:NAME_CHARACTERS], version=version[:NAME_CHARACTERS]) if name else None


def _in_sentry_form(text: str) -> SentryAuth | None:
    """Read ``Sentry sentry_key=…, sentry_version=7``; the word's spelling and blanks are the sender's."""
    word, _, rest = text[:_HEADER_CHARACTERS].strip().partition(" ")
    if word.lower() != "sentry":
        return None
    told = dict(_pairs(rest))
    return _auth(told.get("sentry_key"), client=told.get("sentry_client"), version=told.get("sentry_version"))


def _pairs(text: str) -> Iterator[tuple[str, str]]:
    for part in text.split(","):
        name, equals, value = part.partition("=")
        if equals:
            yield name.strip().lower(), value.strip().strip('"')


def _in_basic_form(text: str) -> SentryAuth | None:
    """Read ``Basic`` with the key as the user; whatever stands there as password is not looked at."""
    word, _, rest = text[:_HEADER_CHARACTERS].strip().partition(" ")
    if word.lower() != "basic":
        return None
    try:
        told = base64.b64decode(rest.strip(), validate=True).decode()
    except (binascii.Error, ValueError):
        return None
    return _auth(told.partition(":")[0])


def _in_query(query: Mapping[str, str]) -> SentryAuth | None:
    key = next((key for name in _QUERY_KEYS if (key := query.get(name))), None)
    return _auth(key, client=query.get("sentry_client"), version=query.get("sentry_version"))


def _auth(
    key: str | None, *, project: str = "", client: str | None = None, version: str | None = None
) -> SentryAuth | None:
    normal = (key or "")[: KEY_CHARACTERS + 1].strip().lower().replace("-", "")
    if not 0 < len(normal) <= KEY_CHARACTERS:
        return None
    is_number = project.isascii() and project.isdigit() and len(project) <= PROJECT_DIGITS
    return SentryAuth(
        key=normal,
        project=int(project) if is_number else None,
        client=client[:NAME_CHARACTERS] if client else None,
        version=version[:NAME_CHARACTERS] if version else None,
    )
