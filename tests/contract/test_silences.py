"""What silences hide on the way from the outbox to the sender, on both databases, by a clock of its own."""

from datetime import timedelta
from itertools import product
from typing import Any

import pytest
from sqlalchemy import func, select, update
from tests.contract.test_dispatcher import SHIPPED, Bench
from tests.tools.clock import FixedClock

from faultwire_consumer.actions.silences import (
    SilenceActor,
    SilenceConflictError,
    SilenceNotFoundError,
    create_silence,
    end_silence,
    load_silence,
    resume_silence,
    try_silence,
)
from faultwire_consumer.domain.access.audit import AuditSource
from faultwire_consumer.domain.access.principal import Via
from faultwire_consumer.domain.incident import Verb
from faultwire_consumer.domain.silence.draft import SilenceDraft
from faultwire_consumer.domain.silence.foresight import describe_foresight
from faultwire_consumer.domain.silence.matcher import Matchers
from faultwire_consumer.domain.silence.weekly import Weekday, WeeklyWindow
from faultwire_consumer.notify.digest_maker import DigestMaker
from faultwire_consumer.notify.message import json_of, message_of
from faultwire_consumer.store.access.audit import AuditFilter, list_audit
from faultwire_consumer.store.contract.store import Store
from faultwire_consumer.store.schema.notify import outbox, outbox_stages, silence_hits, silences
from faultwire_consumer.store.silences import hits as hits_module
from faultwire_consumer.store.silences import record as record_module
from faultwire_consumer.store.silences.hits import record_hits
from faultwire_consumer.store.silences.queries import (
    SilencePhase,
    list_hits,
    list_silence_history,
    list_silences,
)
from faultwire_consumer.store.silences.stored import StoredSilence

pytestmark = [
    pytest.mark.may_block("a zone's file is read once"),
    pytest.mark.patient("dispatchers side by side wait for each other"),
]

HOUR = timedelta(hours=1)
EVERYTHING = Matchers(service=("*",))
IN_WINDOW = WeeklyWindow(weekdays=(Weekday.MONDAY,), start="11:00", end="13:00")
OUT_OF_WINDOW = WeeklyWindow(weekdays=(Weekday.TUESDAY,), start="11:00", end="13:00")


def by(clock: FixedClock, name: str = "ana", note: str = "") -> SilenceActor:
    return SilenceActor(name=name, source=AuditSource(actor=name, via=Via.OPEN), at=clock(), note=note)


async def silence(
    store: Store, clock: FixedClock, where: Matchers = EVERYTHING, **fields: Any
) -> StoredSilence:
    given: dict[str, Any] = {"comment": "deploy of billing", "for_seconds": 7200} | fields
    return await create_silence(store, SilenceDraft(where=where, **given), by(clock))


@pytest.fixture
def bench(store: Store, clock: FixedClock) -> Bench:
    bench = Bench(store, clock)
    bench.dispatcher = bench.another(digests=SHIPPED.digests)
    return bench


WHERE = {
    "all": EVERYTHING,
    "its own": Matchers(
        service=("bill*",), environment=("staging",), release=("1.*",), tags={"region": ("eu",)}
    ),
    "another": Matchers(service=("billing",), environment=("production",)),
}
WEEKLY = {"always": (), "in its window": (IN_WINDOW,), "between windows": (OUT_OF_WINDOW,)}
STATES = ("before", "during", "after", "ended")
CELLS = list(product(("critical", "high"), WHERE, WEEKLY, (False, True), STATES))


def is_hidden(severity: str, where: str, weekly: str, also_critical: bool, state: str) -> bool:
    """The same decision in one line of words."""
    return (
        where != "another"
        and weekly != "between windows"
        and state == "during"
        and (severity != "critical" or also_critical)
    )


