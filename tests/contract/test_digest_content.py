"""What digests say on both databases: changes against the period before, ends, what nobody has, previews."""

import asyncio
import random
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Executable, Row, Select, delete, insert, select, update
from tests.contract.test_digests import LOG, SHIPPED, Worker, utc
from tests.tools.acting import act_with, change_status
from tests.tools.clock import FixedClock

from faultwire_consumer.domain.digest.facts import DigestFacts, DigestLine, DigestSectionKind
from faultwire_consumer.domain.digest.sorting import section_of
from faultwire_consumer.domain.incident import Verb
from faultwire_consumer.domain.lifecycle.arguments import AssignArguments, MuteArguments
from faultwire_consumer.domain.policy.policy import Policy
from faultwire_consumer.domain.policy.text import parse_policy
from faultwire_consumer.notify.digest_maker import DigestMaker
from faultwire_consumer.notify.digest_preview import DigestRuleNotFoundError, find_digest_rule, preview
from faultwire_consumer.notify.message import message_of
from faultwire_consumer.store.contract.store import Store, StoreSlowError
from faultwire_consumer.store.outbox.content import load_content
from faultwire_consumer.store.schema.events import incidents
from faultwire_consumer.store.schema.figures import hourly_totals
from faultwire_consumer.store.schema.notify import digest_lines, digests, outbox, pending

KIND = DigestSectionKind
BERLIN = parse_policy(
    'digest_zone = "Europe/Berlin"\n[receivers.log]\ntype = "log"\n'
    """
[rules.all]
on = ["new", "regressed", "continued"]
send = "daily"
"""
)

pytestmark = pytest.mark.may_block("a zone's file is read once")


async def facts_at(worker: Worker, moment: datetime) -> DigestFacts:
    """Move to a time; the content of the one digest that then goes out."""
    await worker.digests_at(moment)
    facts = worker.sender.received[-1].digest
    assert facts is not None
    return facts


def lines_of(facts: DigestFacts, kind: DigestSectionKind) -> Sequence[DigestLine]:
    return next((section.lines for section in facts.sections if section.kind is kind), ())


def titles_in(facts: DigestFacts, kind: DigestSectionKind) -> list[str]:
    return [line.title for line in lines_of(facts, kind)]


async def test_what_is_worse_is_told_with_its_count_in_the_period_before(
    store: Store, clock: FixedClock
) -> None:
    worker = Worker(store, clock)
    for kind, count in (("doubled", 40), ("grew", 40), ("few", 2), ("fell", 90)):
        await worker.occur(kind, count=count, release="1.0")
    first = await facts_at(worker, utc(24, 9))
    assert first.before is None
    assert [line.events_before for line in lines_of(first, KIND.NEW)] == [None] * 4
    for kind, count in (("doubled", 80), ("grew", 79), ("few", 9), ("fell", 1), ("fresh", 500)):
        await worker.occur(kind, count=count, service="shop" if kind == "fresh" else "billing")
    second = await facts_at(worker, utc(25, 9))
    assert [(line.title, line.events_before, line.events) for line in lines_of(second, KIND.WORSE)] == [
        ("doubled", 40, 80)
    ]
    assert titles_in(second, KIND.WENT_ON) == ["grew", "few", "fell"]
    assert titles_in(second, KIND.NEW) == ["fresh"]
    assert second.before is not None
    assert (second.before.incidents, second.before.events, second.before.new) == (4, 172, 4)
    assert (second.tally.incidents, second.tally.events, second.tally.new) == (5, 669, 1)
    assert [(part.service, part.tally.events, part.events_before) for part in second.services.parts] == [
        ("shop", 500, 0),
        ("billing", 169, 172),
    ]
    text = message_of(worker.sender.received[-1]).text
    assert "The day before: 4 incidents, 172 events, 4 new; events: 3.9 times as many." in text
    assert "40 before: 2.0 times as many" in text


async def test_after_a_quiet_period_everything_is_more_than_nothing(store: Store, clock: FixedClock) -> None:
    worker = Worker(store, clock)
    await worker.occur("a", count=40)
    await worker.digests_at(utc(24, 9))
    assert await worker.digests_at(utc(26, 9)) == []
    await worker.occur("a", count=10)
    facts = await facts_at(worker, utc(27, 9))
    assert [(line.events_before, line.events) for line in lines_of(facts, KIND.WORSE)] == [(0, 10)]
    assert facts.before is not None
    assert facts.before.events == 0


