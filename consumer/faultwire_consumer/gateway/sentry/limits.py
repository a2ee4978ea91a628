"""Tells SDKs by a header what they need not send: what is never stored, and all errors over a quota.

The grammar and the data categories are those of Sentry's developer documentation ("Rate Limiting"). An entry
without categories stops everything, so there is never one; nor is there one for errors but by a quota.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

RATE_LIMITS: Final = "X-Sentry-Rate-Limits"
"""The header; browsers read it only where ``Access-Control-Expose-Headers`` names it."""
RETRY_AFTER_MAX: Final = 86_400
"""Seconds that an SDK is told to wait, at most."""
OTHER: Final = "other"
"""The kind of all items of types that are not known."""
CATEGORIES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "event": "error",
        "transaction": "transaction",
        "span": "span",
        "session": "session",
        "sessions": "session",
        "client_report": "internal",
        "attachment": "attachment",
        "check_in": "monitor",
        "log": "log_item",
        "trace_metric": "trace_metric",
        "metric_buckets": "metric_bucket",
        "statsd": "metric_bucket",
        "profile": "profile",
        "profile_chunk": "profile_chunk",
        "replay_event": "replay",
        "replay_recording": "replay",
        "replay_video": "replay",
        "feedback": "feedback",
        "user_report": "user_report_v2",
    }
)
"""The data category of each known type of item."""
_UNSTORED: Final = (
    *("transaction", "span", "session", "profile", "profile_chunk", "replay", "attachment", "monitor"),
    *("log_item", "log_byte", "trace_metric", "feedback"),
)
UNSUPPORTED: Final = f"{RETRY_AFTER_MAX}:{';'.join(_UNSTORED)}:organization:unsupported"
"""The header's value on every answer: SDKs that obey it send half as many requests."""


def kind_of(type_name: str) -> str:
    """Return the kind that items of a type are counted under: itself if it is known."""
    return type_name if type_name in CATEGORIES else OTHER


def category_of(kind: str) -> str:
    """Return the data category of a kind of items; ``default`` for one that has none."""
    return CATEGORIES.get(kind, "default")


def over_quota(seconds: float) -> str:
    """Return the header's value where a key is over its quota, for so many seconds from now.

    What else the envelope holds is taken still, and what is never stored is said as ever.
    """
    whole = min(max(-int(-seconds // 1), 1), RETRY_AFTER_MAX)
    return f"{whole}:error;default:project:quota,{UNSUPPORTED}"