@pytest.mark.parametrize("severity", ["critical", "high"])
async def test_every_cell_of_severity_matchers_windows_critical_and_time_is_told_or_hidden(
    bench: Bench, severity: str
) -> None:
    wrong, monday = [], bench.clock()
    for number, (of, where, weekly, also_critical, state) in enumerate(CELLS):
        if of != severity:
            continue
        later = HOUR if state == "before" else timedelta()
        made = await silence(
            bench.store, bench.clock, WHERE[where], weekly=WEEKLY[weekly], also_critical=also_critical,
            starts_at=bench.clock() + later, for_seconds=60 if state == "after" else 7200,
        )  # fmt: skip
        if state == "after":
            bench.clock.advance(61)
        if state == "ended":
            await end_silence(bench.store, made.id, by(bench.clock))
        fields = {"environment": "staging", "release": "1.2.0", "tags": {"region": "eu"}}
        await bench.occur(f"cell {number}", severity=severity, **fields)
        wait = 211 if severity == "high" else 0
        told = await bench.turn(wait)
        expected = is_hidden(severity, where, weekly, also_critical, state)
        if bool(told) == expected:
            wrong.append((severity, where, weekly, also_critical, state, told))
        async with bench.store.write() as tx:
            await tx.execute(update(outbox).values(state="sent"))
        bench.clock.now = monday + timedelta(weeks=number + 1)
    assert wrong == []


async def test_what_a_silence_hides_is_stopped_with_its_id_and_words_in_the_trace(bench: Bench) -> None:
    made = await silence(bench.store, bench.clock, Matchers(service=("billing",)), also_critical=True)
    await bench.occur("a")
    assert await bench.turn() == []
    (row,) = await bench.rows()
    assert (row.state, row.state_reason, row.silence_id) == ("stopped", "silenced", made.id)
    (last,) = await bench.store.read(select(outbox_stages).order_by(outbox_stages.c.id.desc()).limit(1))
    assert (last.stage, last.decision, last.reason) == ("unsilenced", "stopped", "silenced")
    assert last.detail == f"silence {made.id} by ana: deploy of billing"


async def test_what_waits_until_a_silence_ended_goes_out(bench: Bench) -> None:
    made = await silence(bench.store, bench.clock)
    await bench.occur("a", severity="high")
    assert await bench.turn(100) == []
    assert await bench.states() == [("waiting", None)]  # gathered, and judged only when it would go out
    _, changed = await end_silence(bench.store, made.id, by(bench.clock))
    assert changed
    assert await bench.turn(111) == ["high:INC-1:1:new:log"]


async def test_what_is_gathered_with_what_goes_out_is_judged_with_it(bench: Bench) -> None:
    await silence(bench.store, bench.clock, Matchers(code=("NOISE",)))
    await bench.occur("a", severity="high")
    bench.clock.advance(60)
    await bench.occur("b", severity="high", code="NOISE")
    await bench.occur("c", severity="high")
    assert len(await bench.turn(150)) == 1
    (sent,) = bench.sender.received
    assert {one.title for one in sent.incidents} == {"a", "c"}
    assert ("stopped", "silenced") in await bench.states()


async def test_reminders_are_held_and_come_when_the_silence_is_over_or_ended(bench: Bench) -> None:
    await bench.occur("a")
    await bench.turn()
    made = await silence(bench.store, bench.clock, also_critical=True, for_seconds=86400)
    assert await bench.turn(3600) == []
    assert (await bench.states())[-1] == ("waiting", "silenced")
    assert await bench.turn(3600) == []
    await end_silence(bench.store, made.id, by(bench.clock))
    assert await bench.turn() == ["critical:INC-1:1:reminder-1:log"]
    assert (await load_silence(bench.store, made.id)).hits == 1  # held once, and counted once


async def test_a_reminder_is_held_until_the_window_that_recurs_is_over(bench: Bench) -> None:
    await bench.occur("a")
    await bench.turn()
    window = WeeklyWindow(start="12:30", end="15:00")
    await silence(bench.store, bench.clock, also_critical=True, weekly=(window,), for_seconds=30 * 86400)
    assert await bench.turn(3600) == []
    assert await bench.turn(7199) == []
    assert await bench.turn(1) == ["critical:INC-1:1:reminder-1:log"]


async def test_a_regression_that_a_silence_hides_is_stopped_and_its_incident_is_open(bench: Bench) -> None:
    await bench.occur("a")
    await bench.turn()
    await bench.change(Verb.RESOLVE)
    bench.clock.advance(60)
    await silence(bench.store, bench.clock, also_critical=True)
    await bench.occur("a")
    assert await bench.turn() == []
    assert (await bench.states())[-1] == ("stopped", "silenced")


