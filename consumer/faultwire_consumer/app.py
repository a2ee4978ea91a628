"""The composition root: builds everything that a worker is, runs it, and ends it in order."""

import asyncio
import gc
import signal
from collections.abc import AsyncIterator, Coroutine, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from functools import partial
from typing import Any, Final, Protocol

from aiohttp import web
from msgspec import Struct

from faultwire_consumer.config import WorkerConfig
from faultwire_consumer.domain.outcome import must_return
from faultwire_consumer.domain.policy import Policy
from faultwire_consumer.ingest.pipeline import Pipeline
from faultwire_consumer.ingest.read.delivery import read_delivery
from faultwire_consumer.ingest.receive.amqp import AmqpReceiver, ensure_topology
from faultwire_consumer.ingest.receive.broker_ping import BrokerPing
from faultwire_consumer.ingest.receive.dead_queue import DEAD_LANE, DeadQueue, DeadQueueReceiver
from faultwire_consumer.ingest.receive.http import Intake, IntakeReceiver, storing_intake
from faultwire_consumer.ingest.receive.http_to_broker import publishing_intake
from faultwire_consumer.ingest.receive.lane import LaneLoop
from faultwire_consumer.ingest.receive.outage import OutageReason
from faultwire_consumer.ingest.receive.priority import LanePriority
from faultwire_consumer.ingest.receive.receiver import LaneReceiver
from faultwire_consumer.ingest.rules.evaluation import Evaluator
from faultwire_consumer.maintenance import partitions, retention
from faultwire_consumer.maintenance.gaps import ORIGIN, GapWatch
from faultwire_consumer.maintenance.leased import LeasedChore
from faultwire_consumer.maintenance.loop_lag import LoopLag
from faultwire_consumer.maintenance.pruning import Pruner
from faultwire_consumer.maintenance.replica_watch import ReplicaWatch
from faultwire_consumer.maintenance.self_report import Ingest, SelfReport, watched
from faultwire_consumer.maintenance.store_size import StoreSizeWatch
from faultwire_consumer.metrics import Metrics
from faultwire_consumer.notify.digest_maker import DigestMaker
from faultwire_consumer.notify.dispatcher import Dispatcher
from faultwire_consumer.notify.policy_file import read_policy
from faultwire_consumer.notify.sender import Sender
from faultwire_consumer.notify.senders.build import senders_of
from faultwire_consumer.notify.upkeep import Upkeep
from faultwire_consumer.store.contract.store import Store
from faultwire_consumer.store.contract.url import parse_database_url, sqlite_path
from faultwire_consumer.store.engine import open_store, with_replica
from faultwire_consumer.store.upkeep.leases import new_holder
from faultwire_consumer.web.application import create_app
from faultwire_consumer.web.health.check import check_loop_lag, check_outbox, worker_health
from faultwire_consumer.web.state import Health
from faultwire_shared.amqp import BrokerUnreachableError, close, connect
from faultwire_shared.codec import EVENT_TYPE
from faultwire_shared.event import Lane
from faultwire_shared.health import Check
from faultwire_shared.logging.logs import configure_process_logging, get_logger
from faultwire_shared.redact import redact_url

DRAIN_SECONDS: Final = 6.0
"""With three seconds to cancel, to close and for the intake's connection, two for requests, two for what the
worker reports of itself and one for the probe's connection, a worker is gone within 20 s of SIGTERM, also
before a frozen broker."""
HTTP_SHUTDOWN_SECONDS: Final = 2.0
COLLECTING: Final = (20_000, 20, 20)
"""A batch of 500 events makes some 6,000 objects at once: by Python's own 700 they were gone through
again and again."""

log = get_logger(__name__)


class Part(Protocol):
    """What runs beside the lanes until it is cancelled."""

    async def run(self) -> None:
        """Go on."""
        ...


class Notifying(Struct, frozen=True):
    """The policy, and who sends to each of its receivers."""

    policy: Policy
    senders: Mapping[str, Sender]


async def run(config: WorkerConfig) -> None:
    """Run a worker until SIGTERM or SIGINT, then drain.

    Raises:
        PolicyFileError: the policy or one of its secrets cannot be used.
        MigrationError: the database's schema is not this release's.
        StoreUnavailableError: the database does not answer at the start.
        BrokerRefusedError: the broker lets this user not in.
        TopologyError: an exchange or queue is missing and may not be declared.
        OSError: the HTTP address cannot be listened on.
    """
    configure_process_logging(level=config.log_level, log_format=config.log_format)
    _collect_rarely()
    stop = _stop_on_signals()
    # In a thread: the policy, its zones and its secrets are files.
    policy = await asyncio.to_thread(read_policy, config.rules)
    senders = await asyncio.to_thread(senders_of, policy, clock=_now)
    store = await open_store(config.database_url)
    try:
        await _check_broker(config.broker_url)
        await store.warm()
        await _work(config, store, stop, Notifying(policy, senders))
    finally:
        await asyncio.gather(*(sender.aclose() for sender in senders.values()))
        await store.close()


