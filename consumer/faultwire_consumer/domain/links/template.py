"""Templates of links: an address whose host is fixed, with fields that are filled in behind it.

What is filled in was written by failing programs. It is percent-encoded for its place, and no value can
lead to another host or, by dots, to another folder than the template names.
"""

import re
from collections.abc import Collection, Mapping
from enum import StrEnum
from typing import Final
from urllib.parse import quote, urlsplit

from msgspec import Struct

from faultwire_consumer.domain.suggestion import suggest
from faultwire_shared.redact import redact_url

TEMPLATE_CHARACTERS: Final = 2_000
_PIECES: Final = re.compile(r"\{([^{}]*)\}")
_BEGINNING: Final = re.compile(r"(https?)://([^/?#]*)(/?)", re.IGNORECASE)
_HOST: Final = re.compile(r"(?:[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?|\[[0-9a-f:.]+\])(?::\d{1,5})?", re.IGNORECASE)
PLAIN: Final = re.compile(r"[A-Za-z0-9._~:/?#\[\]@!$&'()*+,;=%-]*")
"""An address; what does not stand for itself in one is percent-encoded."""
_WITHOUT_BRACES: Final = str.maketrans("", "", "{}")
_FOLDERS: Final = ("path",)
"""Fields whose slashes stay slashes in a path."""


class AddressPart(StrEnum):
    """A part of an address, by what has to be encoded in it."""

    PATH = "path"
    QUERY = "query"
    FRAGMENT = "fragment"


class LinkTemplate(Struct, frozen=True):
    """A template that was checked."""

    origin: str
    """Scheme and host, as in ``https://git.example``."""
    text: str
    """The template whole."""

    @property
    def host(self) -> str:
        """Return the host, without its port."""
        return urlsplit(self.origin).hostname or ""

    @property
    def fields(self) -> frozenset[str]:
        """Return the names of the fields that it has."""
        return frozenset(_PIECES.findall(self.text))


def read_template(text: str, fields: Collection[str], *, example: str) -> LinkTemplate:
    """Check a template.

    Args:
        text: the template.
        fields: the fields that it may have.
        example: one that would do, for the error.

    Raises:
        ValueError: it cannot be used; the text says why, and what would do.
    """
    beginning = _BEGINNING.match(text)
    if beginning is None:
        raise ValueError(f"{redact_url(text)[:100]!r} is not an address of http or https; write {example}")
    scheme, host, slash = beginning.groups()
    if not slash or not _is_host(host):
        raise ValueError(
            f"{redact_url(text)[:100]!r} needs a host without fields or a user, and a / behind it; "
            f"write {example}"
        )
    if len(text) > TEMPLATE_CHARACTERS or PLAIN.fullmatch(text.translate(_WITHOUT_BRACES)) is None:
        raise ValueError(
            f"at most {TEMPLATE_CHARACTERS} characters that stand for themselves in an address; "
            "percent-encode the others"
        )
    for name in _PIECES.findall(text):
        if name not in fields:
            raise ValueError(f"unknown field {{{name[:40]}}}; {suggest(name, fields)}")
    if set("{}") & set(_PIECES.sub("", text)):
        raise ValueError("a { or } without its other; write %7B for {, %7D for }")
    return LinkTemplate(f"{scheme.lower()}://{host.lower()}", text)


def fill(template: LinkTemplate, values: Mapping[str, str], *, most: int) -> str | None:
    """Fill a template in; None where what comes of it is too long, or leads out of its folder by dots.

    Args:
        template: the template.
        values: what is filled in, by field; one that is missing is empty.
        most: the most characters of the whole address.
    """
    filled = template.origin + _encoded(template, values)
    parts = urlsplit(filled)
    if len(filled) > most or any(_is_dots(segment) for segment in parts.path.split("/")):
        return None
    return filled


def _is_host(host: str) -> bool:
    port = host.rpartition(":")[2]
    return _HOST.fullmatch(host) is not None and not (port.isdigit() and not 0 < int(port) < 65536)


def _encoded(template: LinkTemplate, values: Mapping[str, str]) -> str:
    """Return what stands behind the host, the fields filled in."""
    pieces = _PIECES.split(template.text[len(template.origin) :])
    done, part = [], AddressPart.PATH
    for place, piece in enumerate(pieces):
        if place % 2:
            done.append(_quoted(piece, values.get(piece, ""), part))
            continue
        part = _part_after(piece, part)
        done.append(piece)
    return "".join(done)


def _part_after(piece: str, part: AddressPart) -> AddressPart:
    """Return the part that a template is in after a piece of its own text."""
    if "#" in piece or part is AddressPart.FRAGMENT:
        return AddressPart.FRAGMENT
    return AddressPart.QUERY if "?" in piece or part is AddressPart.QUERY else AddressPart.PATH


def _quoted(name: str, value: str, part: AddressPart) -> str:
    safe = "/" if name in _FOLDERS and part is not AddressPart.QUERY else ""
    return quote(value, safe=safe, errors="replace")


def _is_dots(segment: str) -> bool:
    """Return True if a browser takes a segment of a path for this folder or the one above."""
    return segment.lower().replace("%2e", ".") in (".", "..")