async def test_what_an_older_release_wrote_is_matched_by_what_its_incident_knows(bench: Bench) -> None:
    await silence(bench.store, bench.clock, Matchers(service=("billing",)), also_critical=True)
    await bench.occur("a")
    async with bench.store.write() as tx:
        await tx.execute(update(outbox).values(facts=None))
    assert await bench.turn() == []
    assert await bench.states() == [("stopped", "silenced")]


async def test_the_next_digest_says_what_was_hidden_with_counts(bench: Bench) -> None:
    made = await silence(bench.store, bench.clock, comment="deploy <b>now</b>", also_critical=True)
    await bench.occur("a")
    await bench.occur("b")
    bench.clock.advance(1)
    await bench.occur(*["a"] * 10)
    assert await bench.turn() == []
    await DigestMaker(bench.store, SHIPPED, clock=bench.clock).run_once()
    bench.clock.advance(timedelta(days=1))
    await DigestMaker(bench.store, SHIPPED, clock=bench.clock).run_once()
    (key,) = await bench.turn()
    (digest,) = bench.sender.received
    assert key.startswith("medium:digest-")
    (told,) = digest.silences
    assert (told.silence_id, told.notifications, told.incidents) == (made.id, 3, 2)
    assert {one.id: (one.silenced, one.recent_count) for one in digest.incidents} == {
        "INC-1": (2, 11),
        "INC-2": (1, 1),
    }
    text = message_of(digest).text
    assert "Silences held back 3 notifications:" in text
    assert f"  silence {made.id} (deploy <b>now</b>, by ana): 3 of 2 incidents" in text
    assert "Silenced (2):" in text
    assert "2 notifications held back by silences" in text
    assert b'"silences":[{"silence_id":1,' in json_of(digest)


async def test_hits_are_counted_by_silence_and_incident(bench: Bench) -> None:
    first = await silence(bench.store, bench.clock, Matchers(type=("KeyError",)), also_critical=True)
    other = await silence(bench.store, bench.clock, also_critical=True)
    await bench.occur("a")
    await bench.occur("b")
    await bench.turn()
    bench.clock.advance(5)
    await bench.occur(*["a"] * 10)
    await bench.turn()
    assert (await load_silence(bench.store, first.id)).hits == 0
    kept = await load_silence(bench.store, other.id)
    assert (kept.hits, kept.last_hit_at) == (3, bench.clock())
    told = await list_hits(bench.store, other.id, limit=10)
    assert [(one.incident_id, one.title, one.notifications) for one in told] == [(1, "a", 2), (2, "b", 1)]


async def test_incidents_beyond_the_bound_are_counted_together(
    store: Store, clock: FixedClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hits_module, "INCIDENTS_MAX", 2)
    made = await silence(store, clock)
    for added in ({1: 1}, {2: 2, 3: 1, 4: 1}, {1: 1, 5: 3}):
        async with store.write() as tx:
            await record_hits(tx, {made.id: added}, now=clock())
    rows = await store.read(
        select(silence_hits.c.incident_id, silence_hits.c.notifications).order_by(silence_hits.c.incident_id)
    )
    assert [tuple(row) for row in rows] == [(0, 5), (1, 2), (2, 2)]
    told = await list_hits(store, made.id, limit=10)
    assert [one.incident_id for one in told] == [1, 2, None]
    assert (await load_silence(store, made.id)).hits == 9


async def test_a_silence_that_cannot_be_read_hides_nothing(bench: Bench) -> None:
    await silence(bench.store, bench.clock, also_critical=True)
    async with bench.store.write() as tx:
        await tx.execute(update(silences).values(matchers='{"moon":["full"]}'))
    await bench.occur("a")
    assert await bench.turn() == ["critical:INC-1:1:new:log"]