def _collect_rarely() -> None:
    """Spare Python's collector what lives for good, and the objects of a batch, which make no cycles."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*COLLECTING)


async def _check_broker(broker_url: str | None) -> None:
    """Tell at once what will never heal by itself; a broker that is merely away is waited for."""
    if broker_url is None:
        return
    try:
        connection = await connect(broker_url, "faultwire worker start")
        try:
            await ensure_topology(connection)
        finally:
            await close(connection)
    except BrokerUnreachableError as error:
        log.warning("broker.lost", reason=OutageReason.UNREACHABLE, why=str(error))


async def _work(config: WorkerConfig, store: Store, stop: asyncio.Event, notifying: Notifying) -> None:
    metrics, policy = Metrics(), notifying.policy
    dispatcher = Dispatcher(
        store, notifying.senders, metrics=metrics, clock=_now, public_url=config.public_url
    )
    pipeline = _pipeline(config, store, metrics, Evaluator(policy, wake=dispatcher.wake))
    async with (
        _intake(config.broker_url, metrics) as (receivers, intake),
        _pinging(config.broker_url) as ping,
        SelfReport(_ingesting(pipeline)) as report,
        _replica(config.database_read_url, store, metrics) as replica,
    ):
        loops = _lane_loops(receivers, pipeline, store, metrics)
        lag = LoopLag(metrics=metrics)
        upkeep = Upkeep(store, dispatcher, metrics=metrics, clock=_now)
        checks = {"loop": partial(check_loop_lag, lag), "outbox": partial(check_outbox, upkeep)}
        app = create_app(
            store=replica.store if replica is not None else store,
            health=_health(config, store, loops, checks, ping=ping, replica=replica),
            metrics=metrics,
            intake=intake,
            report=report,
            clock=_now,
            pipeline=pipeline,
            policy=policy,
            loopback_only=config.loopback_only,
            has_replica=replica is not None,
        )
        async with _serving(app, config), asyncio.TaskGroup() as group:

            def start(part: str, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
                return group.create_task(watched(work, part=part, report=report), name=part)

            tasks = [start(f"receiver {one.lane}", one.run()) for one in receivers]
            lanes = [start(f"lane {one.lane}", one.run()) for one in loops]
            watch = _gap_watch(store, pipeline, metrics, loops)
            digests = DigestMaker(store, policy, clock=_now, wake=dispatcher.wake)
            parts: dict[str, Part] = {"gap watch": watch, "loop lag": lag, "self report": report}
            parts |= {"digest maker": digests, "upkeep": upkeep, "dispatcher": dispatcher}
            parts |= _chores(config, store, metrics) | ({"replica watch": replica} if replica else {})
            chores = [start(name, part.run()) for name, part in parts.items()]
            await _stop_wanted(stop, [*tasks, *lanes, *chores])
            await asyncio.gather(_drain(receivers, lanes), dispatcher.drain(DRAIN_SECONDS))
            for chore in chores:
                chore.cancel()
    log.info("worker.drained")


def _lane_loops(
    receivers: Sequence[LaneReceiver], pipeline: Pipeline, store: Store, metrics: Metrics
) -> list[LaneLoop]:
    dead = DeadQueue(store, metrics=metrics, clock=_now)
    priority = LanePriority()
    return [
        LaneLoop(one, dead if one.lane == DEAD_LANE else pipeline, metrics=metrics, priority=priority)
        for one in receivers
    ]


def _chores(config: WorkerConfig, store: Store, metrics: Metrics) -> dict[str, Part]:
    """What one worker does for all that share the database, and what it shows of it."""
    holder = new_holder()
    maker = partitions.PartitionMaker(store, clock=_now)
    keeper = retention.RetentionKeeper(
        store,
        config.retention,
        Pruner(store, holder, clock=_now),
        metrics=metrics,
        clock=_now,
        sleep=asyncio.sleep,
    )
    return {
        "partitions": LeasedChore(store, partitions.LEASE, holder, maker.make, clock=_now),
        "retention": LeasedChore(store, retention.LEASE, holder, keeper.keep, clock=_now),
        "store size": StoreSizeWatch(store, metrics=metrics),
    }


def _pipeline(config: WorkerConfig, store: Store, metrics: Metrics, evaluator: Evaluator) -> Pipeline:
    return Pipeline(
        store,
        metrics=metrics,
        evaluator=evaluator,
        bodies_per_incident=config.bodies_per_incident,
        new_incidents_per_minute=config.new_incidents_per_minute,
    )


def _gap_watch(store: Store, pipeline: Pipeline, metrics: Metrics, loops: Sequence[LaneLoop]) -> GapWatch:
    return GapWatch(
        store,
        _ingesting(pipeline),
        metrics=metrics,
        clock=_now,
        drained_at=lambda: _drained_at(loops),
    )


def _now() -> datetime:
    return datetime.now(UTC)


def _drained_at(loops: Sequence[LaneLoop]) -> datetime | None:
    """Since when every lane has had nothing left to do at least once."""
    moments = [loop.drained_at for loop in loops if loop.lane != DEAD_LANE]
    return min((one for one in moments if one is not None), default=None) if all(moments) else None


def _ingesting(pipeline: Pipeline) -> Ingest:
    """The worker's own events, on the path that all events take."""

    async def ingest(body: bytes, message_type: str = EVENT_TYPE) -> bool:
        delivery = read_delivery(body, message_type, origin=ORIGIN, handle=None)
        (outcomes,) = await pipeline.ingest([delivery])
        return not must_return(outcomes)

    return ingest


