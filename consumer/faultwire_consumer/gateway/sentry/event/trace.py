"""The trace and the span during which an error happened."""

import re
from collections.abc import Mapping
from typing import Any, Final

from msgspec import Struct

from faultwire_consumer.gateway.sentry.event.shape import mapping_of

_TRACE: Final = re.compile(r"(?!0{32})[0-9a-f]{32}")
_SPAN: Final = re.compile(r"(?!0{16})[0-9a-f]{16}")
_CHARACTERS: Final = 64


class SentryTrace(Struct, frozen=True):
    """Ids as OpenTelemetry has them; None for what is none."""

    trace_id: str | None
    span_id: str | None


def read_trace(given: dict[str, Any], of_envelope: Mapping[str, Any]) -> SentryTrace:
    """Read the event's trace, or else that of the envelope, whose span is another one."""
    own = mapping_of(mapping_of(given.get("contexts")).get("trace"))
    trace_id = _id(own.get("trace_id"), _TRACE)
    if trace_id is None:
        return SentryTrace(_id(of_envelope.get("trace_id"), _TRACE), None)
    return SentryTrace(trace_id, _id(own.get("span_id"), _SPAN))


def _id(given: Any, form: re.Pattern[str]) -> str | None:
    if not isinstance(given, str) or len(given) > _CHARACTERS:
        return None
    text = given.strip().replace("-", "").lower()
    return text if form.fullmatch(text) else None
