"""The content of a claimed notification: its incident and those grouped with it, as they are now."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from msgspec import Struct
from sqlalchemy import ColumnElement, Row, case, func, or_, select

from faultwire_consumer.domain.digest.facts import DigestFacts, read_facts
from faultwire_consumer.domain.incident import Status
from faultwire_consumer.domain.incident_terms import Terms, read_terms
from faultwire_consumer.domain.notification import NotificationKind, NotificationReason
from faultwire_consumer.domain.sending import StageReason
from faultwire_consumer.store.contract.row import values_of
from faultwire_consumer.store.contract.store import Store
from faultwire_consumer.store.schema.events import incidents
from faultwire_consumer.store.schema.notify import digest_lines, digests, outbox
from faultwire_shared.event import ErrorSeverity


class IncidentLine(Struct, frozen=True, kw_only=True):
    """One incident in a notification, and what the notification says of it."""

    reason: NotificationReason
    event_id: str | None
    detail: str
    events: int | None
    """The number since the previous digest."""
    created_at: datetime
    episode: int
    """The notification's own; the incident's current one where it has none (a threshold, a digest)."""
    incident_id: int
    service: str
    title: str
    culprit: str
    severity: ErrorSeverity
    category: str
    code: str
    status: Status
    count: int
    first_seen_at: datetime
    last_seen_at: datetime
    last_release: str | None
    terms: Terms
    facts: str | None = None
    """What is known of the event, not yet read; None in a digest, or where an older release wrote it."""


class Content(Struct, frozen=True, kw_only=True):
    """A notification with all its content."""

    id: int
    idempotency_key: str
    receiver: str
    rule: str
    kind: NotificationKind
    reason: NotificationReason
    urgent: bool
    severity: ErrorSeverity
    detail: str
    created_at: datetime
    since: datetime | None
    until: datetime | None
    lines: tuple[IncidentLine, ...]
    """Of a digest that a release before this one made, as many as are shown; of a later one none."""
    was_quiet: bool = False
    """Its receiver's quiet hours held it back."""
    digest: DigestFacts | None = None
    """What a digest says, as it was when it was made."""
    more_count: int = 0
    """Incidents besides those in ``lines``, of a summary with more than `LINES_MAX` notifications."""


LINES_MAX: Final = 1000
"""Notifications of a summary, or incidents of an older digest, that are read for its text: the first ones."""
_HEAD: Final = tuple(outbox.c[name] for name in Content.__struct_fields__ if name in outbox.c)
_INCIDENT: Final = (
    incidents.c.id.label("incident_id"),
    *(
        incidents.c[name]
        for name in IncidentLine.__struct_fields__
        if name in incidents.c and name != "episode"
    ),
)


async def load_content(store: Store, outbox_id: int) -> Content:
    """Load a notification from the outbox, for a sender.

    Raises:
        StoreUnavailableError: the database cannot be used now.
        msgspec.MsgspecError: what a later release wrote cannot be read.
    """
    (head,) = await store.read(select(*_HEAD).where(outbox.c.id == outbox_id))
    kind = NotificationKind(head.kind)
    is_digest = kind is NotificationKind.DIGEST
    digest = await _load_digest(store, outbox_id) if is_digest else None
    rows: Sequence[Row[Any]] = ()
    if digest is None:
        rows = await store.read(_digest(outbox_id) if is_digest else _grouped(outbox_id))
    is_cut = not is_digest and len(rows) == LINES_MAX
    values = values_of(head) | {
        "kind": kind,
        "reason": NotificationReason(head.reason),
        "urgent": bool(head.urgent),
        "severity": ErrorSeverity.from_rank(head.severity),
    }
    return Content(
        **values,
        lines=tuple(_line(row, head.created_at) for row in rows),
        digest=digest,
        more_count=await _count_beyond(store, outbox_id, rows) if is_cut else 0,
        was_quiet=not is_digest and any(row.state_reason == StageReason.QUIET_HOURS.value for row in rows),
    )


async def _load_digest(store: Store, outbox_id: int) -> DigestFacts | None:
    rows = await store.read(select(digests.c.body).where(digests.c.outbox_id == outbox_id))
    return read_facts(rows[0].body) if rows else None


async def _count_beyond(store: Store, outbox_id: int, rows: Sequence[Any]) -> int:
    """Count the incidents of a summary that are not among its first rows."""
    (row,) = await store.read(
        select(func.count(outbox.c.incident_id.distinct()).label("total")).where(_is_in(outbox_id))
    )
    return max(0, int(row.total) - len({one.incident_id for one in rows}))


def _grouped(outbox_id: int) -> Any:
    episode = case((outbox.c.episode > 0, outbox.c.episode), else_=incidents.c.episode).label("episode")
    named = ("reason", "event_id", "detail", "created_at", "facts", "state_reason")
    columns = (*(outbox.c[name] for name in named), episode)
    return (
        select(*columns, *_INCIDENT)
        .join_from(outbox, incidents, incidents.c.id == outbox.c.incident_id)
        .where(_is_in(outbox_id))
        .order_by(outbox.c.severity.desc(), outbox.c.id)
        .limit(LINES_MAX)
    )


def _is_in(outbox_id: int) -> ColumnElement[bool]:
    return or_(outbox.c.id == outbox_id, outbox.c.carrier_id == outbox_id)


def _digest(outbox_id: int) -> Any:
    columns = (digest_lines.c.reason, digest_lines.c.event_id, digest_lines.c.events, incidents.c.episode)
    return (
        select(*columns, *_INCIDENT)
        .join_from(digest_lines, incidents, incidents.c.id == digest_lines.c.incident_id)
        .where(digest_lines.c.outbox_id == outbox_id)
        .order_by(digest_lines.c.events.desc(), incidents.c.id)
        .limit(LINES_MAX)
    )


def _line(row: Any, created_at: datetime) -> IncidentLine:
    values = {"detail": "", "events": None, "created_at": created_at, "facts": None} | values_of(row)
    values.pop("state_reason", None)
    return IncidentLine(
        **values
        | {
            "reason": NotificationReason(values["reason"]),
            "severity": ErrorSeverity.from_rank(values["severity"]),
            "status": Status(values["status"]),
            "terms": read_terms(values["terms"]),
        }
    )
