"""Puts together what tells how a worker does: its checks, its clients' traffic, and its heartbeat."""

from collections.abc import Callable, Sequence
from functools import partial

from msgspec import Struct

from faultwire_consumer.config import WorkerConfig
from faultwire_consumer.domain.policy.status import PolicyStatus
from faultwire_consumer.ingest.receive.broker_ping import BrokerPing
from faultwire_consumer.ingest.receive.lane import LaneLoop
from faultwire_consumer.maintenance.heartbeat import Heartbeat, why_not_moving
from faultwire_consumer.maintenance.loop_lag import LoopLag
from faultwire_consumer.maintenance.replica_watch import ReplicaWatch
from faultwire_consumer.metrics import Metrics
from faultwire_consumer.notify.outbox_watch import OutboxWatch
from faultwire_consumer.serving.traffic import Traffic, connections_within
from faultwire_consumer.store.contract.store import Store
from faultwire_consumer.store.contract.url import parse_database_url, sqlite_path
from faultwire_consumer.store.postgresql.rights import check_rights
from faultwire_consumer.web.health.check import check_loop_lag, check_outbox, check_rules, worker_health
from faultwire_consumer.web.state import Health
from faultwire_consumer.worker.exposition.first_series import show_first_series
from faultwire_consumer.worker.exposition.scrape import lanes_look, ready_look
from faultwire_consumer.worker.supervision.ending import Ending
from faultwire_consumer.worker.supervision.service_manager import ServiceManager, Telling
from faultwire_consumer.worker.supervision.worker_status import WorkerStatus
from faultwire_shared.clock import Clock
from faultwire_shared.health import Check


class Watched(Struct, frozen=True, kw_only=True):
    """Parts that the probes ask."""

    lanes: Sequence[LaneLoop]
    lag: LoopLag
    upkeep: OutboxWatch
    ping: BrokerPing | None
    replica: ReplicaWatch | None
    rules: Callable[[], PolicyStatus]
    """The state of the rules' file."""


class Vitals(Struct, frozen=True, kw_only=True):
    """Health of a worker, and the traffic of its clients."""

    health: Health
    traffic: Traffic


def vitals_of(
    config: WorkerConfig, store: Store, watched: Watched, ending: Ending, *, metrics: Metrics
) -> Vitals:
    """Build the checks, and the bound of the clients that they ask too."""
    traffic = Traffic(metrics, connections_most=connections_within(config.http_connections))
    health = _health(config, store, watched, traffic)
    health.ready.add_check("ending", ending.check)
    show_first_series(metrics, [lane.lane for lane in watched.lanes])
    metrics.looks += [lanes_look(metrics, watched.lanes), ready_look(metrics, health.ready)]
    return Vitals(health=health, traffic=traffic)


def telling_of(
    manager: ServiceManager, health: Health, watched: Watched, *, metrics: Metrics
) -> Telling | None:
    """Build what tells the service manager how the worker does, where there is one."""
    if not manager.is_listening:
        return None
    return Telling(manager, health.startup, WorkerStatus(watched.lanes, metrics.events_stored).say)


def heartbeat_of(
    config: WorkerConfig, store: Store, health: Health, holder: str, *, metrics: Metrics, clock: Clock
) -> Heartbeat | None:
    """Build the heartbeat where somebody listens for one, and the check that says if it is heard."""
    if config.heartbeat_url is None:
        return None
    heartbeat = Heartbeat(
        config.heartbeat_url,
        every_seconds=config.heartbeat_seconds,
        why_stuck=partial(why_not_moving, health.ready, store, holder, clock=clock),
        metrics=metrics,
    )
    health.ready.add_check("heartbeat", heartbeat.check, required=False)
    return heartbeat


def _health(config: WorkerConfig, store: Store, watched: Watched, traffic: Traffic) -> Health:
    more: dict[str, Check] = {
        "connections": traffic.check,
        "loop": partial(check_loop_lag, watched.lag),
        "outbox": partial(check_outbox, watched.upkeep),
    }
    if watched.ping is not None:
        more["broker"] = watched.ping.ask
    url = parse_database_url(config.database_url)
    if url.drivername != "sqlite":
        more["rights"] = partial(check_rights, store)
    hints: dict[str, Check] = {"rules": lambda: check_rules(watched.rules())}
    if watched.replica is not None:
        hints["read replica"] = watched.replica.check
    return worker_health(
        store=store.ping,
        lanes=watched.lanes,
        more=more,
        directory=sqlite_path(url).parent if url.drivername == "sqlite" else None,
        hints=hints,
    )
