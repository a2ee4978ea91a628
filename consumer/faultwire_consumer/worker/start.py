"""The start of a worker: its log, its signals, its memory, and the broker that it needs."""

import asyncio
import gc
import os
import signal
from collections.abc import Callable
from functools import partial
from typing import Final

from faultwire_consumer.config import WorkerConfig
from faultwire_consumer.ingest.receive.amqp import ensure_topology
from faultwire_consumer.ingest.receive.outage import OutageReason
from faultwire_consumer.worker.assembly import assemble
from faultwire_consumer.worker.lifecycle import release, run_until
from faultwire_consumer.worker.parts import Worker
from faultwire_consumer.worker.reload import Asking
from faultwire_consumer.worker.waiting import wait_for_database
from faultwire_shared.amqp import BrokerUnreachableError, close, connect
from faultwire_shared.logging.logs import configure_process_logging, get_logger

COLLECTING: Final = (20_000, 20, 20)
"""A batch of 500 events makes some 6,000 objects at once: by Python's own 700 they were gone through
again and again."""

_STDIN: Final = 0

log = get_logger("faultwire.worker")


async def run(config: WorkerConfig, read_again: Callable[[], WorkerConfig]) -> None:
    """Run a worker until SIGTERM or SIGINT, then drain. At SIGHUP its rules are read again.

    Args:
        config: what it starts with.
        read_again: reads the configuration as it is then.

    Raises:
        PolicyFileError: the policy or one of its secrets cannot be used.
        MigrationError: the database's schema is not this release's.
        StoreUnavailableError: a SQLite file cannot be opened, or PostgreSQL refuses the login.
        BrokerRefusedError: the broker does not let this user in.
        TopologyError: an exchange or queue is missing and may not be declared.
        OSError: the HTTP address cannot be listened on.
    """
    configure_process_logging(level=config.log_level, log_format=config.log_format)
    _warn_of_trust(config)
    _collect_rarely()
    stop, asked = asyncio.Event(), asyncio.Event()
    _handle_signals(stop, asked)
    worker = await _assemble_in_time(config, stop, Asking(asked, read_again))
    if worker is None:
        return
    try:
        await _check_broker(config.broker_url)
        await worker.store.warm()
        await run_until(stop, worker)
    finally:
        await release(worker)


def _warn_of_trust(config: WorkerConfig) -> None:
    if config.http_trust_network:
        log.warning("access.trusts_network", host=config.http_host, mend='set access = "login"')


def _collect_rarely() -> None:
    """Spare Python's collector what lives for good, and the objects of a batch, which make no cycles."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*COLLECTING)


def _handle_signals(stop: asyncio.Event, asked: asyncio.Event) -> None:
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    loop.add_signal_handler(signal.SIGHUP, partial(ask_or_end, stop, asked, had_terminal=os.isatty(_STDIN)))


def ask_or_end(stop: asyncio.Event, asked: asyncio.Event, *, had_terminal: bool) -> None:
    """Ask for the rules to be read again; but a terminal that went away takes its user's worker along."""
    if had_terminal and not os.isatty(_STDIN):
        stop.set()
    else:
        asked.set()


async def _assemble_in_time(config: WorkerConfig, stop: asyncio.Event, asking: Asking) -> Worker | None:
    """Put the worker together; a PostgreSQL that is merely away is waited for."""
    if config.database_url.startswith("sqlite"):
        return await assemble(config, asking)
    start = partial(assemble, config, asking)
    return await wait_for_database(
        start, stop, host=config.http_host, port=config.http_port, is_open=config.is_open
    )


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
