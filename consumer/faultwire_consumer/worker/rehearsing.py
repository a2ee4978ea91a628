"""The rehearser of a worker, over the database that it is configured with."""

from faultwire_consumer.config import WorkerConfig
from faultwire_consumer.maintenance.replica_watch import ReplicaWatch
from faultwire_consumer.rehearsal.rehearser import RehearsalSource, Rehearser
from faultwire_shared.clock import Clock


def rehearser_of(config: WorkerConfig, replica: ReplicaWatch | None, *, clock: Clock) -> Rehearser:
    """Return it; it asks the replica where there is a fresh one: a rehearsal reads a week of events."""
    return Rehearser(
        RehearsalSource(config.database_url, config.database_read_url),
        clock=clock,
        is_replica_used=lambda: replica is not None and not replica.store.why_unused,
    )
