"""Reads a policy as people write it, in TOML; an error names the line and what would be right."""

import re
import tomllib
from collections.abc import Callable, Iterable, Mapping
from datetime import timedelta
from typing import Any, Final, TypeVar

from faultwire_consumer.domain.notification import NotificationReason
from faultwire_consumer.domain.policy.absence import ABSENCE_ON, absent_where, check_absence, read_absence
from faultwire_consumer.domain.policy.condition import read_conditions, read_inhibition, read_unless
from faultwire_consumer.domain.policy.digest_time import DigestTime, read_digest_time
from faultwire_consumer.domain.policy.failure import PolicyError
from faultwire_consumer.domain.policy.policy import Policy
from faultwire_consumer.domain.policy.receiver.receiver import read_receiver
from faultwire_consumer.domain.policy.table import Table, hint
from faultwire_consumer.domain.rules import (
    GROWTH,
    STARTS,
    TRIGGERS,
    AtOnce,
    Escalation,
    InDigest,
    Per,
    Rule,
    Sending,
    Threshold,
    Within,
)

T = TypeVar("T")

WRONG_MAX: Final = 20
"""Errors that are told of one file."""
WHEN_EMPTY: Final = ("skip", "send")
LENGTH_MIN: Final = timedelta(minutes=1)
LENGTH_MAX: Final = timedelta(days=7)
QUIET_DAYS_MAX: Final = 366
REMINDER_MIN: Final = timedelta(minutes=1)
WITHIN_MIN: Final = timedelta(seconds=10)
WITHIN_MAX: Final = timedelta(hours=1)

_AT_LINE: Final = re.compile(r" \(at line (\d+), column \d+\)$")


def parse_policy(text: str, *, shipped: str | None = None) -> Policy:
    """Read a policy.

    Args:
        text: the TOML.
        shipped: the policy whose rules apply to all receivers if the text has none of its own.

    Raises:
        PolicyError: something in it is not valid.
    """
    root = Table(_load(text), text)
    file = read_digest_time(root)
    growth = _growth(root)
    wrong = list[PolicyError]()
    receivers = _each(root.tables("receivers"), lambda table: read_receiver(table, file), wrong)
    if not receivers and not wrong:
        raise root.missing("receivers", 'write one, such as [receivers.log] type = "log"')
    names = tuple(table.name for table in root.tables("receivers"))
    own_times = {one.name: one.own.digest for one in receivers if one.own.digest != DigestTime()}
    digest = _Digest(file, own_times, sends_empty=_sends_empty(root, default=False))
    source = root
    if "rules" not in root and shipped is not None:
        source = Table(_load(shipped), shipped)
    own = source is root
    known = names if own else None
    inhibits = _each(root.tables("inhibit"), read_inhibition, wrong)
    rules = _each(source.tables("rules"), lambda table: _rule(table, digest, known, names), wrong)
    root.take("rules")
    _each((root,), Table.finish, wrong)
    if wrong:
        first, *others = sorted(wrong, key=lambda error: error.line)
        raise PolicyError(first.line, str(first), others[: WRONG_MAX - 1])
    if not rules:
        raise root.error("rules", "no rules, so nobody would ever be notified")
    return Policy(receivers=receivers, rules=rules, growth=growth, inhibits=inhibits)


def _each(tables: Iterable[Table], read: Callable[[Table], T], wrong: list[PolicyError]) -> tuple[T, ...]:
    """Read each table; what is wrong with one is added, and hides nothing of the next."""
    found = []
    for table in tables:
        try:
            found.append(read(table))
        except PolicyError as error:
            wrong.append(error)
    return tuple(found)


class _Digest:
    """Times of digests: the file's own setting, and a rule's that differs; a receiver's own override both.

    Whether empty ones are sent is the file's and the rule's alone.
    """

    def __init__(self, time: DigestTime, receivers: Mapping[str, DigestTime], *, sends_empty: bool) -> None:
        self._time = time
        self._receivers = receivers
        self._sends_empty = sends_empty

    def of(self, table: Table) -> "_Digest":
        """Return the times of one rule."""
        sends_empty = _sends_empty(table, default=self._sends_empty)
        return _Digest(read_digest_time(table).over(self._time), self._receivers, sends_empty=sends_empty)

    def daily(self) -> InDigest:
        own = {name: time.over(self._time).daily() for name, time in self._receivers.items()}
        return InDigest(self._time.daily(), tuple(own.items()), self._sends_empty)

    def weekly(self) -> InDigest:
        own = {name: time.over(self._time).weekly() for name, time in self._receivers.items()}
        return InDigest(self._time.weekly(), tuple(own.items()), self._sends_empty)


def _sends_empty(table: Table, *, default: bool) -> bool:
    return table.choice("when_empty", WHEN_EMPTY, "send" if default else "skip") == "send"


