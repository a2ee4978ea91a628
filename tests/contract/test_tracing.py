"""A worker's spans, by OpenTelemetry's own SDK, linked to those in which services handled their errors."""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF
from opentelemetry.trace import SpanKind, StatusCode
from structlog.testing import capture_logs
from tests.servers.rabbitmq import RabbitMQ
from tests.tools.factories import wire_body
from tests.tools.publisher import publishing
from tests.tools.waiting import until

from faultwire import ErrorManager
from faultwire_consumer import tracing
from faultwire_consumer.config import WorkerConfig
from faultwire_consumer.domain.outcome import Duplicate, Outcome, Retry, Stored
from faultwire_consumer.ingest.read.delivery import Delivery, read_delivery
from faultwire_consumer.ingest.read.origin_span import context_in
from faultwire_consumer.ingest.receive.settlement import BrokerHandle, Generation
from faultwire_consumer.ingest.receive.traced import TracedIngester
from faultwire_consumer.tracing import LINKS_MAX, Spans
from faultwire_consumer.worker import assembly
from faultwire_consumer.worker.lifecycle import release, run_until
from faultwire_shared.codec import BATCH_TYPE, EVENT_TYPE
from faultwire_shared.event import Lane

TRACE: Final = "0af7651916cd43dd8448eb211c80319c"
RULES: Final = '[receivers.log]\ntype = "log"\n'

Link = tuple[int, int]


class Told:
    """A tracer of the SDK's, and the spans that it told of."""

    def __init__(self, provider: TracerProvider | None = None) -> None:
        self.exporter = InMemorySpanExporter()
        self.provider = provider or TracerProvider()
        self.provider.add_span_processor(SimpleSpanProcessor(self.exporter))
        self.tracer = self.provider.get_tracer("test")
        self.spans = Spans(self.tracer)

    def named(self, name: str) -> list[ReadableSpan]:
        return [one for one in self.exporter.get_finished_spans() if one.name == name]

    def links(self, name: str) -> set[Link]:
        return {
            (link.context.trace_id, link.context.span_id) for one in self.named(name) for link in one.links
        }


@pytest.fixture
def told() -> Told:
    return Told()


@asynccontextmanager
async def a_worker(config: WorkerConfig) -> AsyncIterator[None]:
    worker = await assembly.assemble(config)
    stop = asyncio.Event()
    running = asyncio.create_task(run_until(stop, worker))

    try:
        yield
    finally:
        stop.set()
        await running
        await release(worker)


@pytest.mark.may_block("rules are a file")
async def test_a_worker_s_spans_are_linked_to_where_errors_were_handled_over_a_real_broker(
    broker: RabbitMQ, sqlite_url: str, tmp_path: Path, told: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "rules.toml").write_text(RULES)
    monkeypatch.setattr(assembly, "find_spans", lambda: told.spans)
    config = WorkerConfig(
        database_url=sqlite_url, broker_url=broker.url, http_port=0, rules=tmp_path / "rules.toml"
    )

    async def is_told() -> bool:
        return bool(told.named("notify log"))

    async with a_worker(config):
        async with ErrorManager(service="shop", broker_url=broker.url, spool_path=None) as errors:
            with told.tracer.start_as_current_span("pay") as span:
                await errors.handle_error(ValueError("x"), "critical", durability="confirmed")
        await until(is_told, "the notification's span has ended")
        async with publishing(broker.url) as publisher:  # in another language, with the header alone
            header = {"traceparent": f"00-{TRACE}-{'b' * 16}-01", "tracestate": "rojo=1"}
            await publisher.publish_body(wire_body(severity="critical"), lane=Lane.CRITICAL, headers=header)

        async def are_stored() -> bool:
            return len(told.links("process faultwire.critical")) == 2

        await until(are_stored, "both events' spans are linked")
    ours = span.get_span_context()
    mine, theirs = (ours.trace_id, ours.span_id), (int(TRACE, 16), int("b" * 16, 16))
    assert told.links("process faultwire.critical") == {mine, theirs}
    batch = told.named("process faultwire.critical")[0]
    assert (batch.kind, batch.parent) == (SpanKind.CONSUMER, None)
    assert dict(batch.attributes or {}) == {
        "messaging.system": "rabbitmq",
        "messaging.operation.type": "process",
        "messaging.operation.name": "process",
        "messaging.destination.name": "faultwire.critical",
        "messaging.batch.message_count": 1,
        "faultwire.events.stored": 1,
    }
    notified = told.named("notify log")[0]
    assert mine in told.links("notify log")
    said = dict(notified.attributes or {})
    assert said.pop("faultwire.notification.id")
    assert said == {
        "faultwire.receiver": "log",
        "faultwire.attempt": 1,
        "faultwire.notification.kind": "incident",
        "faultwire.notification.reason": "new",
        "faultwire.severity": "critical",
        "faultwire.incidents": ("INC-1",),
        "faultwire.outcome": "sent",
    }


