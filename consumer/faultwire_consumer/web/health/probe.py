"""``/livez``, ``/readyz`` and ``/startupz``: what an orchestrator asks, in JSON or in lines."""

from collections.abc import Sequence
from typing import Any, Final, Literal

import msgspec
from aiohttp import web
from msgspec import Struct

from faultwire_consumer.domain.access.principal import Via
from faultwire_consumer.domain.access.scope import AccessScope
from faultwire_consumer.store.contract.store import StoreUnavailableError
from faultwire_consumer.web.access.at_home import is_at_home
from faultwire_consumer.web.access.declared import OPEN, AccessRoutes
from faultwire_consumer.web.access.guard import recognise
from faultwire_consumer.web.openapi.answer import TEXT_TYPE, GivenAnswer
from faultwire_consumer.web.openapi.operation import describe
from faultwire_consumer.web.parameter import Parameters
from faultwire_consumer.web.state import HEALTH
from faultwire_shared.accept import prefers
from faultwire_shared.error_body import JSON_TYPE
from faultwire_shared.health import CheckReport, HealthChecker, Report
from faultwire_shared.taxonomy import AuthenticationError, ValidationError

NOT_HERE: Final = "the reason is told on the worker's own machine, or to who may read, and in its log"
HEALTH_JSON: Final = "application/health+json"
_LINES: Final = {"pass": "[+]{} ok", "warn": "[!]{} degraded: {}", "fail": "[-]{} failed: {}"}

routes = AccessRoutes()


class HealthDocument(Struct, frozen=True):
    """The format of the IETF's draft for health checks."""

    status: Literal["pass", "warn", "fail"]
    checks: dict[str, list[dict[str, Any]]]


class ProbeAsked(Struct, frozen=True):
    """The form in which a probe is asked to answer."""

    exclude: tuple[str, ...]
    verbose: bool


def probe_asked(parameters: Parameters) -> ProbeAsked:
    """Read a probe's parameters."""
    return ProbeAsked(
        parameters.texts("exclude", "Checks that are passed over, by name."),
        parameters.flag("verbose", "Answer in lines of text."),
    )


_content: Final = {JSON_TYPE: Report, HEALTH_JSON: HealthDocument, TEXT_TYPE: None}
_probe: Final = describe(
    reads=probe_asked,
    lenient=True,  # an orchestrator that cannot be answered kills the worker
    answers=(
        GivenAnswer(about="Every required check passes.", content=_content),
        GivenAnswer(about="Some required check does not pass.", content=_content, status=503),
    ),
)


@routes.get("/livez", access=OPEN)
@_probe
async def livez(request: web.Request, asked: ProbeAsked) -> web.Response:
    """Does the loop turn? Restart the worker if not."""
    return await _answer(request, request.app[HEALTH].live, asked)


@routes.get("/readyz", access=OPEN)
@_probe
async def readyz(request: web.Request, asked: ProbeAsked) -> web.Response:
    """Can it take events now?"""
    return await _answer(request, request.app[HEALTH].ready, asked)


@routes.get("/startupz", access=OPEN)
@_probe
async def startupz(request: web.Request, asked: ProbeAsked) -> web.Response:
    """Has it come up?"""
    return await _answer(request, request.app[HEALTH].startup, asked)


async def _answer(request: web.Request, checker: HealthChecker, asked: ProbeAsked) -> web.Response:
    report = without(await checker.run_checks(), asked.exclude)
    if not await _may_read(request):
        report = without_reasons(report)
    status = 200 if report["status"] == "healthy" else 503
    if asked.verbose:
        text = in_lines(report, request.path.strip("/"))
        return web.Response(text=text, status=status)
    body, content_type = msgspec.json.encode(report), JSON_TYPE
    if prefers(HEALTH_JSON, JSON_TYPE, request.headers.get("Accept")):
        body, content_type = msgspec.json.encode(in_health_json(report)), HEALTH_JSON
    return web.Response(body=body, status=status, content_type=content_type)


async def _may_read(request: web.Request) -> bool:
    """Return whether reasons are for whoever asks; a probe is answered also where that cannot be known."""
    try:
        principal = await recognise(request)
    except (AuthenticationError, ValidationError, StoreUnavailableError):
        return False
    if principal is None or not principal.may(AccessScope.READ):
        return False
    return principal.via is not Via.OPEN or is_at_home(request)


def without_reasons(report: Report) -> Report:
    """The report as strangers may read it: reasons name users, hosts and queues."""
    checks = [
        check if check["status"] == "pass" else CheckReport(**{**check, "error": NOT_HERE})
        for check in report["checks"]
    ]
    return Report(status=report["status"], checks=checks)


def without(report: Report, names: Sequence[str]) -> Report:
    """The report as if some checks were not there."""
    checks = [check for check in report["checks"] if check["name"] not in names]
    healthy = all(check["status"] != "fail" for check in checks)
    return Report(status="healthy" if healthy else "unhealthy", checks=checks)


def in_lines(report: Report, name: str) -> str:
    """The report as Kubernetes' own servers write theirs, and their sign for what only warns."""
    lines = [_LINES[check["status"]].format(check["name"], check.get("error")) for check in report["checks"]]
    passed = report["status"] == "healthy"
    return "\n".join([*lines, f"{name} check {'passed' if passed else 'failed'}", ""])


def in_health_json(report: Report) -> dict[str, Any]:
    """The report in the format of the IETF's draft for health checks."""
    warned = any(check["status"] == "warn" for check in report["checks"])
    return {
        "status": "fail" if report["status"] != "healthy" else "warn" if warned else "pass",
        "checks": {check["name"]: [_observed(check)] for check in report["checks"]},
    }


def _observed(check: CheckReport) -> dict[str, Any]:
    if check["status"] != "pass":
        return {"status": check["status"], "output": check.get("error")}
    return {"status": "pass", "observedValue": check.get("response_time"), "observedUnit": "s"}
