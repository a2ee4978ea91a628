"""Puts a worker together: configuration in, one value out that names every part. Nothing runs yet."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import partial

from msgspec import Struct

from faultwire_consumer.config import WorkerConfig
from faultwire_consumer.domain.outcome import must_return
from faultwire_consumer.ingest.pipeline import Pipeline
from faultwire_consumer.ingest.read.delivery import read_delivery
from faultwire_consumer.ingest.receive.amqp import AmqpReceiver
from faultwire_consumer.ingest.receive.broker_door import BrokerDoor
from faultwire_consumer.ingest.receive.broker_ping import BrokerPing
from faultwire_consumer.ingest.receive.dead_queue import DEAD_LANE, DeadQueue, DeadQueueReceiver
from faultwire_consumer.ingest.receive.http import Intake, IntakeReceiver, storing_intake
from faultwire_consumer.ingest.receive.http_to_broker import APP_ID, publishing_intake
from faultwire_consumer.ingest.receive.lane import LaneLoop
from faultwire_consumer.ingest.receive.priority import LanePriority
from faultwire_consumer.ingest.receive.receiver import LaneReceiver
from faultwire_consumer.maintenance import auto_resolve, partitions, retention, search_filling
from faultwire_consumer.maintenance.figures import FigureKeeper
from faultwire_consumer.maintenance.gaps import ORIGIN, GapWatch
from faultwire_consumer.maintenance.leased import LeasedChore
from faultwire_consumer.maintenance.loop_lag import LoopLag
from faultwire_consumer.maintenance.pruning import Pruner
from faultwire_consumer.maintenance.replica_watch import ReplicaWatch
from faultwire_consumer.maintenance.rules_report import RulesReport
from faultwire_consumer.maintenance.self_report import Ingest, SelfReport
from faultwire_consumer.maintenance.store_size import StoreSizeWatch
from faultwire_consumer.metrics import Metrics
from faultwire_consumer.notify.outbox_watch import OutboxWatch
from faultwire_consumer.notify.own_watch import Trouble
from faultwire_consumer.store.contract.store import Store
from faultwire_consumer.store.engine import open_store, with_replica
from faultwire_consumer.store.upkeep.leases import new_holder
from faultwire_consumer.worker.access import AccessWays, open_access
from faultwire_consumer.worker.application import create_app
from faultwire_consumer.worker.chores import absence_chore, drained_at
from faultwire_consumer.worker.file_watch import FileWatch
from faultwire_consumer.worker.in_use import PolicyInUse
from faultwire_consumer.worker.parts import Worker
from faultwire_consumer.worker.rehearsing import rehearser_of
from faultwire_consumer.worker.reload import Asking, Reload, read_rules
from faultwire_consumer.worker.server import HttpServer
from faultwire_consumer.worker.vitals import Vitals, Watched, heartbeat_of, vitals_of
from faultwire_shared.codec import EVENT_TYPE
from faultwire_shared.event import ErrorSeverity, Lane
from faultwire_shared.redact import redact_url


class _Supplies(Struct, frozen=True, kw_only=True):
    """Material of nearly every part."""

    config: WorkerConfig
    metrics: Metrics
    notices: PolicyInUse
    store: Store
    access: AccessWays


class _Inlet(Struct, frozen=True, kw_only=True):
    """The ways in: a receiver for each lane, the handler of the intake, and its way to the broker."""

    receivers: Sequence[LaneReceiver]
    intake: Intake
    door: BrokerDoor | None = None


async def assemble(config: WorkerConfig, asking: Asking | None = None) -> Worker:
    """Read the policy, open the database, and put every part together.

    Args:
        config: says of what.
        asking: says when the policy is to be read again; None for never.

    Raises:
        PolicyFileError: the policy or one of its secrets cannot be used.
        MigrationError: the database's schema is not this release's.
        StoreUnavailableError: the database does not answer.
        DatabaseUrlError: the read replica's address names no PostgreSQL.
        SecretFileError: a secret of access cannot be read.
    """
    metrics = Metrics()
    # In a thread: the policy, its zones, its secrets and its templates are files.
    watch = FileWatch()
    policy, senders = await asyncio.to_thread(read_rules, config, watch, clock=_now, metrics=metrics)
    store = await open_store(config.database_url)
    try:
        access = await open_access(config, store, clock=_now)
        notices = PolicyInUse(store, policy, senders, config, metrics, clock=_now)
        supplies = _Supplies(config=config, metrics=metrics, notices=notices, store=store, access=access)
        return _put_together(supplies, None if asking is None else (asking, watch))
    except BaseException:
        await store.close()  # without a worker nobody else can
        raise


def _put_together(supplies: _Supplies, reloading: tuple[Asking, FileWatch] | None) -> Worker:
    config, store, metrics, notices = supplies.config, supplies.store, supplies.metrics, supplies.notices
    holder = new_holder()
    figures = FigureKeeper(store, holder, metrics=metrics, clock=_now)
    pipeline = _pipeline(supplies, figures)
    report = SelfReport(_ingesting(pipeline))
    notices.watch.tell = partial(tell_trouble, report)
    inlet = _inlet(config, metrics)
    watched = Watched(
        lanes=_lanes(inlet.receivers, pipeline, supplies),
        lag=LoopLag(metrics=metrics),
        upkeep=OutboxWatch(store, notices.dispatching, metrics=metrics, clock=_now, watch=notices.watch),
        ping=BrokerPing(config.broker_url) if config.broker_url is not None else None,
        replica=_replica_watch(supplies),
        rules=lambda: notices.status,
    )
    vitals = vitals_of(config, store, watched, metrics=metrics)
    return Worker(
        receivers=inlet.receivers,
        lanes=watched.lanes,
        dispatcher=notices.dispatching,
        server=_server(supplies, watched, vitals, inlet.intake, report=report, pipeline=pipeline),
        report=report,
        digest_maker=notices.digest_maker,
        figures=figures,
        gap_watch=_gap_watch(supplies, pipeline, watched.lanes),
        loop_lag=watched.lag,
        partitions=_partitions(store, holder),
        absence=absence_chore(
            store, _ingesting(pipeline), lambda: notices.policy, watched.lanes, holder=holder, clock=_now
        ),
        auto_resolve=_auto_resolve(supplies, holder),
        retention=_retention(supplies, holder, report),
        search_filler=_search_filler(store, holder),
        store_size=StoreSizeWatch(store, metrics=metrics),
        upkeep=watched.upkeep,
        replica_watch=watched.replica,
        heartbeat=heartbeat_of(config, store, vitals.health, holder, metrics=metrics, clock=_now),
        reload=_reload(supplies, pipeline, *reloading) if reloading is not None else None,
        store=store,
        replica=watched.replica.store if watched.replica is not None else None,
        senders=[notices.dispatching],
        broker_ping=watched.ping,
        broker_door=inlet.door,
        database=redact_url(config.database_url),
    )


def tell_trouble(report: SelfReport, trouble: Trouble) -> None:
    """Report trouble with notifications: one incident for each kind and receiver, whatever the text says."""
    report.report(
        trouble.error,
        part=f"notifications {trouble.receiver}".rstrip(),
        severity=ErrorSeverity.HIGH,
        fingerprint=(trouble.kind.value, trouble.receiver),
    )


def _reload(supplies: _Supplies, pipeline: Pipeline, asking: Asking, watch: FileWatch) -> Reload:
    report = RulesReport(supplies.store, _ingesting(pipeline), metrics=supplies.metrics, clock=_now)
    return Reload(
        supplies.config,
        asking,
        supplies.notices,
        watch,
        metrics=supplies.metrics,
        clock=_now,
        tell=report.tell,
    )


def _pipeline(supplies: _Supplies, figures: FigureKeeper) -> Pipeline:
    return Pipeline(
        supplies.store,
        metrics=supplies.metrics,
        evaluator=supplies.notices.evaluator,
        bodies_per_incident=supplies.config.bodies_per_incident,
        new_incidents_per_minute=supplies.config.new_incidents_per_minute,
        stored=figures.wake,
    )


def _ingesting(pipeline: Pipeline) -> Ingest:
    """The worker's own events, on the path that all events take."""

    async def ingest(body: bytes, message_type: str = EVENT_TYPE) -> bool:
        delivery = read_delivery(body, message_type, origin=ORIGIN, handle=None)
        (outcomes,) = await pipeline.ingest([delivery])
        return not must_return(outcomes)

    return ingest


