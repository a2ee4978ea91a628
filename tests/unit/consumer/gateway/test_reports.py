"""What is reported of SDKs by the gateway: counts, bounds, and when they are said."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.tools.gateway_reports import NODE, ReportBench, event, loss

from faultwire_consumer.gateway.reading import Reading
from faultwire_consumer.gateway.reports.observer import GatewayProtocol
from faultwire_consumer.gateway.reports.repeated import REMEMBER_SECONDS, REMEMBERED, RepeatMemory
from faultwire_consumer.gateway.reports.tally import (
    FORGET_SECONDS,
    LOSS_MAX,
    OWN_SERVICE,
    SAYS_SECONDS,
    SDKS_MAX,
    TALLIES_MAX,
)
from faultwire_consumer.gateway.reports.vocabulary import KINDS, OTHER, WORDS_SPARE, Vocabulary
from faultwire_shared.event import Sdk
from faultwire_shared.producer_report import DROPPED_KINDS, LOST_RANGES


@pytest.fixture
def bench() -> ReportBench:
    return ReportBench()


async def test_what_an_sdk_sent_and_lost_is_one_report_that_says_all_of_it(bench: ReportBench) -> None:
    bench.saw(events=[event(), event()], dropped={"session": 2, "transaction": 1})
    bench.saw(losses=[loss(), loss("queue_overflow", "unknown", 236), loss("send_error", "session", 3)])
    await bench.reports.send_due()
    (report,) = bench.kept.reports
    assert report.producer_id == "gateway-edge-1-5d0c9a17-1"
    assert (report.service, report.host, report.via, report.sdk) == ("shop", "edge-1", "gateway", NODE)
    assert (report.last_sequence, report.unnumbered, report.spool_depth) == (0, 2, 0)
    assert [(lost.reason, lost.count, lost.first, lost.last) for lost in report.lost] == [
        ("ratelimit_backoff (error)", 64, 0, 0),
        ("queue_overflow (unknown)", 236, 0, 0),
    ], "of sessions it is no event that never came"
    assert {one.kind: one.count for one in report.dropped} == {"session": 2, "transaction": 1}
    assert bench.kept.keys == ["producer.shop"]
    assert bench.value("faultwire_gateway_events_total", protocol="sentry") == 2
    assert bench.value("faultwire_gateway_items_dropped_total", kind="session") == 2
    lost = {"reason": "send_error", "category": "session"}
    assert bench.value("faultwire_gateway_client_losses_total", **lost) == 3


async def test_each_service_and_sdk_is_a_producer_of_its_own(bench: ReportBench) -> None:
    python = Sdk(name="sentry.python", version="2.75.0")
    bench.saw("shop", events=[event(), event(python)])
    bench.saw("shop", sdk=None, dropped={"session": 1})
    bench.saw("billing", sdk=Sdk(name="otel"), events=[event(python)])
    bench.saw("quiet", sdk=NODE)
    await bench.reports.send_due()
    found = {(one.service, one.sdk): one.unnumbered for one in bench.kept.reports}
    assert found == {
        ("shop", NODE): 1,
        ("shop", python): 1,
        ("shop", Sdk(name=OTHER)): 0,
        ("billing", python): 1,
    }
    assert len({one.producer_id for one in bench.kept.reports}) == 4


async def test_a_report_goes_out_where_something_changed_and_no_sooner_than_it_may(
    bench: ReportBench,
) -> None:
    bench.saw(events=[event()])
    await bench.reports.send_due()
    bench.clock.advance(SAYS_SECONDS)
    await bench.reports.send_due()
    assert len(bench.kept.reports) == 1, "nothing changed"
    bench.saw(events=[event()])
    await bench.reports.send_due()
    bench.saw(events=[event()])
    bench.clock.advance(SAYS_SECONDS - 1)
    await bench.reports.send_due()
    assert [one.unnumbered for one in bench.kept.reports] == [1, 2]
    bench.clock.advance(1)
    await bench.reports.send_due()
    assert [one.unnumbered for one in bench.kept.reports] == [1, 2, 3]


async def test_the_last_report_waits_for_no_time(bench: ReportBench) -> None:
    bench.saw(events=[event()])
    await bench.reports.send_due()
    bench.saw(losses=[loss()])
    await bench.reports.send_last()
    assert [sum(lost.count for lost in one.lost) for one in bench.kept.reports] == [0, 64]
    await bench.reports.send_last()
    assert len(bench.kept.reports) == 2
    assert bench.reports.waiting() == []


@pytest.mark.parametrize("error", [None, OSError("away")])
async def test_a_report_that_is_not_kept_goes_out_again(bench: ReportBench, error: Exception | None) -> None:
    bench.saw(losses=[loss()])
    bench.kept.is_open, bench.kept.error = False, error
    await bench.reports.send_due()
    assert bench.kept.reports == []
    bench.kept.is_open, bench.kept.error = True, None
    await bench.reports.send_due()
    (report,) = bench.kept.reports
    assert report.lost[0].count == 64


async def test_what_comes_while_a_report_is_sent_is_reported_after_it(bench: ReportBench) -> None:
    bench.saw(losses=[loss(count=1)])
    bench.kept.hold = asyncio.Event()
    sending = asyncio.create_task(bench.reports.send_due())
    await bench.kept.asked.wait()
    bench.saw(losses=[loss(count=2)])
    bench.kept.hold.set()
    await sending
    assert [one.service for one in bench.reports.waiting()] == ["shop"]
    await bench.reports.send_last()
    assert [one.lost[0].count for one in bench.kept.reports] == [1, 3]


async def test_a_report_that_is_cut_short_is_not_forgotten(bench: ReportBench) -> None:
    bench.saw(losses=[loss()])
    bench.kept.hold = asyncio.Event()
    sending = asyncio.create_task(bench.reports.send_due())
    await bench.kept.asked.wait()
    sending.cancel()
    await asyncio.gather(sending, return_exceptions=True)
    bench.kept.hold = None
    await bench.reports.send_last()
    assert len(bench.kept.reports) == 1


async def test_an_envelope_that_is_sent_again_says_its_losses_once(bench: ReportBench) -> None:
    for _ in range(2):
        bench.saw(losses=[loss()], body=b"an envelope")
    bench.saw("billing", losses=[loss()], body=b"an envelope")
    bench.saw(losses=[loss()], body=b"another")
    await bench.reports.send_due()
    assert {one.service: one.lost[0].count for one in bench.kept.reports} == {"shop": 128, "billing": 64}


def test_bodies_are_remembered_for_some_minutes_and_in_a_bounded_number() -> None:
    memory = RepeatMemory()
    assert not memory.is_repeated("shop", b"one", 0)
    assert memory.is_repeated("shop", b"one", REMEMBER_SECONDS - 1)
    assert not memory.is_repeated("shop", b"one", REMEMBER_SECONDS)
    assert not memory.is_repeated("shop", b"", 0)
    assert not memory.is_repeated("shop", b"", 0), "of an unknown body nothing is known"
    for number in range(REMEMBERED):
        assert not memory.is_repeated("shop", str(number).encode(), REMEMBER_SECONDS)
    assert not memory.is_repeated("shop", b"one", REMEMBER_SECONDS + 1), "it made room"


async def test_sdks_beyond_those_that_are_kept_apart_count_as_one(bench: ReportBench) -> None:
    for number in range(SDKS_MAX + 30):
        bench.saw(sdk=Sdk(name="made.up", version=str(number)), dropped={"session": 1})
    await bench.reports.send_due()
    counts = {one.sdk: one.dropped[0].count for one in bench.kept.reports}
    assert len(counts) == SDKS_MAX + 1
    assert counts[Sdk(name=OTHER)] == 30


async def test_services_beyond_all_bounds_count_as_one_that_is_nobodys(bench: ReportBench) -> None:
    for number in range(TALLIES_MAX + 500):
        bench.saw(f"s{number}", dropped={"session": 1})
    await bench.reports.send_due()
    assert len(bench.kept.reports) == TALLIES_MAX + 1
    (rest,) = [one for one in bench.kept.reports if one.service == OWN_SERVICE]
    assert (rest.sdk, rest.dropped[0].count) == (Sdk(name=OTHER), 500)


async def test_an_sdk_that_was_silent_for_a_day_makes_room_and_comes_back_as_another_producer(
    bench: ReportBench,
) -> None:
    bench.saw(losses=[loss()])
    await bench.reports.send_due()
    bench.clock.advance(FORGET_SECONDS)
    await bench.reports.send_due()
    bench.saw(losses=[loss(count=1)])
    await bench.reports.send_due()
    first, second = bench.kept.reports
    assert first.producer_id != second.producer_id
    assert (first.lost[0].count, second.lost[0].count) == (64, 1)


async def test_an_sdk_that_could_not_be_reported_is_never_forgotten(bench: ReportBench) -> None:
    bench.saw(losses=[loss()])
    bench.kept.is_open = False
    bench.clock.advance(FORGET_SECONDS)
    await bench.reports.send_due()
    assert len(bench.reports.waiting()) == 1


def test_known_words_and_a_few_others_are_kept_apart() -> None:
    words = Vocabulary(KINDS)
    assert (words.name("session"), words.name(OTHER), words.name("x" * 41)) == ("session", OTHER, OTHER)
    spare = [f"kind_{number}" for number in range(WORDS_SPARE)]
    assert [words.name(one) for one in spare] == spare
    assert [words.name(one) for one in (OTHER, "one_more", "", "Upper", "a b", "a\n")] == [OTHER] * 6
    assert [words.name(one) for one in spare] == spare, "who came first stays"


_TEXTS = st.one_of(st.text(max_size=300), st.sampled_from(("error", "session", "before_send", "a_b")))
_COUNTS = st.one_of(st.integers(-5, 5), st.integers(10**9, 2**70))
_READINGS = st.builds(
    lambda events, dropped, losses: Reading(events=events, dropped=dropped, losses=losses),
    st.lists(
        st.builds(lambda name, version: event(Sdk(name=name, version=version)), _TEXTS, _TEXTS), max_size=5
    ),
    st.dictionaries(_TEXTS, _COUNTS, max_size=60),
    st.lists(st.builds(loss, _TEXTS, _TEXTS, _COUNTS), max_size=60),
)


@given(st.lists(st.tuples(_TEXTS.filter(bool), _READINGS), min_size=1, max_size=5))
def test_whatever_is_said_every_report_can_be_read(said: list[tuple[str, Reading]]) -> None:
    async def report_all() -> None:
        bench = ReportBench()
        for service, reading in said:
            bench.reports.saw(
                service=service, reading=reading, sdk=None, protocol=GatewayProtocol.OTLP, body=b""
            )
        await bench.reports.send_last()
        assert bench.reports.waiting() == []
        for report in bench.kept.reports:
            assert len(report.lost) <= LOST_RANGES
            assert len(report.dropped) <= DROPPED_KINDS
            assert sum(lost.count for lost in report.lost) <= 300 * LOSS_MAX

    asyncio.run(report_all())
