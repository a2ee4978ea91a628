"""Series that are there from the start: a counter that appears with its first event has no increase."""

from collections.abc import Iterable
from itertools import product
from typing import Final

from prometheus_client import Counter, Gauge, Histogram

from faultwire.audit.loss import LossReason
from faultwire_consumer.domain.body_budget import BodyReason
from faultwire_consumer.domain.dead_letter import DeadLetterStatus
from faultwire_consumer.domain.incident import Status
from faultwire_consumer.domain.outcome import AccessReason, BrokerReason, StoreReason, WorkerReason
from faultwire_consumer.domain.policy.policy import Policy
from faultwire_consumer.domain.retention import PruneReason
from faultwire_consumer.domain.sending import StageReason
from faultwire_consumer.gateway.reports.metrics import GatewayMetrics
from faultwire_consumer.gateway.reports.observer import GatewayProtocol
from faultwire_consumer.gateway.reports.vocabulary import KINDS, OTHER, REFUSALS
from faultwire_consumer.metrics import Metrics
from faultwire_consumer.serving.traffic import EndReason
from faultwire_consumer.store.audit.producers import AuditIgnored
from faultwire_consumer.store.upkeep.delete_finished import finished_tables
from faultwire_shared.codec import UndecodableReason
from faultwire_shared.event import ErrorSeverity

ATTEMPT_OUTCOMES: Final = ("sent", "transient", "permanent")
HEARTBEAT_OUTCOMES: Final = ("sent", "failed", "withheld")
KEPT_WHERE: Final = ("passed_on", "spooled", "full")
GIVES_UP: Final = (
    *(StageReason.RECEIVER_UNKNOWN, StageReason.REFUSED, StageReason.EXPIRED, StageReason.UNREADABLE),
)
STOPS: Final = (
    *(StageReason.RESOLVED, StageReason.ACKNOWLEDGED, StageReason.MUTED, StageReason.SILENCED),
    *(StageReason.INHIBITED, StageReason.REOPENED, StageReason.UNTOLD, StageReason.MERGED),
    StageReason.OVERTAKEN,
)
_DEAD: Final = (*UndecodableReason, *StoreReason, *WorkerReason, *AccessReason, *BrokerReason)

Labelled = Counter | Gauge | Histogram


def show_first_series(metrics: Metrics, lanes: Iterable[str]) -> None:
    """Give every series whose labels are known before its zero.

    Args:
        metrics: those of a worker.
        lanes: its lanes, ``dead`` among them where there is a broker.
    """
    for metric, *values in _known(metrics, tuple(lanes)):
        for labels in product(*values):
            metric.labels(*labels)
    metrics.standing.know_reasons(LossReason)


def show_receivers(metrics: Metrics, policy: Policy) -> None:
    """Give the series of the policy's receivers their zeros."""
    for receiver in policy.receivers:
        metrics.templates_failed.labels(receiver.name)
        for outcome in ATTEMPT_OUTCOMES:
            metrics.notification_attempts.labels(receiver.name, outcome)


def show_gateway_series(counters: GatewayMetrics) -> None:
    """Give the gateway's series whose labels are known before their zeros."""
    for metric, words in (
        (counters.events, GatewayProtocol),
        (counters.items_dropped, (*KINDS, OTHER)),
        (counters.refused, (*REFUSALS, OTHER)),
    ):
        for word in sorted(words):
            metric.labels(word)


def _known(metrics: Metrics, lanes: tuple[str, ...]) -> list[tuple[Labelled, *tuple[Iterable[str], ...]]]:
    shown = metrics.standing
    return [
        (metrics.lanes.receiving, lanes),
        (metrics.lanes.waiting_seconds, lanes),
        (metrics.lanes.unacknowledged_messages, lanes),
        (metrics.lanes.ready_messages, lanes),
        (metrics.lanes.oldest_seconds, lanes),
        (metrics.events_received, lanes),
        (metrics.broker_losses, lanes),
        (metrics.odd_properties, lanes),
        (metrics.events_dead_lettered, _DEAD),
        (metrics.bodies, BodyReason),
        (metrics.audit_ignored, AuditIgnored),
        (metrics.alert_latency_seconds, ErrorSeverity),
        (metrics.notifications_stopped, STOPS),
        (metrics.notifications_given_up, GIVES_UP),
        (metrics.heartbeats, HEARTBEAT_OUTCOMES),
        (metrics.events_pruned, ErrorSeverity, PruneReason),
        (metrics.rows_pruned, finished_tables()),
        (metrics.http_connections_ended, EndReason),
        (metrics.gateway_events, KEPT_WHERE),
        (shown.dead_letters, DeadLetterStatus),
        (shown.incidents, Status, ErrorSeverity),
        (shown.incidents_opened, ErrorSeverity),
        (shown.incidents_regressed, ErrorSeverity),
    ]