def _inlet(config: WorkerConfig, metrics: Metrics) -> _Inlet:
    """Without a broker the intake is the receivers' door; with one it publishes like any client."""
    broker_url, checks_key = config.broker_url, config.amqp_service_check == "routing_key"
    if broker_url is None:
        doors = [IntakeReceiver(lane, metrics=metrics) for lane in Lane]
        return _Inlet(receivers=doors, intake=storing_intake(doors))
    door = BrokerDoor(broker_url, app_id=APP_ID)
    lanes = [AmqpReceiver(lane, broker_url, metrics=metrics, checks_key=checks_key) for lane in Lane]
    return _Inlet(
        receivers=[*lanes, DeadQueueReceiver(broker_url, metrics=metrics)],
        intake=publishing_intake(door),
        door=door,
    )


def _lanes(receivers: Sequence[LaneReceiver], pipeline: Pipeline, supplies: _Supplies) -> list[LaneLoop]:
    dead = DeadQueue(supplies.store, metrics=supplies.metrics, clock=_now)
    priority = LanePriority()
    return [
        LaneLoop(
            one,
            dead if one.lane == DEAD_LANE else pipeline,
            metrics=supplies.metrics,
            priority=priority,
        )
        for one in receivers
    ]


def _replica_watch(supplies: _Supplies) -> ReplicaWatch | None:
    """For what operators ask; what decides or follows an event asks the primary alone."""
    if supplies.config.database_read_url is None:
        return None
    replicated = with_replica(supplies.store, supplies.config.database_read_url)
    return ReplicaWatch(replicated, metrics=supplies.metrics)


