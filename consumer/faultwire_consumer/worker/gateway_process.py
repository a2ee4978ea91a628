"""A gateway in a process of its own: it passes foreign events to the broker, and needs nothing else at once.

The end has an order: requests are answered, then what was counted is reported, then the spool is closed. What
is in it stays there, for the process that starts next or for another one that shares the directory.
"""

import asyncio
import os
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from typing import Final

from msgspec import Struct

from faultwire.publish.transport import Outgoing
from faultwire_consumer.config import WorkerConfig
from faultwire_consumer.ingest.receive.broker_door import BrokerDoor
from faultwire_consumer.ingest.receive.broker_ping import BrokerPing
from faultwire_consumer.ingest.receive.own_way import OwnWay, way_to_broker
from faultwire_consumer.maintenance.gaps import SERVICE
from faultwire_consumer.maintenance.loop_lag import LoopLag
from faultwire_consumer.maintenance.self_report import Ingest, SelfReport
from faultwire_consumer.metrics import Metrics
from faultwire_consumer.serving.certificate import ServedCertificate, certificate_of
from faultwire_consumer.serving.traffic import Traffic, connections_within
from faultwire_consumer.store.engine import open_store
from faultwire_consumer.store.late import LateStore
from faultwire_consumer.web.access.bearer import BearerRecogniser, TokenBook
from faultwire_consumer.web.access.guard import Recogniser
from faultwire_consumer.web.access.open_door import open_door
from faultwire_consumer.web.health.check import check_loop_lag
from faultwire_consumer.web.state import Health
from faultwire_consumer.worker.gateway import Gateway, assemble_gateway, keep_message
from faultwire_consumer.worker.gateway_app import create_gateway_app
from faultwire_consumer.worker.level_reload import LevelReload
from faultwire_consumer.worker.lifecycle import begun_again
from faultwire_consumer.worker.parts import Part
from faultwire_consumer.worker.reload import Asking
from faultwire_consumer.worker.server import HttpServer
from faultwire_consumer.worker.supervision.ending import Ending
from faultwire_consumer.worker.supervision.service_manager import ServiceManager, Telling, service_manager_of
from faultwire_consumer.worker.supervision.signal_handler import handle_signals
from faultwire_consumer.worker.tls_reload import TlsReload
from faultwire_shared.codec import EVENT_TYPE, PRODUCER_TYPE
from faultwire_shared.event import Category, ErrorSeverity
from faultwire_shared.failure import ConfigurationError
from faultwire_shared.health import HealthChecker
from faultwire_shared.logging.logs import configure_process_logging, get_logger
from faultwire_shared.redact import redact_url
from faultwire_shared.topology import report_key, routing_key

APP_ID: Final = "faultwire-gateway"
PATIENCE_SECONDS: Final = 2.0
"""At the start, for the database: with it all keys are known from the first request on."""

log = get_logger("faultwire.gateway")


class GatewaySettingsError(ConfigurationError):
    """A gateway cannot run alone with these settings; the text says which to change."""


class GatewayProcess(Struct, frozen=True, kw_only=True):
    """Every part of a gateway's process, put together and not yet running."""

    ending: Ending

    gateway: Gateway
    server: HttpServer
    report: SelfReport
    chores: dict[str, Part]
    store: LateStore
    ping: BrokerPing
    door: BrokerDoor


async def run_gateway(config: WorkerConfig, read_again: Callable[[], WorkerConfig]) -> None:
    """Run a gateway until SIGTERM or SIGINT, then answer what is under way and end.

    At SIGHUP its log level and its files of TLS are read again.

    Args:
        config: a worker's; what is about rules, lanes and the page is not used.
        read_again: reads the configuration as it is then.

    Raises:
        GatewaySettingsError: it names no broker, or no database that several processes can use.
        TlsFileError: the certificate to show cannot be read.
        OSError: the HTTP address cannot be listened on.
    """
    configure_process_logging(level=config.log_level, log_format=config.log_format)
    stop, asked, manager = asyncio.Event(), asyncio.Event(), service_manager_of(os.environ)
    certificate = await asyncio.to_thread(certificate_of, config.http_tls)
    asking = Asking(asked, read_again, around=manager.reloading)
    process = assemble_process(config, asking, manager, certificate)
    handle_signals(stop, asked)
    try:
        await serve_until(stop, process)
    finally:
        await release_process(process)
    log.info("gateway.drained", spooled=process.gateway.keeper.spool.waiting)


async def serve_until(stop: asyncio.Event, process: GatewayProcess) -> None:
    """Serve until ``stop`` is set, and answer what is under way then.

    Raises:
        OSError: the HTTP address cannot be listened on.
    """
    async with process.report, asyncio.TaskGroup() as group:
        opening = group.create_task(process.store.run(), name="store")
        chores = [
            group.create_task(begun_again(part, name=name, report=process.report), name=name)
            for name, part in process.chores.items()
        ]
        try:
            await asyncio.wait({opening}, timeout=PATIENCE_SECONDS)
            await process.gateway.start()
            address = await process.server.start()
            log.info("gateway.started", address=address, spool=process.gateway.spool_path)
            await stop.wait()
            await process.ending.begin()
        finally:
            await process.server.aclose()
            for task in (opening, *chores):
                task.cancel()


