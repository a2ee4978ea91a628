"""Rules and receivers in the words of their file, for everybody who shows them."""

from collections.abc import Sequence
from typing import Any

from faultwire_consumer.domain.policy.digest_time import WEEKDAYS, DigestTime
from faultwire_consumer.domain.policy.table import spell_duration
from faultwire_consumer.domain.rules import (
    PATTERNS,
    AtOnce,
    Conditions,
    Escalation,
    Rule,
    Unless,
    Within,
)
from faultwire_consumer.domain.silence.weekly import WeeklyWindow, describe_window
from faultwire_consumer.domain.telling.inhibition import Inhibition


def where_of(conditions: Conditions) -> dict[str, Any]:
    """Return the conditions that are given, by their keys."""
    where: dict[str, Any] = {name: list(getattr(conditions, name)) for name in PATTERNS}
    where["severity"] = [one.value for one in sorted(conditions.severity, key=lambda one: one.rank)]
    where["category"] = sorted(conditions.category)
    where["tags"] = {name: list(values) for name, values in conditions.tags}
    return {name: values for name, values in where.items() if values}


def spell_where(conditions: Conditions) -> str:
    """Say what conditions ask for, on one line: ``service billing or payment*; tag region eu-*``."""
    where = where_of(conditions)
    tags = where.pop("tags", {})
    asked = [*where.items(), *((f"tag {name}", values) for name, values in tags.items())]
    return "; ".join(f"{name} {' or '.join(values)}" for name, values in asked)


def spell_unless(unless: Unless) -> str:
    """Say which open incident keeps a rule quiet."""
    critical = ", critical too" if unless.also_critical else ""
    within = spell_duration(unless.seen_within)
    return f"{spell_where(unless.when)} is open and was seen within {within}{critical}"


def spell_inhibition(inhibition: Inhibition) -> str:
    """Say what an inhibition does."""
    same = f" of the same {' and '.join(inhibition.same)}" if inhibition.same else ""
    critical = ", critical too" if inhibition.also_critical else ""
    muted = spell_where(inhibition.mutes) or "everything"
    within = spell_duration(inhibition.seen_within)
    return f"{spell_where(inhibition.when)}, open and seen within {within}, mutes {muted}{same}{critical}"


def spell_escalation(escalation: Escalation) -> str:
    """Say who hears next, and when: ``boss after 30m``."""
    return f"{', '.join(escalation.receivers)} after {spell_duration(escalation.after)}"


def spell_count(rule: Rule) -> str | None:
    """Say what a rule counts: events, new incidents, or how long a service is silent; None for any other."""
    threshold = rule.threshold
    if rule.absence is not None:
        return f"{' or '.join(rule.absence.services)} silent for {spell_duration(rule.absence.after)}"
    if threshold is None:
        return None
    what = "new incidents" if threshold.counts_incidents else "events"
    return f"{threshold.number} {what} within {spell_duration(threshold.length)} per {threshold.per}"


def spell_sending(rule: Rule) -> str:
    """Say when a rule sends: ``now``, ``within 5m``, ``daily at 09:00 UTC``."""
    sending = rule.sending
    if isinstance(sending, AtOnce):
        return "now"
    if isinstance(sending, Within):
        return f"within {spell_duration(sending.limit)}"
    schedule = sending.schedule
    often = "daily" if schedule.weekday is None else f"weekly on {WEEKDAYS[schedule.weekday]}"
    empty = ", also when empty" if sending.sends_empty else ""
    return f"{often} at {schedule.hour:02}:00 {schedule.zone.key}{empty}"


def spell_quiet(windows: Sequence[WeeklyWindow]) -> tuple[str, ...]:
    """Say when a receiver is quiet, a text for each window."""
    return tuple(describe_window(one) for one in windows)


def spell_digest_time(time: DigestTime) -> str | None:
    """Say at which times of its own a receiver has its digests; None if it has none."""
    words = (
        "" if time.hour is None else f"at {time.hour:02}:00",
        "" if time.weekday is None else f"weekly ones on {WEEKDAYS[time.weekday]}",
        "" if time.zone is None else time.zone.key,
    )
    return ", ".join(word for word in words if word) or None