def _server(
    supplies: _Supplies,
    watched: Watched,
    vitals: Vitals,
    intake: Intake,
    *,
    report: SelfReport,
    pipeline: Pipeline,
) -> HttpServer:
    config, replica = supplies.config, watched.replica
    app = create_app(
        store=replica.store if replica is not None else supplies.store,
        health=vitals.health,
        metrics=supplies.metrics,
        intake=intake,
        report=report,
        clock=_now,
        pipeline=pipeline,
        policy=lambda: supplies.notices.policy,
        policy_status=lambda: supplies.notices.status,
        senders=lambda: supplies.notices.dispatching.senders,
        loopback_only=config.loopback_only,
        public_url=config.public_url,
        allowed_hosts=config.allowed_hosts,
        traffic=vitals.traffic,
        has_replica=replica is not None,
        has_broker=config.broker_url is not None,
        recognisers=supplies.access.recognisers,
        sign_in_door=supplies.access.sign_in_door,
        provider_door=supplies.access.provider_door,
        trusted_networks=config.trusted_networks,
        sources=config.sources,
        tracker=config.tracker,
        rehearser=rehearser_of(config, replica, clock=_now),
    )
    return HttpServer(app, host=config.http_host, port=config.http_port)


def _gap_watch(supplies: _Supplies, pipeline: Pipeline, lanes: Sequence[LaneLoop]) -> GapWatch:
    return GapWatch(
        supplies.store,
        _ingesting(pipeline),
        metrics=supplies.metrics,
        clock=_now,
        drained_at=lambda: drained_at(lanes),
    )


def _partitions(store: Store, holder: str) -> LeasedChore:
    maker = partitions.PartitionMaker(store, clock=_now)
    return LeasedChore(store, partitions.LEASE, holder, maker.make, clock=_now)


def _auto_resolve(supplies: _Supplies, holder: str) -> LeasedChore:
    resolver = auto_resolve.AutoResolver(supplies.store, lambda: supplies.notices.policy, clock=_now)
    return LeasedChore(supplies.store, auto_resolve.LEASE, holder, resolver.resolve, clock=_now)


def _search_filler(store: Store, holder: str) -> LeasedChore:
    filler = search_filling.SearchFiller(store)
    every = search_filling.EVERY
    return LeasedChore(store, search_filling.LEASE, holder, filler.fill, clock=_now, every=every)


def _retention(supplies: _Supplies, holder: str, report: SelfReport) -> LeasedChore:
    store = supplies.store
    keeper = retention.RetentionKeeper(
        store,
        supplies.config.retention,
        Pruner(store, holder, clock=_now),
        metrics=supplies.metrics,
        clock=_now,
        sleep=asyncio.sleep,
        tell=partial(report.report, part="retention", severity=ErrorSeverity.HIGH),
    )
    return LeasedChore(store, retention.LEASE, holder, keeper.enforce, clock=_now)


def _now() -> datetime:
    return datetime.now(UTC)
