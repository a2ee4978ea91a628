"""Every recording of a real SDK, sent again to a worker without a broker: the answers, and what is stored."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime

import pytest
from tests.tools.gateway_bench import SERVICE, Answered, GatewayBench, a_gateway
from tests.tools.sentry_traffic import events_of, sentry_recordings
from tests.tools.traffic import KEY, RecordedRequest, recordings

from faultwire_consumer.gateway.door.otlp import BATCH
from faultwire_consumer.gateway.otlp.kind import body_kind
from faultwire_consumer.gateway.otlp.request import read_logs, read_traces
from faultwire_consumer.gateway.otlp.result import OtlpContext, OtlpReading
from faultwire_consumer.gateway.sentry.limits import UNSUPPORTED
from faultwire_consumer.serving.inflate import Inflater

SENTRY = ("/envelope", "/store", "/security")
AT_ONCE = 20
ON_BOTH = pytest.mark.parametrize(
    "database_url", ["sqlite", pytest.param("postgresql", marks=pytest.mark.e2e)], indirect=True
)
OTLP = ("/v1/logs", "/v1/traces", "/v1/metrics")
_ID = "SELECT event_id FROM {s}events WHERE service <> 'faultwire'"
_COUNTED = "SELECT sum(count) FROM {s}incidents WHERE service <> 'faultwire'"
_AUTH = ("X-Sentry-Auth", f"Sentry sentry_key={KEY}, sentry_version=7")


@ON_BOTH
async def test_every_recording_of_sentrys_sdks_is_answered_200_and_its_events_stored_once(
    database_url: str,
) -> None:
    sent = {
        str(event.told["event_id"]).replace("-", "").lower()
        for recording in sentry_recordings()
        for event in events_of(recording)
    }
    async with a_gateway(database_url) as bench:
        for _ in range(2):
            async for _, answered in _replayed(bench, SENTRY):
                assert (answered.status, answered.headers["Content-Type"]) == (200, "application/json")
                assert answered.headers["X-Sentry-Rate-Limits"] == UNSUPPORTED
            stored = [event_id.rpartition("_")[2] for event_id in await bench.stored.all(_ID)]
            assert len(stored) == len(set(stored))
            assert set(stored) == sent
            assert await bench.stored.one(_COUNTED) == len(sent)
        assert await bench.stored.one("SELECT count(*) FROM {s}dead_letters") == 0


@ON_BOTH
async def test_every_recording_of_opentelemetrys_exporters_is_answered_200_and_stored_once(
    database_url: str,
) -> None:
    events = {event.id for request in _sent_to(OTLP[:2]) for event in _read(request).reading.events}
    async with a_gateway(database_url) as bench:
        for _ in range(3):
            async for request, answered in _replayed(bench, OTLP, _AUTH):
                assert answered.status == 200
                is_json = request.header("content-type") == "application/json"
                assert answered.body == (b"{}" if is_json else b"")
            assert sorted(await bench.stored.all(_ID)) == sorted(events)
            assert await bench.stored.one(_COUNTED) == len(events) > 200
        assert await bench.stored.one("SELECT count(*) FROM {s}dead_letters") == 0


def _read(request: RecordedRequest) -> OtlpReading:
    kind = body_kind(request.header("content-type") or "")
    assert kind is not None
    read = read_logs if "/v1/logs" in request.path else read_traces
    inflater = Inflater(request.header("content-encoding") or "gzip", most=BATCH.inflated)
    is_packed = request.header("content-encoding") is not None
    body = b"".join(inflater.feed(request.content)) if is_packed else request.content
    return read(body, kind, OtlpContext(received_at=datetime.now(UTC), service=SERVICE, is_fixed=True))


async def _replayed(
    bench: GatewayBench, tails: tuple[str, ...], *more: tuple[str, str]
) -> AsyncIterator[tuple[RecordedRequest, Answered]]:
    """Send what was recorded at these addresses, some at a time as many services would."""
    left = list(_sent_to(tails))
    while left:
        some, left = left[:AT_ONCE], left[AT_ONCE:]
        for request, answered in zip(
            some, await asyncio.gather(*(bench.replay(request, *more) for request in some)), strict=True
        ):
            yield request, answered


def _sent_to(tails: tuple[str, ...]) -> Iterator[RecordedRequest]:
    for recording in recordings():
        for request in recording.requests:
            if request.method == "POST" and request.path.rstrip("/").endswith(tails):
                yield request