async def test_an_end_is_taken_back_and_each_act_is_in_history_and_audit(
    store: Store, clock: FixedClock
) -> None:
    made = await silence(store, clock)
    clock.advance(60)
    ended, changed = await end_silence(store, made.id, by(clock, "ben", "the deploy is through"))
    assert (changed, ended.ended_by, ended.ended_at) == (True, "ben", clock())
    assert await end_silence(store, made.id, by(clock)) == (ended, False)
    resumed, changed = await resume_silence(store, made.id, by(clock, "ben"))
    assert changed
    assert resumed == made
    assert await resume_silence(store, made.id, by(clock)) == (made, False)
    history = await list_silence_history(store, made.id)
    assert [(one.action, one.actor, one.note) for one in history] == [
        ("resumed", "ben", ""),
        ("ended", "ben", "the deploy is through"),
        ("created", "ana", "deploy of billing"),
    ]
    audit = await list_audit(store, AuditFilter(), limit=10)
    assert [(one.actor, one.object, one.detail) for one in audit.rows] == [
        ("ben", f"silences/{made.id}", "resumed"),
        ("ben", f"silences/{made.id}", "ended"),
        ("ana", f"silences/{made.id}", "created"),
    ]


async def test_a_silence_that_is_over_is_not_resumed_and_one_that_is_unknown_is_not_found(
    store: Store, clock: FixedClock
) -> None:
    made = await silence(store, clock, for_seconds=60)
    clock.advance(60)
    assert (await end_silence(store, made.id, by(clock)))[1] is False
    with pytest.raises(SilenceConflictError):
        await resume_silence(store, made.id, by(clock))
    with pytest.raises(SilenceNotFoundError):
        await end_silence(store, 99, by(clock))
    with pytest.raises(SilenceNotFoundError):
        await load_silence(store, 99)


async def test_there_are_only_so_many_that_are_not_over(
    store: Store, clock: FixedClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("faultwire_consumer.actions.silences.STANDING_MAX", 2)
    first = await silence(store, clock)
    await silence(store, clock)
    with pytest.raises(SilenceConflictError):
        await silence(store, clock)
    await end_silence(store, first.id, by(clock))
    await silence(store, clock)
    with pytest.raises(SilenceConflictError):
        await resume_silence(store, first.id, by(clock))
    assert record_module.STANDING_MAX > 2


async def test_a_dry_run_says_what_would_have_been_hidden_and_keeps_nothing(bench: Bench) -> None:
    await bench.occur("long ago", severity="high")
    bench.clock.advance(timedelta(days=2))
    await bench.occur("a", severity="high")
    await bench.occur("b")
    await bench.occur("c", severity="high", service="shop")
    where = Matchers(service=("billing",))
    window = WeeklyWindow(start="12:00", end="13:00")
    draft = SilenceDraft(where=where, comment="try", for_seconds=60, weekly=(window,))
    shown, foreseen = await try_silence(bench.store, draft, by(bench.clock))
    assert (shown.id, shown.ends_at) == (0, bench.clock() + timedelta(seconds=60))
    assert (foreseen.looked_at, foreseen.notifications, foreseen.incidents, foreseen.spared) == (3, 1, 1, 1)
    assert describe_foresight(foreseen) == (
        "It would have hidden 1 of the 3 notifications of the last day, of 1 incident; "
        "1 critical besides would go out."
    )
    (row,) = await bench.store.read(select(func.count().label("total")).select_from(silences))
    assert row.total == 0


async def test_lists_are_by_phase_and_in_pages(store: Store, clock: FixedClock) -> None:
    coming = await silence(store, clock, starts_at=clock() + HOUR)
    resting = await silence(store, clock, weekly=(OUT_OF_WINDOW,))
    ended = await silence(store, clock)
    await end_silence(store, ended.id, by(clock))
    now = clock()

    async def ids(*phases: SilencePhase) -> list[int]:
        return [one.id for one in (await list_silences(store, phases, now=now, limit=10)).rows]

    assert await ids(SilencePhase.COMING) == [coming.id]
    assert await ids(SilencePhase.CURRENT) == [resting.id]
    assert await ids(SilencePhase.PAST) == [ended.id]
    assert await ids() == [ended.id, resting.id, coming.id]
    page = await list_silences(store, (), now=now, limit=2)
    assert [one.id for one in page.rows] == [ended.id, resting.id]
    following = await list_silences(store, (), now=now, limit=2, cursor=page.next_cursor)
    assert [one.id for one in following.rows] == [coming.id]
