"""Remembers which incidents are pending for the next digests, so that further events cost nothing."""

import hashlib
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

import msgspec

from faultwire_consumer.domain.notification import NotificationReason
from faultwire_consumer.domain.policy.policy import DigestOf, next_digest
from faultwire_consumer.domain.rules import PATTERNS, Facts, Rule
from faultwire_consumer.ingest.read.candidate import Decoded
from faultwire_shared.event import Scalar

MARGIN: Final = timedelta(minutes=5)
"""Nothing is remembered this long before a digest: workers' clocks differ, and a digest that is made
in the meantime must find, locked or written, what a transaction adds."""
_KINDS_MAX: Final = 200_000
_NEVER: Final = datetime(1970, 1, 1, tzinfo=UTC)


class DigestMemo:
    """Kinds of events that need not be checked again until the next digest."""

    def __init__(self, rules: Sequence[Rule]) -> None:
        self.rules = tuple(rule for rule in rules if NotificationReason.CONTINUED in rule.on)
        self._all = rules
        self._settled: set[bytes] = set()
        self._due: dict[DigestOf, datetime] = {}
        self._asked_at = _NEVER
        self.first_due: datetime | None = None
        """Due time of the next digest of any rule."""
        self._tested = _tested_by(self.rules)

    def due_at(self, now: datetime) -> dict[DigestOf, datetime]:
        """Return the due time of each rule's next digest for each of its receivers."""
        # A clock that was ahead and is set back must not put every digest off until then.
        if self.first_due is None or now >= self.first_due or now < self._asked_at - MARGIN:
            self._asked_at = now
            self._settled.clear()
            self._due = next_digest(self._all, now)
            self.first_due = min(self._due.values(), default=None)
        elif now >= self.first_due - MARGIN:
            self._settled.clear()
        return self._due

    def unsettled(self, events: Iterable[Decoded]) -> dict[bytes, Decoded]:
        """Return one event of each kind that is not known to be pending or to match no rule."""
        found: dict[bytes, Decoded] = {}
        for event in events:
            key = self._key(event)
            if key not in self._settled:
                found.setdefault(key, event)
        return found

    def settle(self, keys: Iterable[bytes], *, first_due: datetime | None, now: datetime) -> None:
        """Remember kinds of events whose pending rows are committed.

        Args:
            keys: as `unsettled` returned them.
            first_due: as it was then; another batch may have reached the next period in the meantime.
            now: time of their evaluation.
        """
        if first_due is None or first_due != self.first_due or now >= first_due - MARGIN:
            return
        if len(self._settled) > _KINDS_MAX:
            self._settled.clear()
        self._settled.update(keys)

    def _key(self, event: Decoded) -> bytes:
        """Return a short key: what rules test are texts of other people's, of any length."""
        row = event.row
        key = row.fingerprint + row.severity.rank.to_bytes()
        if not self._tested:
            return key
        facts = event.facts()
        tested = msgspec.json.encode([_value_of(facts, name) for name in self._tested])
        return hashlib.blake2b(key + tested, digest_size=16).digest()


def _tested_by(rules: Iterable[Rule]) -> tuple[str, ...]:
    """List what the rules test besides an event's severity: other facts, and tags with a leading ``#``."""
    tested = set[str]()
    for rule in rules:
        tested.update(name for name in (*PATTERNS, "category") if getattr(rule.where, name))
        tested.update(f"#{name}" for name, _ in rule.where.tags)
    return tuple(sorted(tested))


def _value_of(facts: Facts, name: str) -> Scalar:
    return facts.tags.get(name[1:]) if name.startswith("#") else getattr(facts, name)
