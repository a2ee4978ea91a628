"""Four weeks of errors, operators and deaths by an injected clock: everybody is told, in time and once.

The weeks hold two days on which clocks change: 8 March 2026 in New York, where the low digest's hour
is, and 29 March in Berlin, where the medium one's is. A death stands for a power cut: everything
that the process had in mind is dropped at a failpoint, and another one starts on the same database.
"""

import asyncio
import json
import random
from collections import Counter, defaultdict
from collections.abc import Awaitable
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import pytest
from sqlalchemy import case, func, select
from tests.tools.acting import change_status
from tests.tools.clock import FixedClock
from tests.tools.factories import wire_event
from tests.tools.recording import RecordingSender

from faultwire_consumer.actions.incident import IncidentConflictError
from faultwire_consumer.domain.incident import Status, Verb
from faultwire_consumer.domain.notification import NotificationKind, NotificationReason
from faultwire_consumer.domain.policy.text import parse_policy
from faultwire_consumer.domain.schedule import Schedule
from faultwire_consumer.ingest.pipeline import Pipeline
from faultwire_consumer.ingest.read.delivery import Delivery, read_delivery
from faultwire_consumer.ingest.rules.evaluation import Evaluator
from faultwire_consumer.metrics import Metrics
from faultwire_consumer.notify.digest_maker import DigestMaker
from faultwire_consumer.notify.dispatcher import AT_ONCE, LEASE_SECONDS, Dispatcher
from faultwire_consumer.store.contract.store import Store
from faultwire_consumer.store.events.incidents import get_incident
from faultwire_consumer.store.schema.events import incidents
from faultwire_consumer.store.schema.notify import outbox, pending
from faultwire_shared import failpoint
from faultwire_shared.codec import EVENT_TYPE

START: Final = datetime(2026, 3, 1, 12, tzinfo=UTC)
WEEKS: Final = timedelta(weeks=4)
STORM: Final = 14
DEATHS: Final = (
    "worker.committed",
    *(name for name in failpoint.FAILPOINTS if name.startswith("dispatcher.")),
)
SEVERITIES: Final = ("critical", "high", "medium", "low")
KINDS: Final = 6
"""Of each severity."""

POLICY: Final = parse_policy(
    """
[receivers.log]
type = "log"

[rules.critical]
severity = "critical"
on = ["new", "regressed", "severity_rose", "growth"]
send = "now"
remind_every = "1d"

[rules.high]
severity = "high"
on = ["new", "regressed", "severity_rose", "growth"]
send = "within 5m"

[rules.medium]
severity = "medium"
on = ["new", "regressed", "severity_rose", "continued"]
send = "daily"
digest_zone = "Europe/Berlin"

[rules.low]
severity = "low"
on = ["new", "regressed", "severity_rose", "continued"]
send = "weekly"
digest_zone = "America/New_York"
"""
)

pytestmark = [pytest.mark.may_block("zones are files"), pytest.mark.timeout(600)]


class Died(BaseException):
    """The process is gone."""


class EveryName(str):
    """The name of every failpoint."""

    def __eq__(self, _: object) -> bool:
        return True

    __hash__ = str.__hash__


