"""Addresses without their passwords, fit for a log line, an error or a page."""

import re
from typing import Final

_PAIR: Final = re.compile(
    r"\b(?P<name>[\w.-]{0,40}(?:passw(?:or)?d|pwd|secret|token|api[_-]?key|credential|authorization)s?)"
    r"(?P<is>['\"]?\s{0,3}[=:]\s{0,3})(?:(?:bearer|basic)\s+)?(?:'[^']*'|\"[^\"]*\"|[^\s,;&]+)",
    re.IGNORECASE,
)
_URL: Final = re.compile(r"\b(?P<scheme>[a-zA-Z][a-zA-Z0-9+.-]{1,20})://(?P<rest>[^\s'\"<>]*)")


def redact_url(url: str) -> str:
    """Replace the password and the query of a URL by ``***``; any text is accepted.

    Text that is not a URL but may hold credentials becomes ``***`` as a whole.
    """
    match = _URL.fullmatch(url.strip())
    if match is None:
        return "***" if "@" in url or ":" in url else url
    return _redacted(match)


def redact_urls(text: str) -> str:
    """Redact every URL in the text."""
    return _URL.sub(_redacted, text)


def redact_secrets(text: str) -> str:
    """Redact every URL in the text, and the values of names like ``password`` or ``token``."""
    return _PAIR.sub(r"\g<name>\g<is>***", redact_urls(text))


def _redacted(match: re.Match[str]) -> str:
    rest, question, query = match["rest"].partition("?")
    # A password may hold a slash that nobody escaped: everything up to the last @ is credentials.
    credentials, at, address = rest.rpartition("@")
    if not at and "@" in query:  # or a question mark
        credentials, address = rest, ""
    user, colon, _ = credentials.partition(":")
    hidden = ":***" if colon else ""
    return f"{match['scheme']}://{user}{hidden}{at}{address}{question and '?***'}"
