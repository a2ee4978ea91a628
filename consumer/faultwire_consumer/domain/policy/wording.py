"""Rules and receivers in the words of their file, for everybody who shows them."""

from collections.abc import Sequence
from typing import Any

from faultwire_consumer.domain.policy.digest_time import WEEKDAYS, DigestTime
from faultwire_consumer.domain.policy.table import spell_duration
from faultwire_consumer.domain.rules import PATTERNS, AtOnce, Conditions, Rule, Within
from faultwire_consumer.domain.silence.weekly import WeeklyWindow, describe_window


def where_of(conditions: Conditions) -> dict[str, Any]:
    """Return the conditions that are given, by their keys."""
    where: dict[str, Any] = {name: list(getattr(conditions, name)) for name in PATTERNS}
    where["severity"] = [one.value for one in sorted(conditions.severity, key=lambda one: one.rank)]
    where["category"] = sorted(conditions.category)
    where["tags"] = {name: list(values) for name, values in conditions.tags}
    return {name: values for name, values in where.items() if values}


def spell_count(rule: Rule) -> str | None:
    """Say what a rule with a threshold counts; None for any other."""
    threshold = rule.threshold
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
    return f"{often} at {schedule.hour:02}:00 {schedule.zone.key}"


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
