"""Bodies to be played: those that were kept, and for events without one what is left of them."""

from collections.abc import Sequence
from typing import Any, Final

import msgspec
from msgspec import Raw, Struct

from faultwire_consumer.domain.incident_limit import OVERFLOW_CODE, overflow_of, overflow_of_services
from faultwire_consumer.domain.policy.policy import Policy
from faultwire_consumer.domain.rules import Facts, Rule
from faultwire_consumer.ingest.read.narrow import NarrowEvent, decode_narrow
from faultwire_consumer.rehearsal.grouping import PlayedEvent
from faultwire_consumer.store.contract.packed_body import is_packed
from faultwire_consumer.store.contract.store import Store
from faultwire_consumer.store.rehearsal.events import KeptEvent, read_example
from faultwire_shared.codec import Undecodable
from faultwire_shared.event import ErrorSeverity

REMEMBERED: Final = 20_000
"""Fingerprints whose example is remembered; the oldest is forgotten."""
_fields: Final = msgspec.json.Decoder(dict[str, Raw])
_encode: Final = msgspec.json.Encoder().encode


class _Example(Struct, frozen=True):
    """Facts that rules ask for and that all events of a fingerprint have in common, nearly always."""

    category: str
    code: str
    type: str


class Bodies:
    """Makes events playable, and counts those of which not everything is known any more."""

    def __init__(self, source: Store, policies: Sequence[Policy]) -> None:
        self._source = source
        self._asking = [rule for policy in policies for rule in policy.rules if rule.where.tags]
        self._examples: dict[bytes, _Example] = {}
        self.missing = 0
        """Events without a body."""
        self.unjudged: dict[str, int] = {}
        """By rule, events of which nobody can tell whether its tags matched."""

    async def playable(self, batch: Sequence[KeptEvent]) -> list[PlayedEvent]:
        """Return a batch as it is played.

        Raises:
            StoreUnavailableError: the database cannot be used now.
        """
        return [await self._playable(event) for event in batch]

    async def _playable(self, event: KeptEvent) -> PlayedEvent:
        kept = event.doc is not None and not is_packed(event.doc)
        body = bytes(event.doc or b"") if kept else await self._make(event)
        if event.code == OVERFLOW_CODE:
            body = _as_overflow(event, body)
        return PlayedEvent(event.event_id, bytes(event.fingerprint), event.title, body)

    async def _make(self, event: KeptEvent) -> bytes:
        example = await self._example(event)
        self.missing += 1
        facts = _facts(event, example)
        for rule in self._asking:
            if _would_match(rule, facts):
                self.unjudged[rule.name] = self.unjudged.get(rule.name, 0) + 1
        document: dict[str, Any] = {
            "id": event.event_id,
            "schema_version": 1,
            "occurred_at": event.occurred_at.isoformat(),
            "severity": facts.severity.value,
            "service": event.service,
            "environment": event.environment,
            "release": event.release,
            "count": event.count,
            "category": example.category,
            "code": example.code,
            "message": event.title or "(no title)",
            "exceptions": [{"type": example.type}] if example.type else [],
            "scrubbed": True,
        }
        return _encode(document)

    async def _example(self, event: KeptEvent) -> _Example:
        key = bytes(event.fingerprint)
        known = self._examples.pop(key, None)
        if known is None:
            body = await read_example(self._source, key)
            known = _example_of(event, body)
        self._examples[key] = known
        while len(self._examples) > REMEMBERED:
            del self._examples[next(iter(self._examples))]
        return known


def _example_of(event: KeptEvent, body: bytes | None) -> _Example:
    usual = _Example(event.category, event.code, "")
    if body is None:
        return usual
    try:
        read = decode_narrow(body)
    except Undecodable:
        return usual
    return _Example(read.category.value, read.code, _type_of(read))


def _type_of(event: NarrowEvent) -> str:
    return event.exceptions[0].type if event.exceptions else ""


def _facts(event: KeptEvent, example: _Example) -> Facts:
    return Facts(
        severity=ErrorSeverity.from_rank(event.severity),
        category=example.category,
        service=event.service,
        environment=event.environment,
        release=event.release or "",
        code=example.code or event.code,
        type=example.type,
        tags={},
    )


def _would_match(rule: Rule, facts: Facts) -> bool:
    return msgspec.structs.replace(rule.where, tags=()).match(facts)


def _as_overflow(event: KeptEvent, body: bytes) -> bytes:
    """Give an event the code that it was judged by, where an overflow incident took it."""
    try:
        kind = _type_of(decode_narrow(body))
        key = bytes(event.fingerprint)
        if key not in (overflow_of(event.service, kind).key, overflow_of_services().key):
            return body
        return _encode(_fields.decode(body) | {"code": Raw(_encode(OVERFLOW_CODE))})
    except Undecodable:
        return body
