"""The start of a worker: its log, its signals, and the broker that it needs."""

import asyncio
import os
from collections.abc import Callable
from functools import partial

from faultwire_consumer.config import WorkerConfig
from faultwire_consumer.ingest.receive.amqp import ensure_topology
from faultwire_consumer.ingest.receive.outage import OutageReason
from faultwire_consumer.serving.certificate import certificate_of
from faultwire_consumer.store.upkeep.usual_writes import USUAL_WRITES
from faultwire_consumer.worker.assembly import assemble
from faultwire_consumer.worker.lifecycle import release, run_until
from faultwire_consumer.worker.parts import Worker
from faultwire_consumer.worker.reload import Asking
from faultwire_consumer.worker.supervision.service_manager import ServiceManager, service_manager_of
from faultwire_consumer.worker.supervision.signal_handler import handle_signals
from faultwire_consumer.worker.waiting import wait_for_database
from faultwire_shared.amqp import BrokerUnreachableError, close, connect
from faultwire_shared.logging.logs import configure_process_logging, get_logger

log = get_logger("faultwire.worker")


async def run(config: WorkerConfig, read_again: Callable[[], WorkerConfig]) -> None:
    """Run a worker until SIGTERM or SIGINT, then drain. At SIGHUP its rules and files of TLS are read again.

    Args:
        config: what it starts with.
        read_again: reads the configuration as it is then.

    Raises:
        PolicyFileError: the policy or one of its secrets cannot be used.
        TlsFileError: the certificate to show cannot be read.
        MigrationError: the database's schema is not this release's.
        StoreUnavailableError: a SQLite file cannot be opened, or PostgreSQL refuses the login.
        BrokerRefusedError: the broker does not let this user in.
        TopologyError: an exchange or queue is missing and may not be declared.
        OSError: the HTTP address cannot be listened on.
    """
    configure_process_logging(level=config.log_level, log_format=config.log_format)
    _warn_of_trust(config)
    stop, asked = asyncio.Event(), asyncio.Event()
    handle_signals(stop, asked)
    manager = service_manager_of(os.environ)
    asking = Asking(asked, read_again, around=manager.reloading)
    worker = await _assemble_in_time(config, stop, asking, manager)
    if worker is None:
        return
    try:
        await _check_broker(config.broker_url)
        await worker.store.warm(USUAL_WRITES)
        await run_until(stop, worker)
    finally:
        await release(worker)


def _warn_of_trust(config: WorkerConfig) -> None:
    if config.http_trust_network:
        log.warning("access.trusts_network", host=config.http_host, mend='set access = "login"')


async def _assemble_in_time(
    config: WorkerConfig, stop: asyncio.Event, asking: Asking, manager: ServiceManager
) -> Worker | None:
    """Put the worker together; a PostgreSQL that is merely away is waited for."""
    if config.database_url.startswith("sqlite"):
        return await assemble(config, asking, manager)
    return await wait_for_database(
        partial(assemble, config, asking, manager),
        stop,
        host=config.http_host,
        port=config.http_port,
        is_open=config.is_open,
        manager=manager,
        certificate=await asyncio.to_thread(certificate_of, config.http_tls),
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
