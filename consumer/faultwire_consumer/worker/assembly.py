"""Puts a worker together: configuration in, one value out that names every part. Nothing runs yet."""

import asyncio
from collections.abc import Callable, Sequence
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
from faultwire_consumer.ingest.receive.own_way import OwnWay, way_into_lanes, way_to_broker
from faultwire_consumer.ingest.receive.priority import LanePriority
from faultwire_consumer.ingest.receive.receiver import Ingester, LaneReceiver
from faultwire_consumer.ingest.receive.traced import TracedIngester, TracedReceiver
from faultwire_consumer.maintenance.figures import FigureKeeper
from faultwire_consumer.maintenance.gaps import ORIGIN, GapWatch
from faultwire_consumer.maintenance.loop_lag import LoopLag
from faultwire_consumer.maintenance.replica_watch import ReplicaWatch
from faultwire_consumer.maintenance.rules_report import RulesReport
from faultwire_consumer.maintenance.self_report import Ingest, SelfReport
from faultwire_consumer.metrics import Metrics
from faultwire_consumer.notify.outbox_watch import OutboxWatch
from faultwire_consumer.notify.own_watch import Trouble
from faultwire_consumer.serving.certificate import ServedCertificate, certificate_of
from faultwire_consumer.store.contract.packing import Packing
from faultwire_consumer.store.engine import open_store, with_replica
from faultwire_consumer.store.measured import MeasuredStore
from faultwire_consumer.store.migrations import schema_version
from faultwire_consumer.store.upkeep.leases import new_holder
from faultwire_consumer.tracing import Spans, find_spans
from faultwire_consumer.worker import chores
from faultwire_consumer.worker.access import AccessWays, open_access
from faultwire_consumer.worker.application import create_app
from faultwire_consumer.worker.exposition.first_series import show_receivers
from faultwire_consumer.worker.exposition.watches import watches_of
from faultwire_consumer.worker.file_watch import FileWatch
from faultwire_consumer.worker.gateway import Gateway, assemble_gateway
from faultwire_consumer.worker.in_use import PolicyInUse
from faultwire_consumer.worker.parts import Worker
from faultwire_consumer.worker.rehearsing import rehearser_of
from faultwire_consumer.worker.reload import Asking, Reload, read_rules
from faultwire_consumer.worker.server import HttpServer
from faultwire_consumer.worker.supervision.ending import Ending
from faultwire_consumer.worker.supervision.service_manager import ServiceManager
from faultwire_consumer.worker.tls_reload import TlsReload
from faultwire_consumer.worker.vitals import Vitals, Watched, heartbeat_of, telling_of, vitals_of
from faultwire_shared.codec import EVENT_TYPE
from faultwire_shared.event import ErrorSeverity, Lane
from faultwire_shared.redact import redact_url


class _Supplies(Struct, frozen=True, kw_only=True):
    """Material of nearly every part."""

    config: WorkerConfig
    metrics: Metrics
    notices: PolicyInUse
    store: MeasuredStore
    packing: Packing
    access: AccessWays
    manager: ServiceManager
    certificate: ServedCertificate | None
    """None where the server speaks no TLS."""
    spans: Spans | None
    """None where nobody traces this worker."""


class _Inlet(Struct, frozen=True, kw_only=True):
    """The ways in: a receiver for each lane, the handler of the intake, and its way to the broker."""

    receivers: Sequence[LaneReceiver]
    intake: Intake
    own_way: OwnWay
    """Of what the gateway makes of foreign requests."""
    door: BrokerDoor | None = None


