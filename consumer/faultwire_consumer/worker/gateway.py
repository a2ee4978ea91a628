"""Puts the gateway together, for a worker and for a process of its own: keys, disk, and its addresses."""

import asyncio
import os
import secrets
import socket
from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Final

from aiohttp import web
from msgspec import Struct

from faultwire.process.private_directory import prepare_directory
from faultwire.publish.transport import Busy, Outgoing, Refused, TransportDown
from faultwire.queue.directory import default_spool_path
from faultwire.queue.file import SpoolLimit
from faultwire_consumer.config import WorkerConfig
from faultwire_consumer.gateway.door.routes import GatewayRoute, gateway_routes
from faultwire_consumer.gateway.door.supplies import DoorSupplies
from faultwire_consumer.gateway.door.tokens import PatientTokens
from faultwire_consumer.gateway.keeping.keeper import Keeper, Publish
from faultwire_consumer.gateway.keeping.spool import GatewaySpool, SpoolUnavailableError
from faultwire_consumer.gateway.keeping.spool_file import SERVICE
from faultwire_consumer.gateway.keys import KeyBook
from faultwire_consumer.gateway.known_keys import KnownKeys
from faultwire_consumer.gateway.reports.keeper import GatewayReports
from faultwire_consumer.gateway.reports.metrics import GatewayMetrics
from faultwire_consumer.gateway.reports.tally import GatewayIdentity
from faultwire_consumer.gateway.reports.wrong_key import WrongKey
from faultwire_consumer.maintenance.self_report import SelfReport
from faultwire_consumer.metrics import Metrics
from faultwire_consumer.store.contract.store import Store
from faultwire_consumer.web.access.bearer import TokenBook
from faultwire_consumer.web.access.visitor import TRUSTED_NETWORKS, address_of
from faultwire_consumer.worker.exposition.first_series import show_gateway_series
from faultwire_shared.clock import Clock

KEYS_FILE: Final = "keys.json"
_NOBODYS: Final = "0"
"""A key that nobody has, to see whether any can be looked up."""
_CALL_SECONDS: Final = 1.0


class Gateway(Struct, frozen=True, kw_only=True):
    """The gateway of a process: its addresses, its two chores, and what it lets go of at the end."""

    routes: Sequence[GatewayRoute]
    keeper: Keeper
    reports: GatewayReports
    keys: KeyBook
    spool_path: str

    async def start(self) -> None:
        """Learn the keys, as far as they can be had."""
        # The keys' file is in it. Where it cannot be made, the spool tells so when it is needed.
        with suppress(OSError):
            await asyncio.to_thread(prepare_directory, self.spool_path)
        await self.keys.start()

    async def check_keys(self) -> None:
        """Pass if senders can be told from strangers.

        Raises:
            StoreUnavailableError: the database does not answer, and no key was ever known.
        """
        await self.keys.find(_NOBODYS, None)

    async def check_spool(self) -> None:
        """Pass if there is somewhere to keep what nobody takes now.

        Raises:
            SpoolUnavailableError: the disk could not be used when it was needed last.
        """
        if self.keeper.spool.why_unavailable:
            raise SpoolUnavailableError(self.keeper.spool.why_unavailable)

    async def aclose(self) -> None:
        """Report what was counted, and close the spool; requests are answered by now."""
        await self.reports.send_last()
        await self.keeper.aclose()
        await self.keys.close()


def assemble_gateway(
    config: WorkerConfig,
    store: Store,
    publish: Publish,
    *,
    metrics: Metrics,
    report: SelfReport,
    clock: Clock,
) -> Gateway:
    """Put it together.

    Args:
        config: says where its disk is.
        store: the primary, for keys and tokens.
        publish: passes messages on, to the broker or into the worker's lanes.
        metrics: on whose registry it counts.
        report: takes the errors of senders with wrong keys.
        clock: the time in UTC.
    """
    path = spool_path_of(config)
    limit = SpoolLimit(rows=config.gateway_spool_events, bytes=int(config.gateway_spool_bytes))
    counters = GatewayMetrics(metrics.registry)
    show_gateway_series(counters)
    spool = GatewaySpool(path, limit, tell_waiting=counters.spool_events.set)
    keeper = Keeper(publish, spool, metrics=metrics)
    # A SQLite file is on this disk too: it is away when that is.
    known = None if config.database_url.startswith("sqlite") else KnownKeys(Path(path) / KEYS_FILE)
    keys = KeyBook(store, clock=clock, known=known)
    reports = GatewayReports(
        partial(_keep_report, publish),
        metrics=counters,
        tell=partial(_tell_wrong_key, report),
        who=GatewayIdentity(host=socket.gethostname(), process=secrets.token_hex(4)),
        clock=clock,
    )
    supplies = DoorSupplies(
        keys=keys,
        check_token=PatientTokens(TokenBook(store, clock=clock).check, clock=clock).check,
        keeper=keeper,
        observer=reports,
        clock=clock,
        address_of=trusted_address_of,
        is_open=config.is_open and config.loopback_only,
    )
    routes = tuple(gateway_routes(supplies))
    return Gateway(routes=routes, keeper=keeper, reports=reports, keys=keys, spool_path=path)


def spool_path_of(config: WorkerConfig) -> str:
    """Return the directory of the gateway's spool."""
    if config.gateway_spool_path is not None:
        return str(config.gateway_spool_path)
    return default_spool_path(os.environ, SERVICE)


def trusted_address_of(request: web.Request) -> str | None:
    """Return a user's address, where it is known which proxies may say it; else the peer may be one."""
    return address_of(request) if request.app.get(TRUSTED_NETWORKS) else None


async def keep_message(publish: Publish, message: Outgoing) -> bool:
    """Pass a message on that is made again where this fails; return True if it was taken."""
    try:
        async with asyncio.timeout(_CALL_SECONDS):
            await publish(message)
    except (TransportDown, Busy, Refused, TimeoutError):
        return False
    return True


async def _keep_report(publish: Publish, body: bytes, message_type: str, routing_key: str) -> bool:
    message = Outgoing(body=body, message_type=message_type, routing_key=routing_key)
    return await keep_message(publish, message)


def _tell_wrong_key(report: SelfReport, wrong: WrongKey) -> None:
    report.report(wrong.error(), part=wrong.part, fingerprint=wrong.fingerprint)