async def test_a_digest_of_several_missed_periods_is_no_measure_for_the_next(
    store: Store, clock: FixedClock
) -> None:
    worker = Worker(store, clock)
    await worker.occur("a", count=40)
    clock.now = utc(24, 12)
    await worker.occur("a", count=40)
    assert await worker.digests_at(utc(25, 10)) == [{"a": 80}]
    await worker.occur("a", count=400)
    facts = await facts_at(worker, utc(26, 9))
    assert facts.before is None
    assert [line.events_before for line in lines_of(facts, KIND.WENT_ON)] == [None]


async def test_a_digest_tells_what_ended_by_whom_and_what_nobody_has(store: Store, clock: FixedClock) -> None:
    worker = Worker(store, clock)
    for kind in ("solved", "back", "old", "taken", "muted"):
        await worker.occur(kind)
        clock.advance(60)
    await worker.occur("other", severity="low")
    await worker.digests_at(utc(24, 9))
    clock.now = utc(24, 10)
    await change_status(store, 1, Verb.RESOLVE, actor="ana", now=clock())
    await change_status(store, 2, Verb.RESOLVE, actor="ana", now=clock())
    await act_with(store, 4, AssignArguments(to="ben"), now=clock())
    await act_with(store, 5, MuteArguments(for_ever=True, reason="known"), now=clock())
    clock.advance(60)
    await worker.occur("back")
    await worker.occur("older sibling")
    facts = await facts_at(worker, utc(25, 9))
    assert titles_in(facts, KIND.CAME_BACK) == ["back"]
    assert [(line.title, line.ended_by, line.ended_at) for line in lines_of(facts, KIND.ENDED)] == [
        ("solved", "ana", utc(24, 10))
    ]
    assert titles_in(facts, KIND.NOBODYS) == ["back", "old"]
    text = message_of(worker.sender.received[-1]).text
    assert "resolved by ana at 2026-11-24 10:00:00 UTC" in text
    assert "open since 2026-11-23, for 1 day" in text


async def test_each_incident_of_a_digest_says_in_which_environments_it_was_seen(
    store: Store, clock: FixedClock
) -> None:
    worker = Worker(store, clock)
    for environment in ("staging", "production"):
        await worker.occur("two", environment=environment)
    for number in range(9):
        await worker.occur("many", environment=f"e{number}")
    await worker.occur("open and nobody's", environment="dev")
    facts = await facts_at(worker, utc(24, 9))
    assert {line.title: line.where for line in lines_of(facts, KIND.NEW)} == {
        "two": "production, staging",
        "many": "e0, e1, e2 and more",
        "open and nobody's": "dev",
    }
    assert "medium  billing in production, staging: two" in message_of(worker.sender.received[-1]).text
    await worker.occur("two")
    later = await facts_at(worker, utc(25, 9))
    assert [line.where for line in lines_of(later, KIND.NOBODYS) if line.title == "open and nobody's"] == [
        "dev"
    ]


async def test_sections_are_bounded_and_name_a_query_that_finds_them_all(
    store: Store, clock: FixedClock
) -> None:
    worker = Worker(store, clock)
    for number in range(25):
        await worker.occur(f"f{number:02}", count=number + 1)
    facts = await facts_at(worker, utc(24, 9))
    (section,) = facts.sections
    assert (section.incidents, section.events, len(section.lines)) == (25, 325, 20)
    assert section.lines[0].title == "f24"
    assert section.query == (
        "first:2026-11-23T09:00:00Z -first:2026-11-24T09:00:00Z last:2026-11-23T09:00:00Z severity:medium"
    )
    assert "and 5 more with 15 events" in message_of(worker.sender.received[-1]).text
    await worker.occur("f00")
    nobodys = [one for one in (await facts_at(worker, utc(25, 9))).sections if one.kind is KIND.NOBODYS]
    assert [(one.incidents, len(one.lines)) for one in nobodys] == [(25, 20)]


async def test_a_rule_that_asks_for_an_environment_tells_of_nothing_that_it_never_told_of(
    store: Store, clock: FixedClock
) -> None:
    policy = parse_policy(
        LOG
        + """
[rules.live]
environment = "production"
service = "bill*"
on = ["new", "continued"]
send = "daily"
"""
    )
    worker = Worker(store, clock, policy)
    await worker.occur("a")
    await worker.occur("b", environment="staging")
    await worker.occur("c", service="shop")
    await worker.digests_at(utc(24, 9))
    await worker.occur("a")
    assert titles_in(await facts_at(worker, utc(25, 9)), KIND.NOBODYS) == ["a"]


