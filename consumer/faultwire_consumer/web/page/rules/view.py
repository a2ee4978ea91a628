"""Rules and silences as the page shows them: plain values, made by pure functions."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Final

from msgspec import Struct

from faultwire_consumer.domain.policy.policy import Policy
from faultwire_consumer.domain.policy.receiver.receiver import Receiver
from faultwire_consumer.domain.policy.table import spell_duration
from faultwire_consumer.domain.policy.wording import (
    spell_count,
    spell_digest_time,
    spell_escalation,
    spell_inhibition,
    spell_quiet,
    spell_sending,
    spell_unless,
    where_of,
)
from faultwire_consumer.domain.rules import InDigest, Rule
from faultwire_consumer.domain.silence.matcher import listed
from faultwire_consumer.domain.silence.silence import SilenceState, changes_at, state_of
from faultwire_consumer.domain.silence.weekly import describe_window
from faultwire_consumer.store.silences.stored import StoredSilence

VALUES_SHOWN: Final = 5
"""Values of one matcher, and windows, that a row shows; it says how many more there are."""
_GROUPS: Final = (
    (SilenceState.ACTIVE, "Active", "Hiding notifications now."),
    (SilenceState.RESTING, "Recurring", "Between two of their windows."),
    (SilenceState.COMING, "Coming", "Not begun yet."),
)


class Matcher(Struct, frozen=True):
    """One kind of condition, with its values; as many as are shown."""

    name: str
    values: tuple[str, ...]
    more: int = 0


class RuleView(Struct, frozen=True, kw_only=True):
    """A rule in words."""

    name: str
    where: tuple[Matcher, ...]
    hears: tuple[str, ...]
    counts: str | None
    send: str
    remind_every: str | None
    escalates: str | None
    unless: str | None
    auto_resolve_days: int | None
    owner_first: bool
    receivers: tuple[str, ...]
    has_digest: bool
    """It sends digests, and the next one can be looked at."""


class ReceiverView(Struct, frozen=True, kw_only=True):
    """A receiver without its address."""

    name: str
    type: str
    signed: bool
    own_templates: bool
    template_fault: str
    """What is wrong with its own templates; nothing if they are whole."""
    quiet: tuple[str, ...]
    """Its quiet hours, in words."""
    digest: str | None
    owners: tuple[str, ...]
    recovery: bool
    rules: tuple[str, ...]
    """The names of rules that tell it something."""


class SilenceView(Struct, frozen=True, kw_only=True):
    """A silence as a row, or whole on its own page."""

    id: int
    state: str
    where: tuple[Matcher, ...]
    windows: tuple[str, ...]
    more_windows: int
    changes_at: datetime | None
    starts_at: datetime
    ends_at: datetime
    also_critical: bool
    author: str
    comment: str
    created_at: datetime
    ended_at: datetime | None
    ended_by: str | None
    hits: int
    incidents: int
    last_hit_at: datetime | None
    may_end: bool
    may_resume: bool


class SilenceGroup(Struct, frozen=True, kw_only=True):
    """Silences that do the same now."""

    title: str
    about: str
    silences: tuple[SilenceView, ...]


def rule_views(policy: Policy) -> tuple[RuleView, ...]:
    """Return the rules of a policy in words."""
    return tuple(_rule(rule) for rule in policy.rules)


def receiver_views(policy: Policy, template_faults: Mapping[str, str]) -> tuple[ReceiverView, ...]:
    """Return the receivers of a policy, with nothing of them that has to stay secret."""
    return tuple(_receiver(one, policy.rules, template_faults.get(one.name, "")) for one in policy.receivers)


def inhibition_views(policy: Policy) -> tuple[tuple[str, str], ...]:
    """Return the names of the file's inhibitions, and what each does in words."""
    return tuple((one.name, spell_inhibition(one)) for one in policy.inhibits)


def silence_view(silence: StoredSilence, now: datetime, *, incidents: int = 0) -> SilenceView:
    """Return a silence as it is shown; ``incidents`` are those of which it hid something."""
    judged = silence.judged
    state = state_of(judged, now)
    stands = state in (SilenceState.ACTIVE, SilenceState.RESTING, SilenceState.COMING)
    windows = tuple(describe_window(window) for window in silence.weekly)
    return SilenceView(
        id=silence.id,
        state=state.value,
        where=tuple(_matcher(name, values) for name, values in listed(silence.matchers)),
        windows=windows[:VALUES_SHOWN],
        more_windows=max(0, len(windows) - VALUES_SHOWN),
        changes_at=changes_at(judged, now) if stands else None,
        starts_at=silence.starts_at,
        ends_at=silence.ends_at,
        also_critical=silence.also_critical,
        author=silence.author,
        comment=silence.comment,
        created_at=silence.created_at,
        ended_at=silence.ended_at,
        ended_by=silence.ended_by,
        hits=silence.hits,
        incidents=incidents,
        last_hit_at=silence.last_hit_at,
        may_end=stands,
        may_resume=state is SilenceState.ENDED and silence.ends_at > now,
    )


def silence_groups(
    silences: Iterable[StoredSilence], now: datetime, incidents: Mapping[int, int]
) -> tuple[SilenceGroup, ...]:
    """Return the silences that stand, by what they do now; those that do nothing of it are left out."""
    views = [silence_view(one, now, incidents=incidents.get(one.id, 0)) for one in silences]
    groups = (
        SilenceGroup(
            title=title, about=about, silences=tuple(one for one in views if one.state == state.value)
        )
        for state, title, about in _GROUPS
    )
    return tuple(group for group in groups if group.silences)


def _rule(rule: Rule) -> RuleView:
    where = where_of(rule.where)
    tags = where.pop("tags", {})
    matchers = [*where.items(), *((f"tag {name}", values) for name, values in tags.items())]
    return RuleView(
        name=rule.name,
        where=tuple(_matcher(name, values) for name, values in matchers),
        hears=tuple(sorted(reason.value.replace("_", " ") for reason in rule.on)),
        counts=spell_count(rule),
        send=spell_sending(rule),
        remind_every=None if rule.remind_every is None else spell_duration(rule.remind_every),
        escalates=None if rule.escalation is None else spell_escalation(rule.escalation),
        unless=None if rule.unless is None else spell_unless(rule.unless),
        auto_resolve_days=rule.auto_resolve_days,
        owner_first=rule.owner_first,
        receivers=rule.receivers,
        has_digest=isinstance(rule.sending, InDigest),
    )


def _receiver(receiver: Receiver, rules: Iterable[Rule], template_fault: str) -> ReceiverView:
    return ReceiverView(
        name=receiver.name,
        type=receiver.type.value,
        signed=receiver.signed,
        own_templates=receiver.template is not None,
        template_fault=template_fault,
        quiet=spell_quiet(receiver.own.quiet),
        digest=spell_digest_time(receiver.own.digest),
        owners=receiver.own.owners,
        recovery=receiver.recovery,
        rules=tuple(rule.name for rule in rules if receiver.name in _told_by(rule)),
    )


def _told_by(rule: Rule) -> tuple[str, ...]:
    return rule.receivers + (rule.escalation.receivers if rule.escalation is not None else ())


def _matcher(name: str, values: Sequence[str]) -> Matcher:
    return Matcher(name, tuple(values[:VALUES_SHOWN]), max(0, len(values) - VALUES_SHOWN))
