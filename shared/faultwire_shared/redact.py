"""Addresses without their passwords: what may stand in a log line, an error or on a page."""

import re
from typing import Final
from urllib.parse import urlsplit, urlunsplit

_URL: Final = re.compile(r"\b[a-zA-Z][a-zA-Z0-9+.-]{1,20}://[^\s'\"<>]+")


def redact_urls(text: str) -> str:
    """The text with every URL in it redacted."""
    return _URL.sub(lambda match: redact_url(match.group()), text)


def redact_url(url: str) -> str:
    """The URL with the password and the query replaced by ``***``; any text is taken."""
    try:
        parts = urlsplit(url)
        host = parts.netloc.rpartition("@")[2]
        user = f"{parts.username}:***@" if parts.password else f"{parts.username}@" if parts.username else ""
    except ValueError:
        return "***"
    if not parts.scheme or (not host and "@" in url):
        return "***"
    return urlunsplit((parts.scheme, user + host, parts.path, "***" if parts.query else "", ""))