class Fuse:
    """Kills at the next pass of a failpoint; what still runs of that process dies at its own next one."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.blown = False

    def hit(self, _: bytes) -> None:
        self.blown, self.name = True, EveryName(self.name)
        raise Died


class World:
    """A database, a clock, a receiver, and the worker that lives now."""

    def __init__(self, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
        self.store, self.clock = store, FixedClock()
        self.clock.now = START
        self.sender = RecordingSender(on_send=lambda one: self.sent.append((self.clock(), one)))
        self.sent: list[tuple[datetime, Any]] = []
        self.deaths: Counter[str] = Counter()
        self.leased_at_death: set[int] = set()
        self.downtimes: list[tuple[datetime, datetime]] = []
        self._patch = monkeypatch
        self.start()

    def start(self) -> None:
        """A new process: nothing is remembered but what the database holds."""
        self._patch.setattr(failpoint, "_armed", None)
        metrics = Metrics()
        self.dispatcher = Dispatcher(self.store, {"log": self.sender}, metrics=metrics, clock=self.clock)
        self.pipeline = Pipeline(self.store, metrics=metrics, evaluator=Evaluator(POLICY), clock=self.clock)
        self.maker = DigestMaker(self.store, POLICY, clock=self.clock)

    def arm(self, name: str) -> None:
        self._patch.setattr(failpoint, "_armed", Fuse(name))

    async def live(self, work: Awaitable[Any]) -> bool:
        """Let the process work; False where it died of it, and another one started."""
        before = asyncio.all_tasks()
        try:
            await work
        except Died:
            await asyncio.gather(*(asyncio.all_tasks() - before), return_exceptions=True)
            assert failpoint._armed is not None
            self.deaths[str.__str__(failpoint._armed.name)] += 1
            rows = await self.store.read(select(outbox.c.id).where(outbox.c.lease_until > self.clock()))
            self.leased_at_death |= {row.id for row in rows}
            self.start()
            return False
        return True

    async def deliver(self, delivery: Delivery) -> None:
        """As a broker does: again, until somebody has acked it."""
        while not await self.live(self.pipeline.ingest([delivery])):
            pass
        await self.send()

    async def send(self) -> None:
        while not await self.live(self._send()):
            pass

    async def _send(self) -> None:
        await self.maker.run_once()
        await self.dispatcher.run_once()

    async def run_until(self, moment: datetime) -> None:
        """Move through every moment at which something is due."""
        while (due := await self._next_due()) is not None and due <= moment:
            self.clock.now = max(self.clock.now, due)
            await self.send()
        self.clock.now = max(self.clock.now, moment)

    async def sleep_until(self, moment: datetime) -> None:
        """Nobody works meanwhile."""
        self.downtimes.append((self.clock.now, moment))
        self.clock.now = moment
        self.start()
        await self.send()

    async def _next_due(self) -> datetime | None:
        kind = outbox.c.due_at.type
        free_at = case((outbox.c.lease_until > outbox.c.due_at, outbox.c.lease_until), else_=outbox.c.due_at)
        (row,) = await self.store.read(
            select(func.min(free_at, type_=kind).label("due")).where(outbox.c.state == "waiting")
        )
        (digest,) = await self.store.read(select(func.min(pending.c.due_at, type_=kind).label("due")))
        return min((one for one in (row.due, digest.due) if one is not None), default=None)


class Kind:
    """What an independent bookkeeper knows of one kind of error."""

    def __init__(self, name: str, severity: str) -> None:
        self.name, self.severity = name, severity
        self.incident = 0
        self.count, self.episode = 0, 1
        self.resolved_at: datetime | None = None

    def occur(self, at: datetime, count: int) -> str | None:
        """What is due by it, as the outbox calls it."""
        before, self.count = self.count, self.count + count
        if before == 0:
            return f"{self.episode}:new"
        if self.resolved_at is not None and at > self.resolved_at:
            self.resolved_at, self.episode = None, self.episode + 1
            return f"{self.episode}:regressed"
        passed = [step for step in (10, 100, 1000) if before < step <= self.count]
        return f"{self.episode}:growth-{passed[-1]}" if passed and self.resolved_at is None else None


@pytest.mark.parametrize(
    ("database_url", "seed", "events"),
    [
        ("sqlite", 1, 60),
        pytest.param("postgresql", 2, 120, marks=pytest.mark.e2e),
        pytest.param("sqlite", 3, 400, marks=pytest.mark.e2e),
    ],
    indirect=["database_url"],
)
async def test_in_four_weeks_everybody_is_told_in_time_and_once_whatever_dies(
    store: Store, monkeypatch: pytest.MonkeyPatch, seed: int, events: int
) -> None:
    rng, world = random.Random(seed), World(store, monkeypatch)
    kinds = [Kind(f"{severity} {number}", severity) for severity in SEVERITIES for number in range(KINDS)]
    due: dict[str, datetime] = {}
    committed: dict[tuple[str, datetime], Counter[str]] = defaultdict(Counter)
    certain = {START: kinds[-1], START + WEEKS - timedelta(days=1): kinds[-1 - KINDS]}
    moments = sorted([*certain, *(START + WEEKS * rng.random() for _ in range(events))])
    for number, moment in enumerate(moments):
        await world.run_until(moment)
        if number % 8 == 0:
            world.arm(DEATHS[number // 8 % len(DEATHS)])
        kind = certain.get(moment) or rng.choice(kinds)
        await occur(world, kind, due, committed, count=rng.choice([1, 1, 1, 4, 30]))
        await operate(world, rng.choice(kinds), rng)
        if number in (events // 3, 2 * events // 3):
            await world.sleep_until(world.clock() + timedelta(hours=30))
    storm = [Kind(f"storm {number}", "critical") for number in range(STORM)]
    for kind in storm:
        await occur(world, kind, due, committed)
    await world.run_until(START + WEEKS + timedelta(days=9))
    assert set(world.deaths) == set(DEATHS)
    await check_alerts(world, due)
    check_digests(world, committed)
    check_duplicates(world)


async def occur(
    world: World,
    kind: Kind,
    due: dict[str, datetime],
    committed: dict[tuple[str, datetime], Counter[str]],
    *,
    count: int = 1,
) -> None:
    """One event, for the worker and for the bookkeeper."""
    at = world.clock()
    event = wire_event(
        now=at, severity=kind.severity, fingerprint=[kind.name], message=kind.name, count=count
    )
    body = json.dumps(event).encode()
    told = kind.occur(at, count)
    await world.deliver(read_delivery(body, EVENT_TYPE, origin="test", handle=None))
    kind.incident = kind.incident or await incident_of(world.store, kind.name)
    if kind.severity in ("medium", "low"):
        committed[kind.severity, period_of(world, kind.severity, at)][kind.name] += count
    elif told is not None:
        episode, _, what = told.partition(":")
        due[f"{kind.severity}:INC-{kind.incident}:{episode}:{what}:log"] = at


async def incident_of(store: Store, title: str) -> int:
    (row,) = await store.read(select(incidents.c.id).where(incidents.c.title == title))
    return int(row.id)


async def operate(world: World, kind: Kind, rng: random.Random) -> None:
    """Somebody acknowledges or resolves, now and then."""
    if not kind.incident or rng.random() < 0.5:
        return
    verb = rng.choice([Verb.ACKNOWLEDGE, Verb.RESOLVE, Verb.RESOLVE])
    incident = await get_incident(world.store, kind.incident)
    assert incident is not None
    try:
        await change_status(world.store, kind.incident, verb, actor="ana", now=world.clock())
    except IncidentConflictError:
        return
    if verb is Verb.RESOLVE and incident.status is not Status.RESOLVED:
        kind.resolved_at = world.clock()


def period_of(world: World, rule: str, at: datetime) -> datetime:
    return schedule_of(rule).next_after(at)


def schedule_of(rule: str) -> Schedule:
    sending: Any = next(one for one in POLICY.rules if one.name == rule).sending
    schedule: Schedule = sending.schedule
    return schedule


async def check_alerts(world: World, due: dict[str, datetime]) -> None:
    """What is due was told in its time, by itself or with others, or a stage says why not."""
    rows = {row.idempotency_key: row for row in await world.store.read(select(outbox))}
    expected = {key for key, row in rows.items() if row.reason not in ("reminder", "scheduled")}
    assert expected == set(due)
    first: dict[str, datetime] = {}
    for at, one in world.sent:
        row = rows[one.idempotency_key]
        for other in rows.values():
            if row.id in (other.id, other.carrier_id):
                first.setdefault(other.idempotency_key, at)
    for key, at in due.items():
        row = rows[key]
        if row.state == "stopped":
            assert row.state_reason in ("resolved", "acknowledged", "overtaken"), key
            continue
        assert row.state == "sent", key
        waited = (first[key] - at).total_seconds() - downtime_between(world, at, first[key])
        most = 300.0 if key.startswith("high") else 60.0 if row.carrier_id or row.kind == "summary" else 1.0
        died = row.id in world.leased_at_death or row.carrier_id in world.leased_at_death
        assert waited <= max(most, LEASE_SECONDS + 1 if died else 0), (key, waited)


def downtime_between(world: World, start: datetime, end: datetime) -> float:
    return sum(
        max(0.0, (min(end, until) - max(start, since)).total_seconds()) for since, until in world.downtimes
    )


def check_digests(world: World, committed: dict[tuple[str, datetime], Counter[str]]) -> None:
    """Every event is in the digest of the period of its commit, or in the one that caught up."""
    expected: dict[tuple[str, datetime], Counter[str]] = defaultdict(Counter)
    for (rule, until), counts in committed.items():
        missed = next((end for start, end in world.downtimes if start < until < end), None)
        told_at = until if missed is None else max(until, schedule_of(rule).last_until(missed))
        expected[rule, told_at].update(counts)
    told: dict[tuple[str, datetime], Counter[str]] = {}
    for _, one in world.sent:
        if one.kind is NotificationKind.DIGEST:
            assert one.reason is NotificationReason.SCHEDULED
            told[one.rule, one.until] = Counter({line.title: line.recent_count for line in one.incidents})
    assert told == dict(expected)
    hours = {(rule, until.hour) for rule, until in told}
    assert {("medium", 8), ("medium", 7), ("low", 14), ("low", 13)} == hours, "both days are in it"


def check_duplicates(world: World) -> None:
    """Only a death after an answer repeats what was in flight, at most once and under the same key."""
    received = Counter(world.sender.keys)
    assert sum(received.values()) - len(received) <= world.deaths["dispatcher.sent"] * AT_ONCE
    assert max(received.values()) <= 2