class Ingesting:
    """An ingester that answers as it is told, and says whether it was reached."""

    def __init__(self, *outcomes: Outcome) -> None:
        self.outcomes = list(outcomes)
        self.reached = 0

    async def ingest(self, deliveries: Sequence[Delivery]) -> list[list[Outcome]]:
        self.reached += 1
        return [self.outcomes for _ in deliveries]


def delivery_of(*events: Mapping[str, Any], headers: Mapping[str, Any] | None = None) -> Delivery:
    body = json.dumps(events).encode()
    handle = BrokerHandle(Generation(None), 1)  # type: ignore[arg-type]  # no channel is spoken to
    delivery = read_delivery(body, BATCH_TYPE, origin="faultwire.high", handle=handle)
    delivery.trace = context_in(headers or {})
    return delivery


def spanned(number: int) -> dict[str, Any]:
    return {"id": str(number), "trace_id": TRACE, "span_id": f"{number:016x}"}


async def test_one_span_is_for_a_batch_and_links_to_each_producer_s_span_once_and_to_a_bounded_number(
    told: Told,
) -> None:
    header = {"traceparent": f"00-{TRACE}-{1:016x}-01", "tracestate": "rojo=1"}
    few = [delivery_of(spanned(1), spanned(1), headers=header), delivery_of(spanned(2), {"id": "3"})]
    many = [delivery_of(*(spanned(number) for number in range(1, 200)))]
    ingester = TracedIngester(Ingesting(Stored("1"), Duplicate("2")), told.spans)
    await ingester.ingest(few)
    await ingester.ingest(many)
    short, long = told.named("process faultwire.high")
    assert [link.context.span_id for link in short.links] == [1, 2]
    first = short.links[0].context
    assert (first.is_remote, int(first.trace_flags), first.trace_state.to_header()) == (True, 1, "rojo=1")
    assert len(long.links) == LINKS_MAX
    assert (short.attributes or {})["faultwire.events.stored"] == 2
    assert (short.attributes or {})["faultwire.events.duplicate"] == 2
    assert short.status.status_code is StatusCode.UNSET


async def test_a_batch_that_goes_back_is_a_span_that_failed(told: Told) -> None:
    await TracedIngester(Ingesting(Retry("busy")), told.spans).ingest([delivery_of(spanned(1))])
    (span,) = told.named("process faultwire.high")
    assert span.status.status_code is StatusCode.ERROR
    assert (span.attributes or {})["error.type"] == "returned"


async def test_requests_are_no_messages_of_a_broker_s(told: Told) -> None:
    delivery = read_delivery(wire_body(), EVENT_TYPE, origin="intake", handle=None)
    await TracedIngester(Ingesting(Stored("1")), told.spans).ingest([delivery])
    (span,) = told.named("process intake")
    assert span.kind is SpanKind.INTERNAL
    assert "messaging.system" not in (span.attributes or {})


