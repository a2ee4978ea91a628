"""The API's documents of notifications and rules, field by field."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from msgspec import Struct, structs

from faultwire_consumer.domain.incident_name import incident_name
from faultwire_consumer.domain.policy.policy import Policy
from faultwire_consumer.domain.policy.receiver.receiver import Receiver
from faultwire_consumer.domain.policy.status import PolicyStatus
from faultwire_consumer.domain.policy.table import spell_duration
from faultwire_consumer.domain.policy.wording import (
    spell_count,
    spell_digest_time,
    spell_quiet,
    spell_sending,
    where_of,
)
from faultwire_consumer.domain.rules import Rule, Unless
from faultwire_consumer.domain.telling.inhibition import Inhibition
from faultwire_consumer.store.outbox.queries import GroupedIncident, SendAttempt, StageRow, StoredNotification


class AlertShape(Struct, frozen=True, kw_only=True):
    """A notification in a list."""

    id: int
    idempotency_key: str
    receiver: str
    rule: str
    kind: str
    reason: str
    incident_id: str | None
    severity: str
    state: str
    state_reason: str | None
    attempts: int
    created_at: datetime
    due_at: datetime
    finished_at: datetime | None
    silence_id: int | None
    """The silence that stopped it, or holds it back."""
    since: datetime | None
    """The beginning of a digest's period."""
    until: datetime | None
    """The end of a digest's period."""


class ToldShape(Struct, frozen=True, kw_only=True):
    """An incident in a summary or digest."""

    incident_id: str
    reason: str
    events: int | None
    alert_id: int | None


class AlertDetail(AlertShape, frozen=True, kw_only=True):
    """One notification with everything that happened to it."""

    event_id: str | None
    detail: str
    carrier_id: int | None
    attempted_at: datetime | None
    resent_at: datetime | None
    """Since an operator had it sent again."""
    stages: tuple[StageRow, ...]
    tries: tuple[SendAttempt, ...]
    told: tuple[ToldShape, ...]


class AlertList(Struct, frozen=True, kw_only=True):
    """A page of notifications."""

    alerts: tuple[AlertShape, ...]
    next_cursor: str | None


class UnlessShape(Struct, frozen=True, kw_only=True):
    """The open incident that explains others, in the words of the file."""

    when: dict[str, Any]
    seen_within: str
    also_critical: bool


class InhibitShape(UnlessShape, frozen=True, kw_only=True):
    """An inhibition of the file: what explains what."""

    name: str
    mutes: dict[str, Any]
    same: tuple[str, ...]


class RuleShape(Struct, frozen=True, kw_only=True):
    """A rule, in the words of its file."""

    name: str
    where: dict[str, Any]
    on: tuple[str, ...]
    counts: str | None
    send: str
    receivers: tuple[str, ...]
    remind_every: str | None
    owner_first: bool
    """Tells the receivers of whoever has the incident, and these only where there are none."""
    escalate_after: str | None
    """Time after which `escalate_to` hear of what nobody acknowledged."""
    escalate_to: tuple[str, ...]
    unless: UnlessShape | None


class ReceiverShape(Struct, frozen=True, kw_only=True):
    """A receiver without its address and secret: either may be a password."""

    name: str
    type: str
    signed: bool
    own_templates: bool
    """Its words are of templates of its own."""
    template_fault: str | None
    """What is wrong with them; the built-in ones stand in."""
    quiet_hours: tuple[str, ...]
    digest: str | None
    """Its own times of digests."""
    owners: tuple[str, ...]
    hears: tuple[str, ...]
    """Reasons that it asks for beside what rules send it: of recovery."""


class PolicyShape(Struct, frozen=True, kw_only=True):
    """The policy in use."""

    receivers: tuple[ReceiverShape, ...]
    rules: tuple[RuleShape, ...]
    inhibits: tuple[InhibitShape, ...]
    file: str | None
    """Its file; none: it is the shipped one."""
    read_at: datetime
    wrong: str | None
    """Why the file as it is cannot be used, so that the rules of before stay in use."""
    wrong_since: datetime | None


def alert_shape(alert: StoredNotification) -> AlertShape:
    """A notification for a list."""
    return AlertShape(**_fields(alert, AlertShape))


def alert_detail(
    alert: StoredNotification,
    *,
    stages: tuple[StageRow, ...],
    tries: tuple[SendAttempt, ...],
    told: tuple[GroupedIncident, ...],
) -> AlertDetail:
    """One notification whole."""
    return AlertDetail(
        **_fields(alert, AlertShape),
        event_id=alert.event_id,
        detail=alert.detail,
        carrier_id=alert.carrier_id,
        attempted_at=alert.attempted_at,
        resent_at=alert.resent_at,
        stages=stages,
        tries=tries,
        told=tuple(
            ToldShape(
                incident_id=incident_name(one.incident_id),
                reason=one.reason,
                events=one.events,
                alert_id=one.notification_id,
            )
            for one in told
        ),
    )


def policy_shape(policy: Policy, status: PolicyStatus, template_faults: Mapping[str, str]) -> PolicyShape:
    """The policy, with nothing in it that has to stay secret."""
    return PolicyShape(
        receivers=tuple(_receiver(one, template_faults.get(one.name)) for one in policy.receivers),
        rules=tuple(_rule(one) for one in policy.rules),
        inhibits=tuple(_inhibit(one) for one in policy.inhibits),
        **structs.asdict(status),
    )


def _fields(alert: StoredNotification, shape: type[Struct]) -> dict[str, Any]:
    values = {name: getattr(alert, name) for name in shape.__struct_fields__}
    incident = None if alert.incident_id is None else incident_name(alert.incident_id)
    return values | {"incident_id": incident, "severity": alert.severity.value, "state": alert.state.value}


def _receiver(receiver: Receiver, template_fault: str | None) -> ReceiverShape:
    return ReceiverShape(
        name=receiver.name,
        type=receiver.type.value,
        signed=receiver.signed,
        own_templates=receiver.template is not None,
        template_fault=template_fault,
        quiet_hours=spell_quiet(receiver.own.quiet),
        digest=spell_digest_time(receiver.own.digest),
        owners=receiver.own.owners,
        hears=tuple(sorted(receiver.hears)),
    )


def _inhibit(inhibition: Inhibition) -> InhibitShape:
    return InhibitShape(
        name=inhibition.name,
        when=where_of(inhibition.when),
        mutes=where_of(inhibition.mutes),
        same=inhibition.same,
        seen_within=spell_duration(inhibition.seen_within),
        also_critical=inhibition.also_critical,
    )


def _unless(unless: Unless) -> UnlessShape:
    return UnlessShape(
        when=where_of(unless.when),
        seen_within=spell_duration(unless.seen_within),
        also_critical=unless.also_critical,
    )


def _rule(rule: Rule) -> RuleShape:
    return RuleShape(
        name=rule.name,
        where=where_of(rule.where),
        on=tuple(sorted(reason.value for reason in rule.on)),
        counts=spell_count(rule),
        send=spell_sending(rule),
        receivers=rule.receivers,
        remind_every=None if rule.remind_every is None else spell_duration(rule.remind_every),
        owner_first=rule.owner_first,
        escalate_after=None if rule.escalation is None else spell_duration(rule.escalation.after),
        escalate_to=() if rule.escalation is None else rule.escalation.receivers,
        unless=None if rule.unless is None else _unless(rule.unless),
    )
