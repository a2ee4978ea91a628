"""Reads the first line of an envelope: what fits of it, and nothing that is of another kind."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from faultwire_consumer.gateway.lenient import UnreadableError, read_json
from faultwire_consumer.gateway.sentry.auth import DSN_CHARACTERS
from faultwire_consumer.gateway.sentry.envelope_header import EnvelopeHeader
from faultwire_shared.event import CONTEXT_KEYS, NAME_CHARACTERS, Sdk

_ID: Final = re.compile("[0-9a-f]{32}")
_ID_CHARACTERS: Final = 64
_TIME_CHARACTERS: Final = 64


class UnreadableEnvelopeError(Exception):
    """A body does not begin like an envelope, so nothing in it can be found."""


def read_header(line: bytes) -> EnvelopeHeader:
    """Read an envelope's header; what is absent, unknown or of a wrong type is left out.

    Raises:
        UnreadableEnvelopeError: it is no JSON object.
    """
    try:
        told = read_json(line)
    except UnreadableError as error:
        raise UnreadableEnvelopeError(f"the envelope's header is unreadable: {error}") from None
    if not isinstance(told, dict):
        raise UnreadableEnvelopeError("the envelope's header is no object")
    return EnvelopeHeader(
        event_id=normal_id(told.get("event_id")),
        sent_at=_moment(told.get("sent_at")),
        dsn=_text(told.get("dsn"), DSN_CHARACTERS),
        sdk=_sdk(told.get("sdk")),
        trace=_trace(told.get("trace")),
    )


def normal_id(value: Any) -> str | None:
    """Return an event's id as 32 small hex digits; None for anything else."""
    if not isinstance(value, str) or len(value) > _ID_CHARACTERS:
        return None
    digits = value.strip().lower().replace("-", "")
    return digits if _ID.fullmatch(digits) else None


def _moment(value: Any) -> datetime | None:
    text = _text(value, _TIME_CHARACTERS)
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _sdk(value: Any) -> Sdk | None:
    if not isinstance(value, Mapping):
        return None
    name = _text(value.get("name"), NAME_CHARACTERS)
    return Sdk(name=name, version=_text(value.get("version"), NAME_CHARACTERS) or "") if name else None


def _trace(value: Any) -> dict[str, str]:
    if not isinstance(value, Mapping):
        return {}
    texts = [(key, text) for key, held in value.items() if (text := _text(held, NAME_CHARACTERS)) is not None]
    return {key[:NAME_CHARACTERS]: text for key, text in texts[:CONTEXT_KEYS]}


def _text(value: Any, most: int) -> str | None:
    """Return a text of so many characters at most; None for a longer one, half of which says nothing."""
    return value if isinstance(value, str) and 0 < len(value) <= most else None
