"""Builds what only looks, so that the metrics show it: sizes, counts, queues, certificates."""

from faultwire_consumer.config import WorkerConfig
from faultwire_consumer.ingest.receive.dead_queue import DEAD_LANE
from faultwire_consumer.ingest.receive.queue_depth import QueueDepthWatch
from faultwire_consumer.maintenance.certificates import CertificateWatch
from faultwire_consumer.maintenance.standing import StandingWatch
from faultwire_consumer.maintenance.store_size import StoreSizeWatch
from faultwire_consumer.metrics import Metrics
from faultwire_consumer.serving.certificate import ServedCertificate
from faultwire_consumer.store.contract.url import parse_database_url, sqlite_path
from faultwire_consumer.store.measured import MeasuredStore
from faultwire_consumer.worker.parts import Part
from faultwire_shared.clock import Clock
from faultwire_shared.event import Lane
from faultwire_shared.topology import DEAD, queue_of


def watches_of(
    config: WorkerConfig,
    store: MeasuredStore,
    certificate: ServedCertificate | None,
    *,
    metrics: Metrics,
    clock: Clock,
) -> dict[str, Part]:
    """Build them, by the names that logs show."""
    url = parse_database_url(config.database_url)
    path = sqlite_path(url) if url.drivername == "sqlite" else None
    watches: dict[str, Part] = {
        "store size": StoreSizeWatch(store, metrics=metrics, path=path, clock=clock),
        "standing": StandingWatch(store, metrics=metrics, clock=clock),
        "certificates": CertificateWatch(
            metrics,
            config.broker_url,
            database=lambda: store.certificate_ends_at,
            served=lambda: None if certificate is None else certificate.newest.ends_at,
        ),
    }
    if config.broker_url is not None:
        queues = {lane.value: queue_of(lane) for lane in Lane} | {DEAD_LANE: DEAD}
        watches["queue depths"] = QueueDepthWatch(config.broker_url, queues, metrics=metrics)
    return watches
