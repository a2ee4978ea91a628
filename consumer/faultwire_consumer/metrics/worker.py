"""The worker's metrics, all of them on one registry."""

import platform
from collections.abc import Mapping
from typing import Any, Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Info, disable_created_metrics
from prometheus_client.gc_collector import GCCollector
from prometheus_client.process_collector import ProcessCollector

from faultwire_consumer.metrics.histogram import BatchHistogram
from faultwire_consumer.metrics.lane import LaneMetrics
from faultwire_consumer.metrics.loudness import ServiceMetrics
from faultwire_consumer.metrics.standing import StandingMetrics
from faultwire_consumer.metrics.state import Look, StateMetrics
from faultwire_consumer.metrics.store import StoreMetrics
from faultwire_shared import __version__

_BATCH_SECONDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)
_BATCH_EVENTS: Final = (1, 2, 5, 10, 25, 50, 100, 250, 500, 1000, 2500)
_AGE_SECONDS: Final = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 15.0, 60.0, 300.0, 3600.0, 86400.0)
_LATENCY_SECONDS: Final = (
    0.05,
    0.1,
    0.25,
    0.5,
    1.0,
    2.5,
    10.0,
    60.0,
    240.0,
    300.0,
    3600.0,
    86400.0,
    604800.0,
)
_REQUEST_SECONDS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)