async def test_what_nobody_records_is_not_looked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    told = Told(TracerProvider(sampler=ALWAYS_OFF))
    monkeypatch.setattr(
        "faultwire_consumer.ingest.receive.traced.origin_spans", lambda _: pytest.fail("asked")
    )
    inner = Ingesting(Stored("1"))
    assert await TracedIngester(inner, told.spans).ingest([delivery_of(spanned(1))]) == [[Stored("1")]]


class Raising(SpanProcessor):
    """A user's own that fails, whatever it is told."""

    def on_start(self, span: object, parent_context: object = None) -> None:
        raise RuntimeError("start")

    def on_end(self, span: object) -> None:
        raise RuntimeError("end")


@pytest.mark.parametrize("method", ["on_start", "on_end"])
async def test_a_processor_that_fails_costs_no_event_and_is_told_of_once(method: str) -> None:
    provider = TracerProvider()
    failing = Raising()
    setattr(failing, "on_end" if method == "on_start" else "on_start", lambda *_, **__: None)
    provider.add_span_processor(failing)
    inner = Ingesting(Stored("1"))
    ingester = TracedIngester(inner, Spans(provider.get_tracer("test")))
    with capture_logs() as logged:
        for _ in range(3):
            assert await ingester.ingest([delivery_of(spanned(1))]) == [[Stored("1")]]
    assert inner.reached == 3
    assert [(one["event"], one["why"]) for one in logged] == [
        ("tracing.failed", f"RuntimeError: {method.removeprefix('on_')}")
    ]


_value = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)
_parent = st.from_regex(rf"0[0-9]-{TRACE}-[0-9a-f]{{16}}-0[01](-.*)?", fullmatch=True) | _value


@given(
    parent=_parent,
    state=_value,
    trace_id=st.just(TRACE) | st.text(),
    span_id=st.just("b" * 16) | st.text() | st.none() | st.integers(),
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_header_and_no_event_ends_or_changes_a_batch(
    told: Told, parent: object, state: object, trace_id: str, span_id: object
) -> None:
    delivery = delivery_of(
        {"trace_id": trace_id, "span_id": span_id}, headers={"traceparent": parent, "tracestate": state}
    )
    inner = Ingesting(Stored("1"))
    outcomes = asyncio.run(TracedIngester(inner, told.spans).ingest([delivery]))
    assert outcomes == [[Stored("1")]]
    span = told.exporter.get_finished_spans()[-1]
    assert all(link.context.is_valid for link in span.links)


_ASKED: Final = """
from faultwire_consumer.tracing import find_spans
with find_spans().open("work", {"some": 1}) as span:
    span.link([])
    print(span.is_recorded)
"""


@pytest.mark.may_block("asks a fresh interpreter")
def test_a_worker_whose_environment_names_a_provider_is_traced_by_it() -> None:
    environment = os.environ | {tracing.PROVIDER_VARIABLE: "sdk_tracer_provider"}
    command = [sys.executable, "-c", _ASKED]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True, timeout=90)
    assert done.stdout.splitlines()[-1] == "True"


def test_a_worker_is_traced_by_the_provider_that_its_start_set_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trace, "get_tracer_provider", TracerProvider)
    assert tracing.find_spans() is not None


def test_nobody_traces_a_worker_where_opentelemetry_is_loaded_and_not_set_up() -> None:
    assert tracing.find_spans() is None


@pytest.mark.parametrize("is_installed", [True, False])
def test_a_provider_that_cannot_be_had_ends_no_worker(
    *, is_installed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    def get() -> TracerProvider:
        raise RuntimeError("no such provider")

    monkeypatch.setattr(trace, "get_tracer_provider", get)
    if not is_installed:
        monkeypatch.setitem(sys.modules, "opentelemetry", None)
    with capture_logs() as logged:
        assert tracing.find_spans() is None
    assert [one["event"] for one in logged] == ["tracing.failed"]