async def test_the_chart_counts_the_rule_s_severities_by_hour(store: Store, clock: FixedClock) -> None:
    worker = Worker(store, clock)
    await worker.occur("a")
    rows = [
        (utc(23, 8), 2, 5),
        (utc(23, 9), 2, 7),
        (utc(23, 9), 3, 1),
        (utc(24, 8), 2, 9),
        (utc(24, 9), 2, 5),
    ]
    async with store.write() as tx:
        await tx.execute(
            insert(hourly_totals),
            [
                {"hour": hour, "service": f"s{place}", "severity": severity, "count": count}
                for place, (hour, severity, count) in enumerate(rows)
            ],
        )
    chart = (await facts_at(worker, utc(24, 9))).chart
    assert chart is not None
    assert (chart.starts_at, chart.counts) == (utc(23, 9), (7, *[0] * 22, 9))


async def test_a_second_attempt_says_the_same_whatever_happened_meanwhile(
    store: Store, clock: FixedClock
) -> None:
    worker = Worker(store, clock)
    await worker.occur("a", count=3)
    await worker.digests_at(utc(24, 9))
    (sent,) = worker.sender.received
    (row,) = await store.read(select(outbox.c.id))
    await worker.occur("a", count=100, severity="critical")
    await change_status(store, 1, Verb.RESOLVE, actor="ana", now=clock())
    assert (await load_content(store, row.id)).digest == sent.digest


async def test_a_digest_that_the_release_before_made_is_told_all_the_same(
    store: Store, clock: FixedClock
) -> None:
    worker = Worker(store, clock)
    await worker.occur("a", count=3)
    clock.now = utc(24, 9)
    await worker.maker.run_once()
    async with store.write() as tx:
        await tx.execute(delete(digests))
        await tx.execute(update(digest_lines).values(section=None, events_before=None))
    assert await worker.digests_at(utc(24, 9, 1)) == [{"a": 3}]
    assert "New (1):" in message_of(worker.sender.received[-1]).text


async def test_a_preview_says_what_the_digest_will_and_changes_nothing(
    store: Store, clock: FixedClock
) -> None:
    worker = Worker(store, clock)
    await worker.occur("a", count=40)
    await worker.digests_at(utc(24, 9))
    await worker.occur("a", count=80)
    await worker.occur("b")
    clock.now = utc(25, 8)
    rule, receiver = find_digest_rule(SHIPPED, "medium", None)
    before = await store.read(select(pending).order_by(pending.c.incident_id))
    seen = await preview(store, rule, receiver, now=clock())
    assert (seen.since, seen.until) == (utc(24, 9), utc(25, 8))
    assert await store.read(select(pending).order_by(pending.c.incident_id)) == before
    assert len(await store.read(select(outbox.c.id))) == 1
    sent = await facts_at(worker, utc(25, 9))
    assert seen.digest is not None
    assert [(one.kind, one.lines) for one in seen.digest.sections] == [
        (one.kind, one.lines) for one in sent.sections
    ]
    assert (seen.digest.tally, seen.digest.before) == (sent.tally, sent.before)
    quiet = await preview(store, rule, receiver, now=clock())
    assert quiet.digest is not None
    assert quiet.digest.is_empty


class _TooSlow:
    """A store that is too slow for the digests of one rule."""

    def __init__(self, store: Store, rule: str) -> None:
        self._store, self._rule = store, rule

    async def read(self, statement: Executable) -> Sequence[Row[Any]]:
        asked = statement.compile().params.values() if isinstance(statement, Select) else ()
        if self._rule in asked:
            raise StoreSlowError("too slow")
        return await self._store.read(statement)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)


async def test_a_digest_that_the_database_does_not_take_keeps_no_other_from_being_made(
    store: Store, clock: FixedClock
) -> None:
    policy = parse_policy(
        LOG
        + """
[rules.a]
on = "new"
send = "daily"
[rules.b]
on = "new"
send = "daily"
"""
    )
    worker = Worker(store, clock, policy)
    await worker.occur("x")
    slow: Any = _TooSlow(store, "a")
    clock.now = utc(24, 9)
    assert await DigestMaker(slow, policy, clock=clock).run_once() == 1
    assert await worker.maker.run_once() == 1, "it is tried again"


@pytest.mark.parametrize(("name", "receiver"), [("critical", None), ("medum", None), ("medium", "lög")])
def test_a_preview_of_what_sends_no_digest_is_refused(name: str, receiver: str | None) -> None:
    with pytest.raises(DigestRuleNotFoundError):
        find_digest_rule(SHIPPED, name, receiver)


