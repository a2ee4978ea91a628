"""Rehearsals of rules under ``/api/v1``: a policy's text, played to the stored history."""

from typing import Final, Literal

from aiohttp import web
from msgspec import Struct

from faultwire_consumer.domain.access.scope import AccessScope
from faultwire_consumer.domain.rehearsal.report import RehearsalReport
from faultwire_consumer.rehearsal.rehearser import RehearsalBusyError, RehearsalFailedError
from faultwire_consumer.web.access.declared import AccessRoutes
from faultwire_consumer.web.access.told_acts import NOTHING_DONE
from faultwire_consumer.web.openapi.operation import describe
from faultwire_consumer.web.rehearsing import USUAL_SECONDS, run_rehearsal
from faultwire_consumer.web.request import API_PREFIX, json_answer
from faultwire_consumer.web.state import REHEARSER

_PATH: Final = f"{API_PREFIX}/rules/rehearsal"

routes = AccessRoutes()


class RehearsalRequest(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The body of a request for a rehearsal."""

    policy: str
    """The TOML of the rules that are to be rehearsed."""
    since_seconds: int = USUAL_SECONDS
    """Seconds to go back, 35 days at most; windows and digests are warmed up by what came before."""
    against: Literal["current", "shipped"] | None = None
    """Say what would be new and what would be missing beside this policy."""
    against_policy: str | None = None
    """The TOML of another policy to compare with, in the place of ``against``."""


class RehearsalProgress(Struct, frozen=True, kw_only=True):
    """Progress of the rehearsal that runs on this worker."""

    is_running: bool
    events: int
    total: int
    """Events that it plays; 0 before it has counted them."""


@routes.post(_PATH, access=AccessScope.ACT)
@describe(takes=RehearsalRequest, answers=RehearsalReport, raises=[RehearsalBusyError, RehearsalFailedError])
async def rehearse_rules(request: web.Request, asked: RehearsalRequest) -> web.Response:
    """Play the stored history to a policy, send nothing, and say what it would have sent."""
    request[NOTHING_DONE] = True
    report = await run_rehearsal(
        request,
        asked.policy,
        since_seconds=asked.since_seconds,
        against=asked.against,
        against_policy=asked.against_policy,
    )
    return json_answer(report)


@routes.get(_PATH, access=AccessScope.READ)
@describe(answers=RehearsalProgress)
async def show_progress(request: web.Request) -> web.Response:
    """Progress of the rehearsal that runs on this worker."""
    rehearser = request.app[REHEARSER]
    progress = rehearser.progress if rehearser is not None else None
    return json_answer(
        RehearsalProgress(
            is_running=progress is not None,
            events=progress.events if progress is not None else 0,
            total=progress.total if progress is not None else 0,
        )
    )