async def release_process(process: GatewayProcess) -> None:
    """Let go of the spool first, and of the connections after it."""
    try:
        await process.gateway.aclose()
    finally:
        await asyncio.gather(process.ping.aclose(), process.door.aclose(), process.store.close())


def assemble_process(
    config: WorkerConfig,
    asking: Asking | None = None,
    manager: ServiceManager | None = None,
    certificate: ServedCertificate | None = None,
) -> GatewayProcess:
    """Put the parts together; nothing is connected yet.

    Args:
        config: says of what.
        asking: says when the log's level is to be read again; None for never.
        manager: is told how the gateway does; None where nobody started it.
        certificate: of its server; None where that speaks no TLS.

    Raises:
        GatewaySettingsError: it names no broker, or no database that several processes can use.
    """
    broker_url = _broker_of(config)
    metrics = Metrics()
    door, ping = BrokerDoor(broker_url, app_id=APP_ID, name="faultwire gateway"), BrokerPing(broker_url)
    way = way_to_broker(door)
    report = SelfReport(_ingesting(way))
    store = LateStore("postgresql", partial(open_store, config.database_url), sleep=asyncio.sleep)
    gateway = assemble_gateway(config, store, way, metrics=metrics, report=report, clock=_now)
    lag = LoopLag(metrics=metrics)
    traffic = Traffic(metrics, connections_most=connections_within(config.http_connections))
    manager = manager or ServiceManager(None)
    ending = Ending(manager, config.drain_delay)
    health = _health(gateway, lag, ping, traffic, ending)
    app = create_gateway_app(
        config,
        gateway.routes,
        health=health,
        metrics=metrics,
        traffic=traffic,
        report=report,
        recognisers=_recognisers(config, store),
        clock=_now,
    )
    return GatewayProcess(
        ending=ending,
        gateway=gateway,
        server=HttpServer(app, host=config.http_host, port=config.http_port, certificate=certificate),
        report=report,
        chores={
            "gateway": gateway.keeper,
            "gateway reports": gateway.reports,
            "loop lag": lag,
            "self report": report,
            **({"reload": LevelReload(asking, TlsReload(certificate))} if asking is not None else {}),
            **({"service manager": _telling(manager, health, gateway)} if manager.is_listening else {}),
        },
        store=store,
        ping=ping,
        door=door,
    )


def _broker_of(config: WorkerConfig) -> str:
    if config.broker_url is None:
        raise GatewaySettingsError(
            "a gateway of its own passes events to a broker: set broker_url (FAULTWIRE_BROKER_URL); without "
            "one `faultwire worker` takes them itself"
        )
    if not config.database_url.startswith("postgresql"):
        raise GatewaySettingsError(
            "a gateway of its own reads keys from the workers' PostgreSQL, and "
            f"{redact_url(config.database_url)} belongs to one worker: set database_url, or let "
            "`faultwire worker` take the events itself"
        )
    return config.broker_url


def _ingesting(way: OwnWay) -> Ingest:
    """The process's own errors, to the broker like everybody's."""
    key = routing_key(ErrorSeverity.HIGH, Category.SYSTEM, SERVICE)

    async def ingest(body: bytes, message_type: str = EVENT_TYPE) -> bool:
        is_report = message_type == PRODUCER_TYPE
        return await keep_message(
            way,
            Outgoing(
                body=body,
                message_type=message_type,
                routing_key=report_key(SERVICE) if is_report else key,
            ),
        )

    return ingest


def _telling(manager: ServiceManager, health: Health, gateway: Gateway) -> Telling:
    def say() -> str:
        return f"{gateway.keeper.spool.waiting} events on its disk"

    return Telling(manager, health.startup, say)


def _health(gateway: Gateway, lag: LoopLag, ping: BrokerPing, traffic: Traffic, ending: Ending) -> Health:
    """A broker that is away is no reason to send nobody here: the disk is for that."""
    live, ready = HealthChecker(), HealthChecker()
    live.add_check("loop", partial(check_loop_lag, lag))
    ready.add_check("keys", gateway.check_keys)
    ready.add_check("spool", gateway.check_spool)
    ready.add_check("connections", traffic.check)
    ready.add_check("ending", ending.check)
    ready.add_check("broker", ping.ask, required=False)
    return Health(live=live, ready=ready, startup=HealthChecker())


def _recognisers(config: WorkerConfig, store: LateStore) -> tuple[Recogniser, ...]:
    bearer = BearerRecogniser(TokenBook(store, clock=_now))
    return (bearer, open_door) if config.is_open and config.loopback_only else (bearer,)


def _now() -> datetime:
    return datetime.now(UTC)
