"""Producers by service: who reports, who went quiet, and what is missing; and the processes of one."""

from collections.abc import Mapping
from datetime import datetime
from typing import Final

from aiohttp import web
from msgspec import Struct

from faultwire_consumer.domain.access.scope import AccessScope
from faultwire_consumer.domain.producer.state import ProducerReason, ProducerState, ProducerVerdict
from faultwire_consumer.domain.query.query import Key, any_of
from faultwire_consumer.store.audit.producer_list import Producer, list_producers, verdict_of
from faultwire_consumer.store.audit.service_clients import ServiceClient
from faultwire_consumer.store.audit.service_list import ServiceProducers, list_services
from faultwire_consumer.web.access.declared import AccessRoutes
from faultwire_consumer.web.page.section.query_link import list_path, named_path, releases_path
from faultwire_consumer.web.page.shell import show
from faultwire_consumer.web.request import cursor_errors, read_parameters
from faultwire_consumer.web.state import CLOCK, STORE
from faultwire_shared.taxonomy import NotFoundError

ROWS: Final = 50
REASONS_SHOWN: Final = 3
_TONES: Final = {ProducerState.REPORTS: "ok", ProducerState.SETTLED: "soft", ProducerState.QUIET: "no"}

routes = AccessRoutes()


class ServiceNotHeardError(NotFoundError):
    """No process of that service numbers its events."""

    code = "SERVICE_NOT_HEARD"


class LostWords(Struct, frozen=True):
    """Counts by reason or kind: how many in all, and those that took most."""

    total: int
    reasons: tuple[tuple[int, str], ...]
    more: int
    """Reasons beyond these."""


class ClientRow(Struct, frozen=True, kw_only=True):
    """One version of a client library, in all processes of a service, as a line."""

    sdk: str
    via: str | None
    last_seen_at: datetime
    processes: int
    events: int
    dropped: LostWords
    lost: LostWords


class HeardRow(Struct, frozen=True, kw_only=True):
    """A service, or one process, as a line."""

    name: str
    path: str | None
    """Where its processes are listed; None of a process, and of a name that no address can say."""
    tone: str
    state: str
    """The state in words."""
    last_seen_at: datetime
    numbered: int
    missing: int
    dead_lettered: int
    unfollowed: int
    lost: LostWords
    spool_depth: int
    sdks: tuple[str, ...]
    processes: int
    errors: str
    """Where its incidents are listed."""
    unnumbered: int = 0
    via: str | None = None
    """The program that reports in the place of a process, as in ``gateway``."""
    dropped: LostWords = LostWords(0, (), 0)
    clients: tuple[ClientRow, ...] = ()
    host: str = ""
    started_at: datetime | None = None
    last_report_at: datetime | None = None


@routes.get("/producers", access=AccessScope.READ)
async def show_services(request: web.Request) -> web.Response:
    """A line for each service whose processes number their events."""
    parameters = read_parameters(request)
    cursor = parameters.cursor()
    parameters.finish()
    now = request.app[CLOCK]()
    with cursor_errors():
        page = await list_services(request.app[STORE], limit=ROWS, now=now, cursor=cursor)
    rows = tuple(service_row(one) for one in page.rows)
    following = request.rel_url.update_query(cursor=page.next_cursor) if page.next_cursor else None
    is_first = cursor is None
    return await show(request, "producers/services.html", rows=rows, following=following, is_first=is_first)


@routes.get("/producers/{service:[^/]+}", access=AccessScope.READ)
async def show_processes(request: web.Request) -> web.Response:
    """The processes of one service."""
    service, store, now = request.match_info["service"], request.app[STORE], request.app[CLOCK]()
    parameters = read_parameters(request)
    cursor = parameters.cursor()
    parameters.finish()
    whole = await list_services(store, service=[service], limit=1, now=now)
    if not whole.rows:
        raise ServiceNotHeardError(f"no process of {service[:100]} numbers its events")
    with cursor_errors():
        page = await list_producers(store, service=[service], limit=ROWS, cursor=cursor)
    following = request.rel_url.update_query(cursor=page.next_cursor) if page.next_cursor else None
    return await show(
        request,
        "producers/processes.html",
        service=service_row(whole.rows[0]),
        releases=releases_path(service),
        rows=tuple(process_row(one, now) for one in page.rows),
        following=following,
        is_first=cursor is None,
    )


def service_row(found: ServiceProducers) -> HeardRow:
    """Return a service as a line."""
    return HeardRow(
        name=found.service,
        path=named_path("/producers", found.service),
        tone=_TONES[found.verdict.state],
        state=state_words(found.verdict, quiet=found.quiet, processes=found.processes),
        last_seen_at=found.last_seen_at,
        numbered=found.numbered,
        missing=found.missing,
        dead_lettered=found.dead_lettered,
        unfollowed=found.unfollowed,
        lost=lost_words(found.lost),
        spool_depth=found.spool_depth,
        sdks=found.sdks,
        processes=found.processes,
        errors=list_path(any_of(Key.SERVICE, [found.service])),
        unnumbered=found.unnumbered,
        dropped=lost_words(found.dropped),
        clients=tuple(client_row(one) for one in found.clients),
    )


def client_row(found: ServiceClient) -> ClientRow:
    """Return a client of a service as a line."""
    return ClientRow(
        sdk=found.sdk,
        via=found.via,
        last_seen_at=found.last_seen_at,
        processes=found.processes,
        events=found.numbered + found.unnumbered,
        dropped=lost_words(found.dropped),
        lost=lost_words(found.lost),
    )


def process_row(found: Producer, now: datetime) -> HeardRow:
    """Return a process as a line."""
    verdict = verdict_of(found, now)
    return HeardRow(
        name=found.producer_id,
        path=None,
        tone=_TONES[verdict.state],
        state=state_words(verdict),
        last_seen_at=found.last_seen_at,
        numbered=found.last_sequence,
        missing=found.missing,
        dead_lettered=found.dead_lettered,
        unfollowed=found.unfollowed,
        lost=lost_words(found.lost),
        spool_depth=found.spool_depth,
        sdks=() if found.sdk is None else (found.sdk,),
        processes=1,
        errors=list_path(any_of(Key.SERVICE, [found.service])),
        unnumbered=found.unnumbered,
        via=found.via,
        dropped=lost_words(found.dropped),
        host=found.host,
        started_at=found.started_at,
        last_report_at=found.last_report_at,
    )


def state_words(verdict: ProducerVerdict, *, quiet: int = 0, processes: int = 1) -> str:
    """Return a state in words: of a service with how many of its processes are quiet beside the last."""
    if verdict.state is ProducerState.QUIET:
        why = "events lie on its disk"
        if verdict.reason is ProducerReason.NO_GOODBYE:
            why = "its process said no goodbye" if processes == 1 else "its last process said no goodbye"
        return f"quiet, {why}"
    return f"{verdict.state}, {quiet:,} of {processes:,} quiet" if quiet else str(verdict.state)


def lost_words(lost: Mapping[str, int]) -> LostWords:
    """Return losses by their largest reasons."""
    largest = sorted(((count, reason) for reason, count in lost.items()), key=lambda one: (-one[0], one[1]))
    shown = tuple(largest[:REASONS_SHOWN])
    return LostWords(sum(lost.values()), shown, len(largest) - len(shown))
