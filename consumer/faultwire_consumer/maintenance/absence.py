"""Tells of services that should report and went quiet, and resolves that when they are heard again.

One worker at a time looks, by a lease. The event that tells of an absence has an id made from it, so a
worker that dies between the event and the note of it tells nothing twice.
"""

from collections.abc import Awaitable, Callable, Iterable, Mapping
from datetime import datetime, timedelta
from typing import Final

from msgspec.structs import replace

from faultwire_consumer.domain.incident_name import incident_name
from faultwire_consumer.domain.policy.absence import OWN_SERVICE
from faultwire_consumer.domain.policy.policy import Policy
from faultwire_consumer.domain.policy.table import spell_duration
from faultwire_consumer.domain.rules import Rule
from faultwire_consumer.domain.telling.absence import (
    CODE,
    RULE_TAG,
    SERVICE_TAG,
    AbsenceStep,
    Watch,
    absence_event_id,
    begin,
    look,
    services_of,
)
from faultwire_consumer.store.audit.absences import (
    forget_watches,
    load_heard,
    load_watches,
    resolve_absence,
    save_watches,
)
from faultwire_consumer.store.contract.store import Store
from faultwire_shared import __version__, codec
from faultwire_shared.clock import Clock
from faultwire_shared.event import SCHEMA_VERSION, Category, ErrorSeverity, Event, Sdk
from faultwire_shared.logging.logs import get_logger

LEASE: Final = "absence"
EVERY: Final = timedelta(minutes=1)
KNOWN_FOR: Final = timedelta(days=14)
"""A service that is like a rule's pattern, and was not heard for longer, is history."""

Ingest = Callable[[bytes], Awaitable[bool]]
"""Puts an event's body through the normal path; returns True if it is kept now."""

log = get_logger(__name__)


class AbsenceWatch:
    """Watches the services of the policy's rules of absence."""

    def __init__(
        self,
        store: Store,
        ingest: Ingest,
        policy: Callable[[], Policy],
        *,
        clock: Clock,
        is_clear: Callable[[], bool] = lambda: True,
    ) -> None:
        """Prepare.

        Args:
            store: has the watches, and when services were heard.
            ingest: takes the event that tells of an absence.
            policy: the one in use.
            clock: gives the time.
            is_clear: True if nothing waits to be taken in; while something does, nobody is missed.
        """
        self._store = store
        self._ingest = ingest
        self._policy = policy
        self._clock = clock
        self._is_clear = is_clear

    async def look(self) -> None:
        """Look at every service once.

        Raises:
            StoreUnavailableError: the database does not answer now.
        """
        rules = {rule.name: rule for rule in self._policy().rules if rule.absence is not None}
        known = {(one.rule, one.service): one for one in await load_watches(self._store)}
        if not rules and not known:
            return
        now = self._clock()
        heard = await load_heard(self._store, since=now - KNOWN_FOR, until=now)
        wanted = dict(_wanted(rules.values(), heard, known))
        await self._leave([one for key, one in known.items() if key not in wanted], now)
        looked = []
        for key, rule in wanted.items():
            watch = known.get(key) or begin(*key, now)
            looked.append(await self._look_at(watch, rule, heard.get(watch.service), now))
        await save_watches(self._store, looked)

    async def _look_at(self, watch: Watch, rule: Rule, heard_at: datetime | None, now: datetime) -> Watch:
        assert rule.absence is not None, "only such rules are asked"  # noqa: S101 - chosen above
        after = rule.absence.after
        watch, step = look(watch, heard_at=heard_at, after=after, is_clear=self._is_clear(), now=now)
        if step is AbsenceStep.CAME_BACK:
            return await self._end(watch, now)
        if step is AbsenceStep.WENT_QUIET:
            event = absence_event(watch, after, now)
            if await self._ingest(codec.encode(event)):
                log.warning("absence.told", rule=watch.rule, absent=watch.service)
                return replace(watch, event_id=event.id)
        return watch

    async def _end(self, watch: Watch, now: datetime) -> Watch:
        incident_id = await resolve_absence(self._store, watch.event_id or "", now=now)
        if incident_id is not None:
            log.info("absence.over", absent=watch.service, incident=incident_name(incident_id))
        return replace(watch, event_id=None)

    async def _leave(self, watches: Iterable[Watch], now: datetime) -> None:
        """Forget what no rule watches any more, with the incident: nobody would ever resolve it."""
        gone = list(watches)
        for watch in gone:
            if watch.event_id is not None:
                await self._end(watch, now)
        await forget_watches(self._store, gone)


def absence_event(watch: Watch, after: timedelta, now: datetime) -> Event:
    """Build the event that tells of an absence; there is one incident of them for each rule and service."""
    return Event(
        id=absence_event_id(watch),
        schema_version=SCHEMA_VERSION,
        occurred_at=now,
        severity=ErrorSeverity.HIGH,
        category=Category.SYSTEM,
        code=CODE,
        service=OWN_SERVICE,
        message=(
            f"service {watch.service} sent nothing for {spell_duration(after)}, as rule {watch.rule} asks"
        ),
        context={"service": watch.service, "rule": watch.rule, "silent_since": watch.since.isoformat()},
        tags={RULE_TAG: watch.rule, SERVICE_TAG: watch.service},
        fingerprint=[CODE, watch.rule, watch.service],
        scrubbed=True,
        sdk=Sdk(name="faultwire-worker", version=__version__),
    )


def _wanted(
    rules: Iterable[Rule], heard: Mapping[str, datetime], known: Mapping[tuple[str, str], Watch]
) -> Iterable[tuple[tuple[str, str], Rule]]:
    """Yield what rules watch; faultwire itself only where a rule names it."""
    for rule in rules:
        patterns = rule.absence.services if rule.absence is not None else ()
        absent = {service for name, service in known if name == rule.name and known[name, service].event_id}
        services = ({*heard} | absent) - {OWN_SERVICE}
        for service in services_of(patterns, services):
            yield (rule.name, service), rule
