"""Metrics of the worker's own state: its checks, its chores, its settings, and its peers' certificates."""

import time
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from typing import Any, Final

from prometheus_client import CollectorRegistry, Counter, Gauge

CHORES: Final = (
    *("absence", "audit", "auto_resolve", "dictionary_trainer", "partitions", "retention", "search_filler"),
)
"""The regular chores whose success is shown."""
PEERS: Final = ("broker", "database", "http")
"""The last is this process itself, to those who visit it."""

Chore = Callable[[], Coroutine[Any, Any, None]]


class StateMetrics:
    """Gauges of how a process does."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.ready = Gauge(
            "faultwire_ready",
            "1 if a check of /readyz passes, 0 if it does not; all is every required one together.",
            ["check"],
            registry=registry,
        )
        self.draining = Gauge(
            "faultwire_draining", "1 while the worker ends and settles what it has.", registry=registry
        )
        self.config_last_reload_successful = Gauge(
            "faultwire_config_last_reload_successful",
            "1 if settings and rules could be used when they were last read, 0 if those of before stay.",
            registry=registry,
        )
        self.certificate_expiry = Gauge(
            "faultwire_certificate_expiry_timestamp_seconds",
            "When the certificate ends that a peer showed at the last connection, or, as http, that this "
            "worker shows itself; NaN without TLS, or where it is not verified.",
            ["peer"],
            registry=registry,
        )
        self.chore_last_success = Gauge(
            "faultwire_chore_last_success_timestamp_seconds",
            "When this worker last did a chore; 0 if it never did. One does it for all: take the maximum.",
            ["chore"],
            registry=registry,
        )
        self.chore_failures = Counter(
            "faultwire_chore_failures_total", "Times that a chore failed.", ["chore"], registry=registry
        )
        self.config_last_reload_successful.set(1)
        for peer in PEERS:
            self.certificate_expiry.labels(peer).set(float("nan"))
        for chore in CHORES:
            self.chore_last_success.labels(chore)
            self.chore_failures.labels(chore)

    def show_checks(self, checks: Iterable[tuple[str, bool]], *, is_ready: bool) -> None:
        """Show what the checks of readiness said."""
        self.ready.labels("all").set(is_ready)
        for name, passes in checks:
            self.ready.labels(_label(name)).set(passes)

    def measured(self, name: str, chore: Chore) -> Chore:
        """Return a chore whose successes and failures are shown."""

        async def do() -> None:
            try:
                await chore()
            except Exception:
                self.note_failed(name)
                raise
            self.note_done(name)

        return do

    def note_failed(self, name: str) -> None:
        """Count a failure of any chore, by its name in the log."""
        self.chore_failures.labels(_label(name)).inc()

    def note_draining(self) -> None:
        """Show that the worker ends."""
        self.draining.set(1)

    def note_done(self, name: str) -> None:
        """Show that a chore was just done."""
        self.chore_last_success.labels(_label(name)).set(time.time())


def _label(name: str) -> str:
    """Return a name of the log's as the value of a label: one word."""
    return name.replace(" ", "_")


Look = Callable[[], Awaitable[None]]
"""Brings gauges up to date when somebody asks for them."""
