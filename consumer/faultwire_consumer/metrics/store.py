"""Metrics of the store as its users meet it: statements, errors, connections, and room on its disk."""

from collections.abc import Callable
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

_STATEMENT_SECONDS: Final = (0.001, 0.005, 0.025, 0.1, 0.25, 1.0, 2.5, 10.0, 30.0)
STATEMENTS: Final = (
    *("begin", "commit", "record_events", "register", "prepare_days", "select", "insert", "update"),
    *("delete", "other", "together", "read", "maintenance", "ping"),
)
"""The names under which statements are timed."""
ERROR_CLASSES: Final = ("busy", "refused", "rejected", "slow", "unavailable")
CONNECTION_STATES: Final = ("idle", "in_use")


class StoreMetrics:
    """Counters of what is asked of the store, and gauges of what it takes."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.up = Gauge(
            "faultwire_store_up",
            "1 if the database answered when it was last asked for anything, 0 if it did not.",
            registry=registry,
        )
        self.errors = Counter(
            "faultwire_store_errors_total",
            "Statements and transactions that failed, by class: busy and slow may succeed soon, rejected is "
            "about the rows alone.",
            ["class"],
            registry=registry,
        )
        self._seconds = Histogram(
            "faultwire_store_statement_seconds",
            "Seconds that the store took, by statement; begin is the wait for a connection, read a query "
            "outside transactions.",
            ["statement"],
            buckets=_STATEMENT_SECONDS,
            registry=registry,
        )
        self.observers: dict[str, Callable[[float], None]] = {
            name: self._seconds.labels(statement=name).observe for name in STATEMENTS
        }
        self.connections = Gauge(
            "faultwire_store_connections",
            "Connections to the database, by state.",
            ["state"],
            registry=registry,
        )
        self.disk_free_bytes = Gauge(
            "faultwire_store_disk_free_bytes",
            "What is free on the disk of SQLite's file; NaN with PostgreSQL, whose disk is elsewhere.",
            registry=registry,
        )
        self.wal_bytes = Gauge(
            "faultwire_store_wal_bytes",
            "The size of SQLite's write-ahead log, a part of faultwire_store_bytes; 0 with PostgreSQL.",
            registry=registry,
        )
        self.partitions_ahead = Gauge(
            "faultwire_partitions_ahead",
            "Days after today that have a partition already, in PostgreSQL; NaN with SQLite, which has none.",
            registry=registry,
        )
        self.schema_version = Gauge(
            "faultwire_schema_version", "The version of the schema that this worker uses.", registry=registry
        )
        self._show_first()

    def _show_first(self) -> None:
        for error in ERROR_CLASSES:
            self.errors.labels(error)
        for state in CONNECTION_STATES:
            self.connections.labels(state)
        for unknown in (self.disk_free_bytes, self.partitions_ahead):
            unknown.set(float("nan"))
