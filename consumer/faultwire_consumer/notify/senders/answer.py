"""Judges a receiver's answer by its status, and by the wait that it asks for."""

import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Final
from urllib.parse import urlsplit

from faultwire_consumer.domain.sending import ASKED_SECONDS_MAX
from faultwire_consumer.notify.plain_text import one_line
from faultwire_consumer.notify.sender import Outcome, Permanent, SendReason, Sent, Transient

_ORIGIN_CHARACTERS: Final = 100
# Whole by the standard; Discord writes fractions.
_SECONDS: Final = re.compile(r"[0-9]+(\.[0-9]+)?")


def judge(status: int, *, retry_after: str | None, location: str | None, now: datetime) -> Outcome:
    """Return the outcome of an attempt that was answered.

    Args:
        status: of the answer.
        retry_after: the header of that name: seconds or a date (RFC 9110, section 10.2.3).
        location: the header of that name; only its host is shown.
        now: to turn a date into a wait.
    """
    summary = f"the receiver answered {status}{_phrase(status)}"
    if 200 <= status < 300:
        return Sent()
    if status in (HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE):
        return Transient(SendReason.BUSY, summary, _seconds(retry_after, now))
    if status >= 500:
        return Transient(SendReason.RECEIVER_FAILED, summary, _seconds(retry_after, now))
    if 300 <= status < 400:
        target = f", to {origin_of(location)}" if location else ""
        return Permanent(SendReason.REDIRECTED, f"{summary}{target}; redirects are not followed")
    return Permanent(SendReason.GONE if status == HTTPStatus.GONE else SendReason.REFUSED, summary)


def origin_of(url: str) -> str:
    """Return scheme, host and port: a path, a query or a user's part may be the receiver's secret."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return "no address"
    host = parts.netloc.rpartition("@")[2]
    return one_line(f"{parts.scheme}://{host}", _ORIGIN_CHARACTERS) if host else "a relative address"


def _phrase(status: int) -> str:
    try:
        return f" {HTTPStatus(status).phrase}"
    except ValueError:
        return ""


def _seconds(retry_after: str | None, now: datetime) -> float | None:
    if retry_after is None:
        return None
    text = retry_after.strip()
    if _SECONDS.fullmatch(text):
        return min(float(text[:12]), ASKED_SECONDS_MAX)
    try:
        at = parsedate_to_datetime(text)
    except (ValueError, TypeError, OverflowError):
        return None
    # "-0000" says that the zone is not known; RFC 9110 writes every date in GMT.
    wait = (at if at.tzinfo else at.replace(tzinfo=UTC)) - now
    return min(max(wait.total_seconds(), 0.0), ASKED_SECONDS_MAX)