async def test_an_empty_digest_is_sent_once_where_it_is_wanted(store: Store, clock: FixedClock) -> None:
    wanted = parse_policy('when_empty = "send"\n' + LOG + '[rules.all]\non = "new"\nsend = "daily"\n')
    workers = [Worker(store, clock, wanted) for _ in range(3)]
    worker = workers[0]
    await worker.occur("a")
    assert await worker.digests_at(utc(24, 9)) == [{"a": 1}]
    clock.now = utc(25, 9, 59)
    await asyncio.gather(*(one.maker.run_once() for one in workers))
    assert await worker.digests_at(utc(25, 10)) == [{}]
    assert message_of(worker.sender.received[-1]).subject == "Daily digest: no incidents"
    assert titles_in(await facts_at(worker, utc(26, 9)), KIND.NOBODYS) == ["a"]
    assert await worker.digests_at(utc(27, 10, 0, 1)) == [], "a worker that comes late says nothing"
    assert await worker.digests_at(utc(28, 9)) == [{}]


@pytest.mark.parametrize(
    ("first", "hours"),
    [(datetime(2026, 10, 24, 7, tzinfo=UTC), 25), (datetime(2027, 3, 27, 8, tzinfo=UTC), 23)],
)
async def test_a_day_of_another_length_is_compared_with_the_day_before(
    store: Store, first: datetime, hours: int
) -> None:
    clock = FixedClock(first - timedelta(hours=12))
    worker = Worker(store, clock, BERLIN)
    for count, due_at in (
        (40, first),
        (90, first + timedelta(hours=hours)),
        (20, first + timedelta(hours=hours + 24)),
    ):
        await worker.occur("a", count=count)
        assert await worker.digests_at(due_at - timedelta(seconds=1)) == []
        assert await worker.digests_at(due_at) == [{"a": count}]
        clock.advance(3600)
    told = [one.digest for one in worker.sender.received if one.digest is not None]
    assert [line.events_before for one in told for line in one.sections[0].lines] == [None, 40, 90]
    assert [one.sections[0].kind for one in told] == [KIND.NEW, KIND.WORSE, KIND.WENT_ON]


@pytest.mark.parametrize("seed", range(2))
async def test_over_any_history_digests_add_up_and_compare_with_the_one_before(
    store: Store, seed: int
) -> None:
    worker = _Historian(store, seed)
    for day in range(24, 30):
        await worker.live_until(utc(day, 9))
        await worker.digests_at(utc(day, 9))
    await worker.digests_at(utc(30, 9))
    rows = await store.read(select(incidents.c.title, incidents.c.count.label("total")))
    assert {title: sum(one.get(title, 0) for one in worker.told) for title in worker.kinds} == {
        row.title: row.total for row in rows
    }


class _Historian(Worker):
    """Lives a random life, and checks each digest against the one before it."""

    def __init__(self, store: Store, seed: int, policy: Policy = BERLIN) -> None:
        super().__init__(store, FixedClock(utc(23, 9)), policy)
        self.rng = random.Random(seed)
        self.kinds: set[str] = set()
        self.told: list[dict[str, int]] = []

    async def live_until(self, end: datetime) -> None:
        # The zone's hour is eight in UTC: an hour of each day belongs to the next digest.
        for moment in sorted(end - timedelta(seconds=self.rng.randint(1, 86_000)) for _ in range(7)):
            self.clock.now = moment
            await self._check(await super().digests_at(moment))
            kind = self.rng.choice("abcd")
            if kind in self.kinds and self.rng.random() < 0.25:
                (row,) = await self.store.read(select(incidents.c.id).where(incidents.c.title == kind))
                await change_status(self.store, row.id, Verb.RESOLVE, actor="ana", now=moment)
            else:
                self.kinds.add(kind)
                await self.occur(kind, count=self.rng.choice((1, 5, 10, 40, 200)))

    async def digests_at(self, moment: datetime) -> list[dict[str, int]]:
        digests = await super().digests_at(moment)
        await self._check(digests)
        return digests

    async def _check(self, digests: list[dict[str, int]]) -> None:
        for place, events in enumerate(digests, start=len(self.sender.received) - len(digests)):
            self._compare(self.sender.received[place], events)
            self.told.append(events)

    def _compare(self, sent: Any, events: dict[str, int]) -> None:
        before = next((one for one in self.sender.received if one.until == sent.since), None)
        known = any(one.until < sent.until for one in self.sender.received if one is not sent)
        then = {} if before is None else {line.title: line.recent_count for line in before.incidents}
        for section in sent.digest.sections:
            for line in section.lines if section.events is not None else ():
                expected = then.get(line.title, 0) if known else None
                assert (line.events, line.events_before) == (events[line.title], expected)
                assert section.kind is section_of(
                    line.reason, is_muted=False, is_silenced=False, events=line.events, events_before=expected
                )
