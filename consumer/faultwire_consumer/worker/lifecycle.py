"""The life of a worker: serve, run every part, drain. The order of its end stands here and nowhere else.

0. Its readiness probe says that it ends, and all goes on for `drain_delay`: nobody is sent here any more.
1. Receivers take nothing more in, and the dispatcher claims nothing more.
2. Lanes settle what was taken in. What is not settled after `DRAIN_SECONDS` is left unacked, to be
   delivered again: its lane is cancelled, and not waited for before 3.
3. Receivers let their connections go: a message can be settled only on the one that it came by.
4. Chores are cancelled, the dispatcher among them.
5. The server ends; until then probes are answered.
6. The report of the worker's own errors publishes what it counted, which needs the store.
7. Connections go: the replica's, the probe's, the gateway's disk, the intake's, the senders', and the
   store's last.

When a part dies, the error is reported, and in place of 1 to 4 every other part is cancelled at once:
what was not settled is delivered again.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Final

from faultwire_consumer.store.contract.role import acting_as
from faultwire_consumer.worker.parts import Part, ReceivingPart, Releasable, ReportingPart, Worker
from faultwire_shared.logging.logs import get_logger
from faultwire_shared.retry import full_jitter_delays

DRAIN_SECONDS: Final = 6.0
"""With three seconds to cancel, to close and for the intake's connection, two for requests, two for what the
worker reports of itself and one for the probe's connection, a worker is gone within 20 s of SIGTERM, also
before a frozen broker."""
CHORE_SECONDS: Final = (1.0, 60.0)
"""Wait until a chore that an error ended begins again, from the first bound to the last."""
CALM_SECONDS: Final = 300.0
"""After a chore has run this long, an error is new and not the same as before."""

_OUTBOX: Final = ("dispatcher", "upkeep", "digest maker")

log = get_logger("faultwire.worker")


async def run_until(stop: asyncio.Event, worker: Worker, *, drain_seconds: float = DRAIN_SECONDS) -> None:
    """Run every part until ``stop`` is set or a part ends, then drain. A chore that fails begins again.

    Raises:
        OSError: the HTTP address cannot be listened on.
        ExceptionGroup: of what a receiver or a lane died of.
    """
    async with worker.report:
        try:
            if worker.gateway is not None:
                await worker.gateway.start()
            with acting_as("page"):
                page = await worker.server.start()
            log.info("worker.started", page=page, database=worker.database)
            await _run_parts(stop, worker, drain_seconds)
        finally:
            await worker.server.aclose()
    log.info("worker.drained")


async def release(worker: Worker) -> None:
    """Close every connection, even if closing another one fails.

    Raises:
        ExceptionGroup: of what some of them raised.
    """
    errors = []
    for let_go in _connections_of(worker):
        try:
            await let_go()
        except Exception as error:  # noqa: BLE001 - raised with the others, when all had their turn
            errors.append(error)
    if errors:
        raise ExceptionGroup("not every connection was let go", errors)


def _connections_of(worker: Worker) -> Iterator[Callable[[], Awaitable[None]]]:
    if worker.replica is not None:
        yield worker.replica.close
    if worker.broker_ping is not None:
        yield worker.broker_ping.aclose
    if worker.gateway is not None:
        yield worker.gateway.aclose
    if worker.broker_door is not None:
        yield worker.broker_door.aclose
    yield partial(_close_all, worker.senders)
    yield worker.store.close


def chores_of(worker: Worker) -> Mapping[str, Part]:
    """The parts besides receivers and lanes, by the names that logs and the worker's own events show."""
    chores = {
        "gap watch": worker.gap_watch,
        "loop lag": worker.loop_lag,
        "self report": worker.report,
        "digest maker": worker.digest_maker,
        "figures": worker.figures,
        "upkeep": worker.upkeep,
        "dispatcher": worker.dispatcher,
        "partitions": worker.partitions,
        "absence": worker.absence,
        "auto resolve": worker.auto_resolve,
        "retention": worker.retention,
        "search filler": worker.search_filler,
        **worker.watches,
    }
    chores |= worker.packing
    if worker.replica_watch is not None:
        chores["replica watch"] = worker.replica_watch
    if worker.heartbeat is not None:
        chores["heartbeat"] = worker.heartbeat
    if worker.reload is not None:
        chores["reload"] = worker.reload
    if worker.telling is not None:
        chores["service manager"] = worker.telling
    if worker.gateway is not None:
        chores |= {"gateway": worker.gateway.keeper, "gateway reports": worker.gateway.reports}
    return chores


def role_of(name: str) -> str:
    """Return the role in which a part uses the database, by the part's name."""
    if name in _OUTBOX:
        return "outbox"
    kind, _, lane = name.partition(" ")
    return f"lane-{lane}" if kind in {"lane", "receiver"} else f"chore {name}"


async def watched(work: Awaitable[None], *, part: str, report: ReportingPart) -> None:
    """Await a part of the worker; an error that ends it is reported first."""
    try:
        with acting_as(role_of(part)):
            await work
    except Exception as error:
        await report.report_fatal(error, part=part)
        raise


async def begun_again(
    chore: Part, *, name: str, report: ReportingPart, note_failed: Callable[[str], None] = lambda _: None
) -> None:
    """Run a chore, and again after a wait when an error ends it: one row must not end a worker."""
    delays, now = full_jitter_delays(*CHORE_SECONDS), asyncio.get_running_loop().time
    while True:
        began = now()
        try:
            with acting_as(role_of(name)):
                return await chore.run()
        except Exception as error:
            log.exception("chore.failed", chore=name)
            note_failed(name)
            report.report(error, part=name)
        if now() - began > CALM_SECONDS:
            delays = full_jitter_delays(*CHORE_SECONDS)
        await asyncio.sleep(next(delays))


async def _run_parts(stop: asyncio.Event, worker: Worker, drain_seconds: float) -> None:
    async with asyncio.TaskGroup() as group:

        def start(name: str, part: Part) -> asyncio.Task[None]:
            return group.create_task(watched(part.run(), part=name, report=worker.report), name=name)

        receivers = [start(f"receiver {one.lane}", one) for one in worker.receivers]
        lanes = [start(f"lane {one.lane}", one) for one in worker.lanes]
        chores = [
            group.create_task(
                begun_again(part, name=name, report=worker.report, note_failed=worker.state.note_failed),
                name=name,
            )
            for name, part in chores_of(worker).items()
        ]
        await _wait_for_end(stop, [*receivers, *lanes, *chores])
        if worker.ending is not None:
            await worker.ending.begin()
        log.info("worker.draining")
        worker.state.note_draining()
        await asyncio.gather(
            _drain(worker.receivers, lanes, drain_seconds), worker.dispatcher.drain(drain_seconds)
        )
        for chore in chores:
            chore.cancel()


async def _wait_for_end(stop: asyncio.Event, tasks: Sequence[asyncio.Task[None]]) -> None:
    """Wait for a signal; a part that dies ends the wait, and the group then ends the rest."""
    waiting = asyncio.create_task(stop.wait())
    try:
        await asyncio.wait({waiting, *tasks}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        waiting.cancel()


async def _drain(
    receivers: Sequence[ReceivingPart], lanes: Sequence[asyncio.Task[None]], seconds: float
) -> None:
    await asyncio.gather(*(receiver.stop() for receiver in receivers))
    _, unfinished = await asyncio.wait(lanes, timeout=seconds)
    for lane in unfinished:
        lane.cancel()
    for receiver in receivers:
        await receiver.close()


async def _close_all(senders: Sequence[Releasable]) -> None:
    await asyncio.gather(*(sender.aclose() for sender in senders))
