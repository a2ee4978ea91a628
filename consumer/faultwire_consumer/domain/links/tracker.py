"""Links to a tracker: the address that opens a new issue there, and those that an incident may remember."""

import re
from collections.abc import Callable, Mapping
from typing import Final
from urllib.parse import urlsplit

from faultwire_consumer.domain.links.template import PLAIN, LinkTemplate, fill, read_template

FIELDS: Final = ("title", "body", "link", "service", "release", "id")
EXAMPLE: Final = "https://git.example/shop/issues/new?title={title}&body={body}"
ISSUE_URL_CHARACTERS: Final = 6_000
"""The most characters of the address that opens an issue: browsers and servers cut or refuse longer ones."""
LINK_CHARACTERS: Final = 2_000
"""The most characters of a link that an incident remembers."""
_TRIES: Final = 16
_LINK: Final = re.compile(r"https?://[^/?#@]+(?:[/?#].*)?", re.IGNORECASE)


def read_tracker_template(text: str) -> LinkTemplate:
    """Check the setting of a link to a tracker.

    Raises:
        ValueError: it cannot be used; the text says why, and what would do.
    """
    return read_template(text, FIELDS, example=EXAMPLE)


def issue_url(template: LinkTemplate, values: Mapping[str, str], body: Callable[[int], str]) -> str:
    """Return the address that opens a new issue, its body cut to what an address can take.

    Args:
        template: of the tracker.
        values: what is filled in, by field, but for the body.
        body: makes the body with so many characters at most.
    """
    most = ISSUE_URL_CHARACTERS
    for _ in range(_TRIES):
        url = fill(template, {**values, "body": body(most)}, most=ISSUE_URL_CHARACTERS)
        if url is not None:
            return url
        most = most * 3 // 4
    short = {name: value[:100] for name, value in values.items() if name != "title"}
    bare = {"title": values.get("title", "")[:50]} | short
    return fill(template, bare, most=ISSUE_URL_CHARACTERS) or f"{template.origin}/"


def link_fault(url: str, *, host: str | None = None) -> str | None:
    """Say why an incident cannot remember a link; None if it can.

    Args:
        url: the link.
        host: the only host that it may lead to; None: any.
    """
    if len(url) > LINK_CHARACTERS or PLAIN.fullmatch(url) is None:
        return f"an address of at most {LINK_CHARACTERS} characters, all but ASCII percent-encoded"
    if _LINK.fullmatch(url) is None or (own := _host_of(url)) is None:
        return "an address of http or https with a host and no user, as in https://git.example/shop/issues/7"
    return None if host is None or own == host else f"an address at {host}, where tracker_link leads"


def _host_of(url: str) -> str | None:
    """Return the host of an address in small letters; None if it has none that can be."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return None
    return None if port == 0 else parts.hostname


def short_link(url: str, most: int = 60) -> str:
    """Return a link as a person reads it: its host and path, cut."""
    parts = urlsplit(url)
    text = parts.netloc + parts.path.rstrip("/")
    return text if len(text) <= most else f"{text[: most - 1]}…"