async def _stop_wanted(stop: asyncio.Event, tasks: Sequence[asyncio.Task[None]]) -> None:
    """Wait for a signal; a part that dies ends the wait, and the group then ends the rest."""
    waiting = asyncio.create_task(stop.wait())
    await asyncio.wait({waiting, *tasks}, return_when=asyncio.FIRST_COMPLETED)
    waiting.cancel()


async def _drain(receivers: Sequence[LaneReceiver], lanes: Sequence[asyncio.Task[None]]) -> None:
    """Take nothing more in, settle what was taken, then let the connections go.

    What cannot be settled in time is left unacked: it is delivered again.
    """
    log.info("worker.draining")
    await asyncio.gather(*(receiver.stop() for receiver in receivers))
    _, unfinished = await asyncio.wait(lanes, timeout=DRAIN_SECONDS)
    for lane in unfinished:
        lane.cancel()
    for receiver in receivers:
        await receiver.close()


@asynccontextmanager
async def _intake(
    broker_url: str | None, metrics: Metrics
) -> AsyncIterator[tuple[Sequence[LaneReceiver], Intake]]:
    """Without a broker the intake is the receivers' door; with one it publishes like any client."""
    if broker_url is None:
        doors = [IntakeReceiver(lane, metrics=metrics) for lane in Lane]
        yield doors, storing_intake(doors)
        return
    async with publishing_intake(broker_url) as intake:
        lanes = [AmqpReceiver(lane, broker_url, metrics=metrics) for lane in Lane]
        yield [*lanes, DeadQueueReceiver(broker_url, metrics=metrics)], intake


@asynccontextmanager
async def _pinging(broker_url: str | None) -> AsyncIterator[BrokerPing | None]:
    ping = BrokerPing(broker_url) if broker_url is not None else None
    try:
        yield ping
    finally:
        if ping is not None:
            await ping.aclose()


@asynccontextmanager
async def _replica(
    read_url: str | None, store: Store, metrics: Metrics
) -> AsyncIterator[ReplicaWatch | None]:
    """For what operators ask; what decides or follows an event asks the primary alone."""
    if read_url is None:
        yield None
        return
    replicated = with_replica(store, read_url)
    try:
        yield ReplicaWatch(replicated, metrics=metrics)
    finally:
        await replicated.close()


@asynccontextmanager
async def _serving(app: web.Application, config: WorkerConfig) -> AsyncIterator[None]:
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=HTTP_SHUTDOWN_SECONDS)
    await runner.setup()
    try:
        site = web.TCPSite(runner, config.http_host, config.http_port)
        await site.start()
        host, port = runner.addresses[0][:2]
        log.info("worker.started", page=f"http://{host}:{port}/", database=redact_url(config.database_url))
        yield
    finally:
        await runner.cleanup()


def _health(
    config: WorkerConfig,
    store: Store,
    loops: Sequence[LaneLoop],
    more: Mapping[str, Check],
    *,
    ping: BrokerPing | None,
    replica: ReplicaWatch | None,
) -> Health:
    more = {**more, "broker": ping.ask} if ping is not None else more
    url = parse_database_url(config.database_url)
    directory = sqlite_path(url).parent if url.drivername == "sqlite" else None
    hints: Mapping[str, Check] = {"read replica": replica.check} if replica is not None else {}
    return worker_health(store=store.ping, lanes=loops, more=more, directory=directory, hints=hints)


def _stop_on_signals() -> asyncio.Event:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    return stop
