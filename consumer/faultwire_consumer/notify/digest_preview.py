"""A look at the digest that would be sent if it were due at once; nothing is made, sent or changed."""

from datetime import datetime
from typing import Final

from faultwire_consumer.domain.notification import NotificationKind, NotificationReason
from faultwire_consumer.domain.policy.policy import Policy
from faultwire_consumer.domain.rules import Rule
from faultwire_consumer.domain.suggestion import suggest
from faultwire_consumer.notify.digest_maker import schedule_of, since_of
from faultwire_consumer.notify.notification import Notification
from faultwire_consumer.notify.rendering import notification_of
from faultwire_consumer.store.contract.store import Store
from faultwire_consumer.store.outbox.content import Content
from faultwire_consumer.store.outbox.digest_rows import DigestScope
from faultwire_consumer.store.outbox.digests import DueDigest, preview_digest, read_first_due
from faultwire_shared.event import ErrorSeverity
from faultwire_shared.taxonomy import NotFoundError

PREVIEW_KEY: Final = "preview"
"""In the place of an idempotency key: no receiver ever sees it."""


class DigestRuleNotFoundError(NotFoundError):
    """The policy in use has no such rule that sends digests, or the rule has no such receiver."""

    code = "DIGEST_RULE_NOT_FOUND"


def find_digest_rule(policy: Policy, name: str | None, receiver: str | None) -> tuple[Rule, str]:
    """Return a digest rule and one of its receivers, the first of each unless it is named.

    Raises:
        DigestRuleNotFoundError: there is no such rule, or it has no such receiver.
    """
    rule = next((one for one in policy.digests if name in (None, one.name)), None)
    if rule is None:
        known = [one.name for one in policy.digests]
        hint = suggest((name or "")[:100], known) if known else "no rule does"
        raise DigestRuleNotFoundError(f"no rule {(name or '')[:100]!r} sends digests; {hint}")
    if receiver is not None and receiver not in rule.receivers:
        hint = suggest(receiver[:100], rule.receivers)
        raise DigestRuleNotFoundError(f"rule {name} has no receiver {receiver[:100]!r}; {hint}")
    return rule, receiver or rule.receivers[0]


async def preview(
    store: Store, rule: Rule, receiver: str, *, now: datetime, public_url: str | None = None
) -> Notification:
    """Compute the digest of a rule for a receiver as if its hour were now.

    Raises:
        StoreUnavailableError: the database cannot be used now.
    """
    scope = await _scope_of(store, rule, receiver, now)
    facts = await preview_digest(store, scope)
    content = Content(
        id=0,
        idempotency_key=PREVIEW_KEY,
        receiver=receiver,
        rule=rule.name,
        kind=NotificationKind.DIGEST,
        reason=NotificationReason.SCHEDULED,
        urgent=False,
        severity=ErrorSeverity.LOW,
        detail="",
        created_at=now,
        since=scope.since,
        until=scope.until,
        lines=(),
        digest=facts,
    )
    return notification_of(content, public_url=public_url)


async def _scope_of(store: Store, rule: Rule, receiver: str, now: datetime) -> DigestScope:
    """Return the digest that is due next, cut at this moment, with all that was missed before it."""
    schedule = schedule_of(rule, receiver)
    due_at = schedule.next_after(now)
    first_due = await read_first_due(store, rule=rule.name, receiver=receiver, until=due_at)
    due = DueDigest(rule.name, receiver, first_due or due_at, due_at)
    return DigestScope(
        rule=rule.name,
        receiver=receiver,
        since=await since_of(store, due, schedule),
        until=now,
        due_until=due_at,
        where=rule.where,
    )
