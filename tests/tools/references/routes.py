"""The reference of the HTTP API, made of its own description."""

import asyncio
from collections.abc import Mapping, Set
from tempfile import TemporaryDirectory
from typing import Any

from aiohttp import web
from tests.tools.clock import FixedClock
from tests.tools.opening import open_current
from tests.tools.references.table import cell

from faultwire_consumer.domain.policy.policy import Policy
from faultwire_consumer.ingest.pipeline import Pipeline
from faultwire_consumer.ingest.rules.evaluation import Evaluator
from faultwire_consumer.maintenance.self_report import SelfReport
from faultwire_consumer.metrics import Metrics
from faultwire_consumer.notify.policy_file import read_policy
from faultwire_consumer.store.contract.store import Store
from faultwire_consumer.web.openapi.document import make_document
from faultwire_consumer.web.state import Health
from faultwire_consumer.worker.application import create_app
from faultwire_shared.health import HealthChecker


def described() -> dict[str, Any]:
    """The description of a worker's routes."""
    return asyncio.run(_describe(read_policy()))


async def _describe(policy: Policy) -> dict[str, Any]:
    with TemporaryDirectory() as place:
        store = await open_current(f"sqlite:///{place}/faultwire.db")
        try:
            return make_document(_application(store, policy))
        finally:
            await store.close()


def _application(store: Store, policy: Policy) -> web.Application:
    """An application that has its routes and is asked nothing."""
    clock, metrics, health = FixedClock(), Metrics(), HealthChecker()

    async def answer(_: web.Request) -> web.Response:
        return web.Response()

    async def keep(body: bytes, message_type: str = "") -> bool:
        return True

    return create_app(
        store=store,
        health=Health(live=health, ready=health, startup=health),
        metrics=metrics,
        report=SelfReport(keep, clock=clock),
        clock=clock,
        pipeline=Pipeline(store, metrics=metrics, evaluator=Evaluator(policy), clock=clock),
        policy=lambda: policy,
        loopback_only=False,
        intake=answer,
    )


def routes_table() -> str:
    """Every route with its scope, its parameters, and what it answers besides what all may."""
    operations = [
        (f"`{method.upper()} {path}`", operation)
        for path, methods in sorted(described()["paths"].items())
        for method, operation in sorted(methods.items())
    ]
    common = set.intersection(*(set(operation["responses"]) for _, operation in operations))
    lines = [
        f"Each may also answer {', '.join(sorted(common))}.\n",
        "| route | scope | does | parameters | answers |",
        "|---|---|---|---|---|",
    ]
    return "\n".join([*lines, *(_row(route, operation, common) for route, operation in operations)])


def _row(route: str, operation: Mapping[str, Any], common: Set[str]) -> str:
    parameters = [one["name"] for one in operation["parameters"] if one["in"] == "query"]
    scopes = [scope for one in operation.get("security", ()) for names in one.values() for scope in names]
    cells = (
        route,
        " ".join(scopes) or "none",
        cell(operation["summary"]),
        " ".join(f"`{name}`" for name in parameters),
        " ".join(sorted(set(operation["responses"]) - common)),
    )
    return f"| {' | '.join(cells)} |"