async def assemble(
    config: WorkerConfig, asking: Asking | None = None, manager: ServiceManager | None = None
) -> Worker:
    """Read the policy, open the database, and put every part together.

    Args:
        config: says of what.
        asking: says when the policy is to be read again; None for never.
        manager: is told how the worker does; None where nobody started it.

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
    certificate = await asyncio.to_thread(certificate_of, config.http_tls)
    packing = Packing()
    store = MeasuredStore(await open_store(config.database_url, packing=packing), metrics.store)
    metrics.store.schema_version.set(int(schema_version.head()))
    metrics.looks.append(store.show_connections)
    show_receivers(metrics, policy)
    try:
        access = await open_access(config, store, clock=_now)
        spans = find_spans()
        notices = PolicyInUse(store, policy, senders, config, metrics, clock=_now, spans=spans)
        supplies = _Supplies(
            config=config,
            metrics=metrics,
            notices=notices,
            store=store,
            packing=packing,
            access=access,
            manager=manager or ServiceManager(None),
            certificate=certificate,
            spans=spans,
        )
        return _put_together(supplies, None if asking is None else (asking, watch))
    except BaseException:
        await store.close()  # without a worker nobody else can
        raise


def _put_together(supplies: _Supplies, reloading: tuple[Asking, FileWatch] | None) -> Worker:
    config, store, metrics, notices = supplies.config, supplies.store, supplies.metrics, supplies.notices
    holder = new_holder()
    tending = chores.Tending(store=store, metrics=metrics, holder=holder, clock=_now)
    figures = FigureKeeper(store, holder, metrics=metrics, clock=_now)
    pipeline = _pipeline(supplies, figures)
    report = SelfReport(_ingesting(pipeline))
    notices.watch.tell = partial(tell_trouble, report)
    inlet = _inlet(config, metrics, is_traced=supplies.spans is not None)
    watched = _watched(supplies, inlet, pipeline)
    gateway = _gateway(supplies, inlet, report)
    ending = Ending(supplies.manager, config.drain_delay)
    vitals = vitals_of(config, store, watched, ending, metrics=metrics)
    return Worker(
        receivers=inlet.receivers,
        lanes=watched.lanes,
        dispatcher=notices.dispatching,
        server=_server(
            supplies, watched, vitals, inlet.intake, report=report, pipeline=pipeline, gateway=gateway
        ),
        report=report,
        digest_maker=notices.digest_maker,
        figures=figures,
        gap_watch=_gap_watch(supplies, pipeline, watched.lanes),
        loop_lag=watched.lag,
        partitions=chores.partition_chore(tending),
        absence=chores.absence_chore(tending, _ingesting(pipeline), lambda: notices.policy, watched.lanes),
        auto_resolve=chores.auto_resolve_chore(tending, lambda: notices.policy),
        retention=chores.retention_chore(tending, config.retention, _telling_of_retention(report)),
        search_filler=chores.search_chore(tending),
        watches=watches_of(config, store, supplies.certificate, metrics=metrics, clock=_now),
        packing=chores.packing_chores(tending, config, supplies.packing),
        upkeep=watched.upkeep,
        replica_watch=watched.replica,
        heartbeat=heartbeat_of(config, store, vitals.health, holder, metrics=metrics, clock=_now),
        telling=telling_of(supplies.manager, vitals.health, watched, metrics=metrics),
        ending=ending,
        reload=_reload(supplies, pipeline, *reloading) if reloading is not None else None,
        store=store,
        replica=watched.replica.store if watched.replica is not None else None,
        senders=[notices.dispatching],
        broker_ping=watched.ping,
        broker_door=inlet.door,
        gateway=gateway,
        database=redact_url(config.database_url),
        state=metrics.state,
    )


def _watched(supplies: _Supplies, inlet: _Inlet, pipeline: Pipeline) -> Watched:
    store, metrics, notices = supplies.store, supplies.metrics, supplies.notices
    broker_url = supplies.config.broker_url
    return Watched(
        lanes=_lanes(inlet.receivers, pipeline, supplies),
        lag=LoopLag(metrics=metrics),
        upkeep=OutboxWatch(store, notices.dispatching, metrics=metrics, clock=_now, watch=notices.watch),
        ping=BrokerPing(broker_url) if broker_url is not None else None,
        replica=_replica_watch(supplies),
        rules=lambda: notices.status,
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
        tls=TlsReload(supplies.certificate),
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


def _inlet(config: WorkerConfig, metrics: Metrics, *, is_traced: bool) -> _Inlet:
    """Without a broker the intake is the receivers' door; with one it publishes like any client."""
    broker_url, checks_key = config.broker_url, config.amqp_service_check == "routing_key"
    if broker_url is None:
        doors = [IntakeReceiver(lane, metrics=metrics) for lane in Lane]
        return _Inlet(receivers=doors, intake=storing_intake(doors), own_way=way_into_lanes(doors))
    door = BrokerDoor(broker_url, app_id=APP_ID)
    receiver = TracedReceiver if is_traced else AmqpReceiver
    lanes = [receiver(lane, broker_url, metrics=metrics, checks_key=checks_key) for lane in Lane]
    return _Inlet(
        receivers=[*lanes, DeadQueueReceiver(broker_url, metrics=metrics)],
        intake=publishing_intake(door),
        own_way=way_to_broker(door),
        door=door,
    )


def _gateway(supplies: _Supplies, inlet: _Inlet, report: SelfReport) -> Gateway | None:
    config, store, metrics = supplies.config, supplies.store, supplies.metrics
    if not config.gateway:
        return None
    return assemble_gateway(config, store, inlet.own_way, metrics=metrics, report=report, clock=_now)


def _lanes(receivers: Sequence[LaneReceiver], pipeline: Pipeline, supplies: _Supplies) -> list[LaneLoop]:
    dead = DeadQueue(supplies.store, metrics=supplies.metrics, clock=_now)
    priority = LanePriority()

    def traced(ingester: Ingester) -> Ingester:
        return ingester if supplies.spans is None else TracedIngester(ingester, supplies.spans)

    return [
        LaneLoop(
            one,
            traced(dead if one.lane == DEAD_LANE else pipeline),
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
    gateway: Gateway | None,
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
        gateway=gateway.routes if gateway is not None else (),
    )
    return HttpServer(app, host=config.http_host, port=config.http_port, certificate=supplies.certificate)


def _gap_watch(supplies: _Supplies, pipeline: Pipeline, lanes: Sequence[LaneLoop]) -> GapWatch:
    return GapWatch(
        supplies.store,
        _ingesting(pipeline),
        metrics=supplies.metrics,
        clock=_now,
        drained_at=lambda: chores.drained_at(lanes),
    )


def _telling_of_retention(report: SelfReport) -> Callable[[Exception], object]:
    return partial(report.report, part="retention", severity=ErrorSeverity.HIGH)


def _now() -> datetime:
    return datetime.now(UTC)
