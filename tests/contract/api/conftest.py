"""A worker's HTTP application over a real store, fed through the real pipeline; no socket to a broker."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from tests.tools.clock import FixedClock
from tests.tools.description import AnswerWatch

from faultwire_consumer.domain.access.scope import AccountRole
from faultwire_consumer.domain.outcome import must_return
from faultwire_consumer.domain.policy.policy import Policy
from faultwire_consumer.ingest.pipeline import Pipeline
from faultwire_consumer.ingest.read.delivery import read_delivery
from faultwire_consumer.ingest.receive.settlement import IntakeHandle
from faultwire_consumer.ingest.rules.evaluation import Evaluator
from faultwire_consumer.maintenance.self_report import SelfReport
from faultwire_consumer.metrics import Metrics
from faultwire_consumer.notify.policy_file import read_policy
from faultwire_consumer.serving.body import read_whole_body
from faultwire_consumer.store.contract.store import Store
from faultwire_consumer.web.access.open_door import open_door
from faultwire_consumer.web.state import Health
from faultwire_consumer.worker.application import create_app
from faultwire_shared import codec
from faultwire_shared.event import Category, ErrorSeverity, Event, ExceptionInfo, Frame
from faultwire_shared.event_id import new_event_id
from faultwire_shared.health import HealthChecker

if TYPE_CHECKING:
    from tests.contract.api.people import Browser


@dataclass
class Site:
    """The application under test, and how events get into its store."""

    client: TestClient[web.Request, web.Application]
    store: Store
    pipeline: Pipeline
    clock: FixedClock
    ready: list[Exception] = field(default_factory=list)

    async def send(self, **fields: Any) -> Event:
        """Store one event that occurred just now, a second after the one before."""
        self.clock.advance(timedelta(seconds=1))
        event = make_event(self.clock, **fields)
        await self.send_body(codec.encode(event))
        return event

    async def send_body(self, body: bytes) -> None:
        """Put a body through the pipeline, whatever it is."""
        answer = asyncio.get_running_loop().create_future()
        delivery = read_delivery(body, codec.EVENT_TYPE, origin="http", handle=IntakeHandle(answer))
        await self.pipeline.ingest([delivery])

    async def get(self, path: str, **headers: str) -> tuple[int, Any]:
        """Status and document."""
        async with self.client.get(
            path, headers={k.replace("_", "-"): v for k, v in headers.items()}
        ) as answer:
            return answer.status, await answer.json()

    async def post(self, path: str, json: Any = None, **headers: str) -> tuple[int, Any]:
        """Status and document."""
        async with self.client.post(
            path, json=json, headers={k.replace("_", "-"): v for k, v in headers.items()}
        ) as answer:
            return answer.status, await answer.json()

    async def page(self, path: str) -> tuple[int, str]:
        """Status and text of a page, as a browser asks for it."""
        async with self.client.get(path, headers={"Accept": "text/html"}) as answer:
            return answer.status, await answer.text()


def make_event(clock: FixedClock, *, kind: str = "ValueError", text: str = "bad", **fields: Any) -> Event:
    now = clock()
    where = f"handle_{kind.lower()}"
    frame = Frame(file="shop/app.py", module="shop.app", qualname=where, line=7, context=["raise error"])
    given: dict[str, Any] = {
        "severity": ErrorSeverity.HIGH,
        "service": "billing",
        "category": Category.SYSTEM,
        "code": "INTERNAL_ERROR",
        "message": text,
        "exceptions": [ExceptionInfo(type=kind, module="shop", value=text, frames=[frame])],
    }
    return Event(id=new_event_id(now), schema_version=1, occurred_at=now, **given | fields)


@dataclass
class Parts:
    """An application, and what it was made of."""

    app: web.Application
    report: SelfReport
    pipeline: Pipeline
    failures: list[Exception]
    metrics: Metrics


def make_parts(store: Store, clock: FixedClock, policy: Policy, **settings: Any) -> Parts:
    metrics = Metrics()
    failures: list[Exception] = []

    async def check() -> None:
        if failures:
            raise failures[0]

    ready = HealthChecker(cache_seconds=0)
    ready.add_check("store", store.ping)
    ready.add_check("lane", check)
    live = HealthChecker(cache_seconds=0)

    async def intake(request: web.Request) -> web.Response:
        size = len(await read_whole_body(request, may_be_encoded=True))
        return web.json_response({"results": [], "size": size}, status=202)

    pipeline = Pipeline(store, metrics=metrics, evaluator=Evaluator(policy), clock=clock)

    async def keep(body: bytes, message_type: str = codec.EVENT_TYPE) -> bool:
        delivery = read_delivery(body, message_type, origin="maintenance", handle=None)
        (outcomes,) = await pipeline.ingest([delivery])
        return not must_return(outcomes)

    report = SelfReport(keep, clock=clock)
    usual: dict[str, Any] = {"loopback_only": True, "recognisers": (open_door,), "intake": intake}
    app = create_app(
        store=store,
        health=Health(live=live, ready=ready, startup=ready),
        metrics=metrics,
        report=report,
        clock=clock,
        pipeline=pipeline,
        policy=lambda: policy,
        **usual | settings,
    )
    return Parts(app, report, pipeline, failures, metrics)


@asynccontextmanager
async def serve(store: Store, clock: FixedClock, **settings: Any) -> AsyncIterator[Site]:
    """Serve the application, its settings changed."""
    policy = settings.pop("policy", None) or await asyncio.to_thread(read_policy)
    parts = make_parts(store, clock, policy, **settings)
    watch = AnswerWatch()
    parts.app.middlewares.insert(0, watch.middleware)
    async with parts.report, TestClient(TestServer(parts.app)) as client:
        yield Site(client, store, parts.pipeline, clock, parts.failures)
    assert not watch.misfits, "the API's description does not know these answers"


@pytest.fixture
async def site(store: Store, clock: FixedClock) -> AsyncIterator[Site]:
    async with serve(store, clock) as site:
        yield site


@pytest.fixture
async def door(store: Store, clock: FixedClock) -> AsyncIterator[Site]:
    """A worker at which people sign in."""
    from tests.contract.api.people import PUBLIC, serve_people  # noqa: PLC0415 - it stands on this module

    async with serve_people(store, clock, public_url=PUBLIC) as site:
        yield site


@pytest.fixture
async def admin(door: Site, store: Store) -> "Browser":
    """The browser of an admin who is signed in there."""
    from tests.contract.api.people import Browser, add_person  # noqa: PLC0415 - it stands on this module

    await add_person(store, "root", AccountRole.ADMIN)
    browser = Browser(door)
    assert (await browser.sign_in("root")).status == 303
    return browser
