"""Metrics of what stands in the store: losses, producers, dead letters, incidents."""

from collections.abc import Iterable, Mapping
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge

LOSS_REASONS: Final = 50
"""Reasons that are shown by name: what producers say is a stranger's text."""
OTHER: Final = "other"


class StandingMetrics:
    """Counts that operators would look up; each worker shows the same gauges: take the maximum."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.events_lost = Counter(
            "faultwire_events_lost_total",
            "Events that producers dropped before they arrived, by the reason in their reports.",
            ["reason"],
            registry=registry,
        )
        self.sequence_gaps = Gauge(
            "faultwire_sequence_gaps",
            "Gaps in the numbers of producers that are open, also such as are still within their time.",
            registry=registry,
        )
        self.producers = Gauge(
            "faultwire_producers", "Producers that were heard within five minutes.", registry=registry
        )
        self.spooled_events = Gauge(
            "faultwire_spooled_events",
            "Events on the disks of the producers that were heard within a day, by their last reports.",
            registry=registry,
        )
        self.dead_letters = Gauge(
            "faultwire_dead_letters", "Dead letters that are kept, by status.", ["status"], registry=registry
        )
        self.incidents = Gauge(
            "faultwire_incidents",
            "Incidents by status and severity.",
            ["status", "severity"],
            registry=registry,
        )
        self.incidents_opened = Counter(
            "faultwire_incidents_opened_total",
            "Incidents opened, by severity.",
            ["severity"],
            registry=registry,
        )
        self.incidents_regressed = Counter(
            "faultwire_incidents_regressed_total",
            "Resolved incidents that came back, by severity.",
            ["severity"],
            registry=registry,
        )
        self._reasons: set[str] = set()

    def count_lost(self, lost: Mapping[str, int]) -> None:
        """Count what producers lost, by reason."""
        for reason, events in lost.items():
            self.events_lost.labels(self._reason(reason)).inc(events)

    def count_transition(self, reason: str, severity: str) -> None:
        """Count an incident that was opened, or that came back."""
        if reason == "opened":
            self.incidents_opened.labels(severity).inc()
        elif reason == "regressed":
            self.incidents_regressed.labels(severity).inc()

    def know_reasons(self, reasons: Iterable[str]) -> None:
        """Show series of the reasons that our own client gives."""
        for reason in (*reasons, OTHER):
            self.events_lost.labels(self._reason(reason))

    def _reason(self, text: str) -> str:
        if text not in self._reasons and len(self._reasons) >= LOSS_REASONS:
            return OTHER
        self._reasons.add(text)
        return text
