"""The time for which a policy is played before it counts, so that windows and digests began as they would."""

from datetime import timedelta
from typing import Final

from faultwire_consumer.domain.policy.policy import Policy
from faultwire_consumer.domain.rules import InDigest, Rule, Within
from faultwire_consumer.domain.window import LATENESS

LEAST: Final = timedelta(minutes=10)
"""For the throttle, which looks back a minute, and what was gathered."""
_DAY: Final = timedelta(days=1)


def warm_up(policy: Policy) -> timedelta:
    """Return the longest time that any rule looks back: a window, a digest's period, a gathering."""
    return max([LEAST, *(_looks_back(rule) for rule in policy.rules)])


def _looks_back(rule: Rule) -> timedelta:
    found = [timedelta()]
    if rule.threshold is not None:
        found.append(2 * rule.threshold.length + LATENESS)
    if rule.remind_every is not None:
        found.append(rule.remind_every)
    if rule.escalation is not None:
        found.append(rule.escalation.after)
    if isinstance(rule.sending, Within):
        found.append(rule.sending.limit)
    if isinstance(rule.sending, InDigest):
        found.append(_DAY if rule.sending.schedule.weekday is None else 7 * _DAY)
    return max(found)