def _load(text: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        at = _AT_LINE.search(str(error))
        line = int(at.group(1)) if at else text.count("\n") + 1
        said = _AT_LINE.sub("", str(error)).removesuffix(" (at end of document)")
        raise PolicyError(line, f"not TOML: {said[:200]}") from None
    except RecursionError:
        raise PolicyError(1, "its values are nested too deeply") from None


def _growth(root: Table) -> tuple[int, ...]:
    def read(value: Any) -> tuple[int, ...]:
        if not isinstance(value, list) or not all(type(one) is int and 1 < one < 10**18 for one in value):
            raise ValueError("a list of counts above 1, as in [10, 100, 1000]")
        return tuple(sorted(set(value)))

    return root.read("growth", read, GROWTH)


def _rule(table: Table, digest: _Digest, known: tuple[str, ...] | None, everybody: tuple[str, ...]) -> Rule:
    """Read one rule; ``known`` are the names its receivers may have, None for a rule for everybody."""
    threshold = _threshold(table)
    where, absence = read_conditions(table), read_absence(table)
    on = frozenset(table.enums("on", NotificationReason, TRIGGERS))
    sending = _sending(table, digest.of(table))
    escalation = _escalation(table, everybody)
    second = escalation.receivers if escalation is not None else ()
    first = tuple(name for name in everybody if name not in second)
    receivers = table.texts("receivers", known) if known is not None else everybody
    remind_every = table.duration("remind_every", REMINDER_MIN, LENGTH_MAX)
    quiet_days = table.number("auto_resolve_days", 1, QUIET_DAYS_MAX, "a number of days from 1 to 366", 0)
    rule = Rule(
        name=table.name,
        where=where if absence is None else absent_where(table.name),
        on=on if absence is None else ABSENCE_ON,
        threshold=threshold,
        sending=sending,
        receivers=receivers or first,
        remind_every=remind_every,
        auto_resolve_days=quiet_days or None,
        owner_first=table.switch("owner_first"),
        escalation=escalation,
        unless=read_unless(table),
        absence=absence,
    )
    table.take("receivers")
    check_absence(table, where, on, rule)
    _check(table, rule)
    table.finish()
    return rule


def _check(table: Table, rule: Rule) -> None:
    in_digest = isinstance(rule.sending, InDigest)
    if not rule.on and rule.threshold is None:
        raise table.missing(
            "on", f"some of {', '.join(TRIGGERS)}; or count, with events = and window =; or absent_for ="
        )
    if NotificationReason.CONTINUED in rule.on and not in_digest:
        raise table.error(
            "on", "continued is every event, and goes into a digest only (send daily or weekly)"
        )
    if NotificationReason.GROWTH in rule.on and in_digest:
        raise table.error(
            "on", "a digest shows every count; growth is for rules that send now or within a time"
        )
    if rule.threshold is not None and in_digest:
        raise table.error("send", "a threshold is sent now or within a time, not in a digest")
    asked = (rule.where.environment, rule.where.release, rule.where.type, rule.where.tags)
    if rule.auto_resolve_days is not None and any(asked):
        # An incident is of many environments, releases and tags, and each would be quiet by itself.
        raise table.error(
            "auto_resolve_days", "is for rules that ask for severity, category, service or code alone"
        )
    if rule.owner_first and in_digest:
        raise table.error(
            "owner_first", "is for what is sent now or within a time; a digest is its receivers' own"
        )
    if rule.remind_every is not None and not isinstance(rule.sending, AtOnce):
        raise table.error("remind_every", "reminders belong to what is sent now")
    if rule.escalation is not None:
        _check_escalation(table, rule, rule.escalation)


def _check_escalation(table: Table, rule: Rule, escalation: Escalation) -> None:
    if isinstance(rule.sending, InDigest) or not rule.on & STARTS:
        raise table.error(
            "escalate_after", "is for rules on new, regressed or severity_rose that send now or within a time"
        )
    twice = sorted(set(rule.receivers) & set(escalation.receivers))
    if twice or not rule.receivers:
        name = next(iter(twice), escalation.receivers[0])
        raise table.error("escalate_to", f"{name} is told at once; it takes another one")


def _escalation(table: Table, known: tuple[str, ...]) -> Escalation | None:
    after = table.duration("escalate_after", REMINDER_MIN, LENGTH_MAX)
    receivers = table.texts("escalate_to", known)
    if after is None and not receivers:
        return None
    if after is None:
        raise table.error("escalate_to", 'needs escalate_after, as in escalate_after = "30m"')
    if not receivers:
        raise table.error("escalate_after", "needs escalate_to, the receivers that come next")
    return Escalation(after, receivers)


def _threshold(table: Table) -> Threshold | None:
    events = table.number("events", 1, 10**12, "a number of events, 1 or more", 0)
    incidents = table.number("new_incidents", 1, 10**9, "a number of new incidents, 1 or more", 0)
    length = table.duration("window", LENGTH_MIN, LENGTH_MAX)
    per = table.enum("per", Per)
    if events and incidents:
        raise table.error("new_incidents", "events or new_incidents, not both")
    if not events and not incidents:
        for key, given in (("window", length), ("per", per)):
            if given is not None:
                raise table.error(key, f"{key} needs events = or new_incidents = next to it")
        return None
    if length is None:
        raise table.missing("window", 'how long, as in window = "10m"')
    if incidents and per is Per.INCIDENT:
        raise table.error("per", "an incident is new once; count new incidents per service, category or all")
    default = Per.ALL if incidents else Per.INCIDENT
    return Threshold(
        number=events or incidents, length=length, per=per or default, counts_incidents=bool(incidents)
    )


def _sending(table: Table, digest: _Digest) -> Sending:
    def read(value: Any) -> Sending:
        match value:
            case "now":
                return AtOnce()
            case "daily":
                return digest.daily()
            case "weekly":
                return digest.weekly()
            case str() if value.startswith("within "):
                limit = table.as_duration(value.removeprefix("within "), WITHIN_MIN, WITHIN_MAX)
                return Within(limit)
        near = hint(value, ("now", "daily", "weekly", "within 5m"))
        raise ValueError(f'"now", "within 5m", "daily" or "weekly"{near}')

    sending = table.read("send", read, None)
    if sending is None:
        raise table.missing("send", '"now", "within 5m", "daily" or "weekly"')
    return sending
