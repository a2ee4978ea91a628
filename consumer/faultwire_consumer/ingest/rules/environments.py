"""Tells rules that ask for an environment of an incident's first event there, also since it came back.

"New" and "regressed" are an incident's; a bug of staging that reaches production is neither, and yet it
is news to who asked for production alone.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from faultwire_consumer.domain.incident import Status, Touched, Transition
from faultwire_consumer.domain.notification import NotificationReason
from faultwire_consumer.domain.rules import Happened, Rule
from faultwire_consumer.ingest.read.candidate import Decoded
from faultwire_consumer.store.contract.store import Transaction
from faultwire_consumer.store.events.environments import (
    Spot,
    Standing,
    list_first_sights,
    list_not_seen_since,
    sum_up,
)

_SPOTS_MAX: Final = 200_000
_TOLD: Final = frozenset((NotificationReason.NEW, NotificationReason.REGRESSED))


class Arrival(Struct):
    """News of an incident for rules: what happened, and the event that it is judged by."""

    touched: Touched
    event: Decoded
    happened: list[Happened]


class EnvironmentWatch:
    """Remembers where incidents were seen, so that the store is asked once for each place."""

    def __init__(self, rules: Iterable[Rule]) -> None:
        self.rules = tuple(rule for rule in rules if rule.where.environment and rule.on & _TOLD)
        self._known: set[bytes] = set()

    async def arrivals(
        self,
        tx: Transaction,
        events: Sequence[Decoded],
        touched: Iterable[Touched],
        transitions: Mapping[int, Transition],
        settled: list[bytes],
    ) -> list[Arrival]:
        """List the arrivals in a batch.

        Args:
            tx: its transaction, behind its counters and its transitions.
            events: those that it stored for the first time.
            touched: the incidents to decide on; among them all that came back once.
            transitions: what the batch did to incidents.
            settled: gets what need not be asked again after the commit.
        """
        newest = _newest_of(events)
        added = sum_up(
            ((one.row.fingerprint, one.row.environment), one.row.occurred_at, one.row.count) for one in events
        )
        arrivals: dict[Spot, Arrival] = {}
        unknown = {spot: hours for spot, hours in added.items() if self._is_new(_key(spot), settled)}
        for spot, standing in (await list_first_sights(tx, unknown)).items():
            arrivals[spot] = Arrival(
                _touched(standing, newest[spot]), newest[spot], [Happened(NotificationReason.NEW)]
            )
        fingerprint_of = {event.row.event_id: event.row.fingerprint for event in events}
        for before in touched:
            incident = _after(before, transitions.get(before.incident_id))
            if incident.episode == 1:
                continue
            fingerprint = fingerprint_of[incident.newest_event_id]
            spots = {
                spot: hours
                for spot, hours in added.items()
                if spot[0] == fingerprint and self._is_new(_key(spot, incident.episode), settled)
            }
            for spot in await list_not_seen_since(tx, incident.incident_id, spots):
                event = newest[spot]
                here = Arrival(replace(incident, newest_event_id=event.row.event_id), event, [])
                arrivals.setdefault(spot, here).happened.append(Happened(NotificationReason.REGRESSED))
        return [one for one in arrivals.values() if one.touched.status is not Status.RESOLVED]

    def settle(self, keys: Iterable[bytes]) -> None:
        """Remember what a committed batch has asked."""
        if len(self._known) > _SPOTS_MAX:
            self._known.clear()
        self._known.update(keys)

    def _is_new(self, key: bytes, settled: list[bytes]) -> bool:
        if key in self._known:
            return False
        settled.append(key)
        return True


def _newest_of(events: Iterable[Decoded]) -> dict[Spot, Decoded]:
    newest: dict[Spot, Decoded] = {}
    for event in events:
        known = newest.setdefault((event.row.fingerprint, event.row.environment), event)
        if event.row.ended_at > known.row.ended_at:
            newest[event.row.fingerprint, event.row.environment] = event
    return newest


def _key(spot: Spot, episode: int = 0) -> bytes:
    """Return a short key: environments are texts of other people's, of any length."""
    fingerprint, environment = spot
    text = fingerprint + episode.to_bytes(8) + environment.encode()
    return hashlib.blake2b(text, digest_size=16).digest()


def _touched(standing: Standing, event: Decoded) -> Touched:
    return Touched(
        incident_id=standing.incident_id,
        status=standing.status,
        episode=standing.episode,
        first_sight=False,
        severity_before=standing.severity,
        severity=standing.severity,
        count_before=standing.count - event.row.count,
        count=standing.count,
        resolved_at=None,
        newest_at=event.row.ended_at,
        newest_event_id=event.row.event_id,
    )


def _after(touched: Touched, transition: Transition | None) -> Touched:
    if transition is None:
        return touched
    return replace(touched, status=transition.after, episode=transition.episode)
