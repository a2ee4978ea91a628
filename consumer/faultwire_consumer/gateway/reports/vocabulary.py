"""Words of strangers as names of counters: those that are known, a few more, and one for all others. Pure."""

import re
from typing import Final

OTHER: Final = "other"
WORDS_SPARE: Final = 20
"""Words beyond the known ones that are kept apart, whoever says them first."""
_WORD: Final = re.compile(r"[a-z][a-z0-9_.]{0,39}", re.ASCII)

KINDS: Final = frozenset(
    (
        *("transaction", "span", "session", "sessions", "attachment", "check_in", "log", "trace_metric"),
        *("metric_buckets", "statsd", "profile", "profile_chunk", "replay_event", "replay_recording"),
        *("replay_video", "feedback", "user_report", "raw_security", "security", "otlp_log", "otlp_span"),
        *("otlp_failed_span", "otlp_same_failure", "otlp_metric"),
    )
)
"""Kinds of items that are not stored: Sentry's, by its developer documentation, and OpenTelemetry's."""
REASONS: Final = frozenset(
    (
        *("queue_overflow", "cache_overflow", "buffer_overflow", "ratelimit_backoff", "network_error"),
        *("send_error", "before_send", "event_processor", "sample_rate", "backpressure"),
        *("internal_sdk_error", "insufficient_data", "ignored"),
    )
)
"""Why SDKs drop, as in Sentry's developer documentation ("Client Reports")."""
CATEGORIES: Final = frozenset(
    (
        *("error", "default", "unknown", "transaction", "span", "session", "attachment", "monitor"),
        *("log_item", "log_byte", "trace_metric", "metric_bucket", "profile", "profile_chunk", "replay"),
        *("feedback", "user_report_v2", "security", "internal"),
    )
)
"""Sentry's data categories, as in its developer documentation ("Rate Limiting")."""
REFUSALS: Final = frozenset(
    (
        *("missing", "unknown", "revoked", "expired", "other_project", "keys_unknown", "token", "scope"),
        *("origin", "unreadable", "too_large", "encoding", "content_type", "slow", "busy", "full"),
        *("over_quota", "method", "not_found"),
    )
)
"""Why the gateway takes nothing of a request."""


class Vocabulary:
    """Keeps the known words and the first few others apart, and calls everything else `OTHER`.

    Args:
        known: words that always stand for themselves.
        spare: how many others may.
    """

    def __init__(self, known: frozenset[str], *, spare: int = WORDS_SPARE) -> None:
        self._known = known
        self._spare = spare
        self._others: set[str] = set()

    def name(self, text: str) -> str:
        """Return the word that a text counts as."""
        if text in self._known or text in self._others:
            return text
        if text == OTHER or len(self._others) >= self._spare or _WORD.fullmatch(text) is None:
            return OTHER
        self._others.add(text)
        return text