class Metrics:
    """The worker's counters, on a registry of their own, so that several workers fit in one process."""

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        # A sample more of each counter and histogram, for a format that few read: it doubles their number.
        disable_created_metrics()  # type: ignore[no-untyped-call]  # it takes and returns nothing
        self.registry = registry or CollectorRegistry()
        self.looks: list[Look] = []
        """What is looked up when somebody asks for the metrics."""
        self.lanes = LaneMetrics(self.registry)
        self.store = StoreMetrics(self.registry)
        self.services = ServiceMetrics(self.registry)
        self.standing = StandingMetrics(self.registry)
        self.state = StateMetrics(self.registry)
        self._declare_broker(self.registry)
        self._declare_replica(self.registry)
        self._declare_ingest(self.registry)
        self._declare_storms(self.registry)
        self._declare_audit(self.registry)
        self._declare_notifications(self.registry)
        self._declare_policy(self.registry)
        self._declare_growth(self.registry)
        self._declare_http(self.registry)
        self._declare_gateway(self.registry)
        self._declare_process(self.registry)

    def _declare_broker(self, registry: CollectorRegistry) -> None:
        self.deliveries_returned = Counter(
            "faultwire_deliveries_returned_total",
            "Deliveries given back to the broker to be delivered again.",
            registry=registry,
        )
        self.broker_losses = Counter(
            "faultwire_broker_losses_total",
            "Times that a lane's connection, channel or consumer was lost, by lane.",
            ["lane"],
            registry=registry,
        )

        self.odd_properties = Counter(
            "faultwire_odd_properties_total",
            "Messages whose AMQP properties could not be decoded in full, by lane; they were read without.",
            ["lane"],
            registry=registry,
        )

    def _declare_replica(self, registry: CollectorRegistry) -> None:
        self.replica_behind = Gauge(
            "faultwire_replica_behind_seconds",
            "How far the read replica is behind the primary, at the last check; NaN while there is none.",
            registry=registry,
        )
        self.replica_behind.set(float("nan"))

    def _declare_ingest(self, registry: CollectorRegistry) -> None:
        self.events_received = Counter(
            "faultwire_events_received_total",
            "Events taken from a lane or the HTTP intake, redeliveries included.",
            ["lane"],
            registry=registry,
        )
        self.events_stored = Counter(
            "faultwire_events_stored_total",
            "Events stored for the first time; each row once, whatever its count.",
            registry=registry,
        )
        self.events_duplicate = Counter(
            "faultwire_events_duplicate_total",
            "Events that were already stored and were acked without being counted again.",
            registry=registry,
        )
        self.events_dead_lettered = Counter(
            "faultwire_events_dead_lettered_total",
            "Events that cannot be stored and were kept as dead letters, by reason.",
            ["reason"],
            registry=registry,
        )
        self.batch_seconds = Histogram(
            "faultwire_batch_seconds",
            "Seconds from taking a batch to its commit.",
            buckets=_BATCH_SECONDS,
            registry=registry,
        )
        self.batch_events = Histogram(
            "faultwire_batch_events",
            "Events in a batch.",
            buckets=_BATCH_EVENTS,
            registry=registry,
        )
        self.event_age_seconds = BatchHistogram(
            "faultwire_event_age_seconds",
            "Seconds from an event's occurrence to its commit.",
            buckets=_AGE_SECONDS,
            registry=registry,
        )

    def _declare_storms(self, registry: CollectorRegistry) -> None:
        self.events_overflowed = Counter(
            "faultwire_events_overflowed_total",
            "Stored events that went to an overflow incident, because too many new incidents opened at once.",
            registry=registry,
        )
        self.figures_added = Counter(
            "faultwire_figures_added_total",
            "Batches whose events this worker added to the figures: users, releases, values of tags.",
            registry=registry,
        )
        self.bodies = Counter(
            "faultwire_event_bodies_total",
            "Stored events by the reason why their body is or is not kept with them (too_soon and spent).",
            ["reason"],
            registry=registry,
        )

    def _declare_audit(self, registry: CollectorRegistry) -> None:
        self.producer_reports = Counter(
            "faultwire_producer_reports_total",
            "Reports of producers about themselves, added to the loss audit.",
            registry=registry,
        )
        self.audit_ignored = Counter(
            "faultwire_audit_ignored_total",
            "Numbers and reports that are no part of the loss audit.",
            ["reason"],
            registry=registry,
        )
        self.sequence_gap_events = Gauge(
            "faultwire_sequence_gap_events",
            "Numbered events missing for longer than the bound that no producer explains.",
            registry=registry,
        )

    def count_ignored(self, ignored: Mapping[Any, int]) -> None:
        """Count what is no part of the loss audit, by reason."""
        for reason, number in ignored.items():
            self.audit_ignored.labels(reason=reason).inc(number)

    def _declare_notifications(self, registry: CollectorRegistry) -> None:
        self.alert_latency_seconds = Histogram(
            "faultwire_alert_latency_seconds",
            "Seconds from the commit of a notified event to the sender's first attempt, by severity.",
            ["severity"],
            buckets=_LATENCY_SECONDS,
            registry=registry,
        )
        self.notification_attempts = Counter(
            "faultwire_notification_attempts_total",
            "Attempts to send a notification, by receiver and outcome.",
            ["receiver", "outcome"],
            registry=registry,
        )
        self.notifications_stopped = Counter(
            "faultwire_notifications_stopped_total",
            "Notifications that a stage stopped, by reason.",
            ["reason"],
            registry=registry,
        )
        self.notifications_given_up = Counter(
            "faultwire_notifications_given_up_total",
            "Notifications that were given up without being sent, by reason.",
            ["reason"],
            registry=registry,
        )
        self.outbox_waiting = Gauge(
            "faultwire_outbox_notifications",
            "Notifications in the outbox that are neither sent nor ended.",
            registry=registry,
        )
        self.outbox_overdue_seconds = Gauge(
            "faultwire_outbox_overdue_seconds",
            "How long the oldest notification that is due has been waiting.",
            registry=registry,
        )
        self.heartbeats = Counter(
            "faultwire_heartbeats_total",
            "Heartbeats by outcome: sent, failed, or withheld because something is stuck.",
            ["outcome"],
            registry=registry,
        )

    def _declare_policy(self, registry: CollectorRegistry) -> None:
        self.templates_failed = Counter(
            "faultwire_templates_failed_total",
            "Templates of a receiver that were found broken, or failed on a notification, by receiver.",
            ["receiver"],
            registry=registry,
        )
        self.rules_broken = Gauge(
            "faultwire_rules_broken",
            "1 while the rules' file cannot be used as it is, so that those of before stay in use.",
            registry=registry,
        )

    def _declare_growth(self, registry: CollectorRegistry) -> None:
        self.store_bytes = Gauge(
            "faultwire_store_bytes",
            "Disk space that the database takes; for PostgreSQL only faultwire's own schema.",
            registry=registry,
        )
        self.store_free_bytes = Gauge(
            "faultwire_store_free_bytes",
            "The part of it that is already free, in SQLite's file.",
            registry=registry,
        )
        self.store_partitions = Gauge(
            "faultwire_store_partitions",
            "Days for which the store has partitions or events.",
            registry=registry,
        )
        self.store_oldest_day = Gauge(
            "faultwire_store_oldest_day_timestamp_seconds",
            "Start of the oldest of those days.",
            registry=registry,
        )
        self.events_pruned = Counter(
            "faultwire_events_pruned_total",
            "Rows of events that retention deleted, by severity and reason: age or size.",
            ["severity", "reason"],
            registry=registry,
        )
        self.rows_pruned = Counter(
            "faultwire_rows_pruned_total",
            "Finished rows that retention deleted, by table.",
            ["table"],
            registry=registry,
        )

    def _declare_http(self, registry: CollectorRegistry) -> None:
        self.request_seconds = Histogram(
            "faultwire_http_request_seconds",
            "Seconds to answer an HTTP request, by route and status (499: the client hung up).",
            ["route", "status"],
            buckets=_REQUEST_SECONDS,
            registry=registry,
        )
        self.http_connections = Gauge(
            "faultwire_http_connections", "Connections of HTTP clients that are open.", registry=registry
        )
        self.http_connections_ended = Counter(
            "faultwire_http_connections_ended_total",
            "Connections that the worker ended or turned away, by reason: silent, slow, unread or crowded.",
            ["reason"],
            registry=registry,
        )

    def _declare_gateway(self, registry: CollectorRegistry) -> None:
        self.gateway_events = Counter(
            "faultwire_gateway_kept_total",
            "Events of foreign SDKs by where they were when they were answered: passed_on, spooled, or full: "
            "refused, for there was no room.",
            ["where"],
            registry=registry,
        )

    def _declare_process(self, registry: CollectorRegistry) -> None:
        self.loop_lag_seconds = Gauge(
            "faultwire_loop_lag_seconds",
            "Worst lag of the event loop in the last ten seconds.",
            registry=registry,
        )
        self.build = Info("faultwire_build", "The version of faultwire and of Python.", registry=registry)
        self.build.info({"version": __version__, "python": platform.python_version()})
        ProcessCollector(registry=registry)
        GCCollector(registry=registry)
