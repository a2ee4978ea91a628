"""One attempt: content, sender, and the mark that records its outcome."""

import asyncio
import random
from datetime import datetime, timedelta
from functools import partial
from typing import Final

from msgspec import structs

from faultwire_consumer.domain.notification import NotificationReason
from faultwire_consumer.domain.sending import NotificationState, RetryAt, StageReason, after_failure
from faultwire_consumer.metrics import Metrics
from faultwire_consumer.notify.claim import Claimed
from faultwire_consumer.notify.frames import load_frames
from faultwire_consumer.notify.notification import Notification
from faultwire_consumer.notify.own_watch import OwnWatch
from faultwire_consumer.notify.rendering import notification_of
from faultwire_consumer.notify.sender import (
    Outcome,
    Permanent,
    Sender,
    SendReason,
    Sent,
    Transient,
    shows_frames,
)
from faultwire_consumer.notify.traced import TracedAttempts
from faultwire_consumer.store.contract.store import Store, StoreUnavailableError
from faultwire_consumer.store.outbox.claim import renew_claim
from faultwire_consumer.store.outbox.content import Content, load_content
from faultwire_consumer.store.outbox.mark import Mark, mark
from faultwire_shared.clock import Clock
from faultwire_shared.failpoint import failpoint
from faultwire_shared.logging.logs import get_logger

MARK_AGAIN_SECONDS: Final = 1.0
_IN_ITS_TIME: Final = (NotificationReason.REMINDER, NotificationReason.ESCALATED)
"""Reasons of what waits for its time by its rule: no deadline is promised for it."""
READ_AGAIN_SECONDS: Final = 0.5
"""The wait before the content is read again: a broken connection is replaced at once."""
_WAITS_ON_PURPOSE: Final = (StageReason.GROWING.value, StageReason.QUIET_HOURS.value)
"""Behind what its receiver was told a moment ago, or for its quiet hours: no latency of ours."""

log = get_logger(__name__)


class Attempter:
    """Sends a claimed notification once, and records the outcome."""

    def __init__(
        self,
        store: Store,
        *,
        metrics: Metrics,
        clock: Clock,
        lease_seconds: float,
        public_url: str | None,
        watch: OwnWatch,
        rng: random.Random,
        traced: TracedAttempts | None = None,
    ) -> None:
        self._store = store
        self._metrics = metrics
        self._clock = clock
        self._lease_seconds = lease_seconds
        self._public_url = public_url
        self._watch = watch
        self._rng = rng
        self._traced = traced

    async def attempt(self, claimed: Claimed, sender: Sender, *, urgent: bool) -> None:
        """Send a claimed notification, and mark it with the outcome.

        Raises:
            StoreUnavailableError: its content could not be read for as long as a lease; that has expired.
        """
        content = await self._load(claimed)
        if content is None:
            log.warning("notification.lease_lost", idempotency_key=claimed.notifications[0].idempotency_key)
            return
        notification = notification_of(content, public_url=self._public_url)
        if shows_frames(sender):
            notification = structs.replace(notification, frames=await load_frames(self._store, content))
        self._observe_latency(claimed, sender.name, urgent=urgent)
        failpoint("dispatcher.sending")
        sending = partial(self._send, sender, notification)
        outcome = await (
            sending()
            if self._traced is None
            else self._traced.send(sending, content, receiver=sender.name, number=claimed.number)
        )
        failpoint("dispatcher.sent")
        result = self._mark_of(claimed, outcome)
        held = await self._mark(result)
        failpoint("dispatcher.marked")
        self._report(result, sender.name, claimed, held=held)

    async def _load(self, claimed: Claimed) -> Content | None:
        """Read the content, again for as long as the lease lasts: until it ends nobody else may send.

        Returns None if another dispatcher has the notification by then.
        """
        tries_left = int(self._lease_seconds / READ_AGAIN_SECONDS)
        again = False
        while True:
            try:
                if again and not await self._renew(claimed):
                    return None
                return await load_content(self._store, claimed.outbox_id)
            except StoreUnavailableError as error:
                if not tries_left:
                    raise
                if not again:
                    log.warning("store.lost", lane="dispatcher", why=str(error))
                again, tries_left = True, tries_left - 1
            await asyncio.sleep(READ_AGAIN_SECONDS)

    async def _renew(self, claimed: Claimed) -> bool:
        """Make the lease a whole one again, since part of it went by before anything was sent."""
        until = self._clock() + timedelta(seconds=self._lease_seconds)
        async with self._store.write() as tx:
            return await renew_claim(tx, claimed.outbox_id, claimed.token, until=until)

    async def give_up(self, claimed: Claimed, sender: Sender, error: Exception) -> None:
        """Give up a notification that the worker itself fails on, so that it is in the way of no other.

        Raises:
            StoreUnavailableError: nothing was written; its lease expires, and it fails again.
        """
        failed = Permanent(SendReason.NOT_SENDABLE, f"the worker failed: {type(error).__name__}")
        result = structs.replace(
            self._mark_of(claimed, failed),
            state=NotificationState.GIVEN_UP,
            state_reason=StageReason.UNREADABLE,
        )
        held = await self._mark(result)
        self._report(result, sender.name, claimed, held=held)

    async def _send(self, sender: Sender, notification: Notification) -> Outcome:
        """Send within half a lease: a dispatcher that takes over then meets no attempt still running."""
        try:
            async with asyncio.timeout(self._lease_seconds / 2):
                return await sender.send(notification)
        except TimeoutError:
            return Transient(SendReason.TIMEOUT, f"no answer within {self._lease_seconds / 2:g} s")
        except Exception as error:
            # A bug in a sender must end neither the worker nor the other notifications.
            log.exception("notification.sender_failed", receiver=sender.name)
            return Transient(SendReason.NOT_SENDABLE, f"the sender failed: {type(error).__name__}")

    def _mark_of(self, claimed: Claimed, outcome: Outcome) -> Mark:
        now = self._clock()
        state, state_reason, due_at = self._next_state(claimed, outcome, now)
        failed = None if isinstance(outcome, Sent) else outcome
        return Mark(
            outbox_id=claimed.outbox_id,
            number=claimed.number,
            token=claimed.token,
            ended_at=now,
            outcome=outcome.name.value,
            reason=failed.reason.value if failed else None,
            detail=outcome.detail,
            state=state,
            state_reason=state_reason,
            due_at=due_at,
        )

    def _next_state(
        self, claimed: Claimed, outcome: Outcome, now: datetime
    ) -> tuple[NotificationState, StageReason | None, datetime | None]:
        if isinstance(outcome, Sent):
            return NotificationState.SENT, None, None
        if isinstance(outcome, Permanent):
            return NotificationState.GIVEN_UP, StageReason.REFUSED, None
        then = after_failure(
            attempts=claimed.number,
            first_at=claimed.first_at,
            now=now,
            after_seconds=outcome.after_seconds,
            chance=self._rng.random(),
        )
        if isinstance(then, RetryAt):
            return NotificationState.WAITING, None, then.due_at
        return NotificationState.GIVEN_UP, then, None

    async def _mark(self, result: Mark) -> bool:
        """Try for as long as the lease may last: an unmarked notification is sent again."""
        for tries_left in range(int(self._lease_seconds / 2 / MARK_AGAIN_SECONDS), -1, -1):
            try:
                async with self._store.write() as tx:
                    return await mark(tx, result)
            except StoreUnavailableError:
                if not tries_left:
                    raise
                await asyncio.sleep(MARK_AGAIN_SECONDS)
        raise AssertionError("the last try returns or raises")

    def _observe_latency(self, claimed: Claimed, receiver: str, *, urgent: bool) -> None:
        if claimed.number > 1:
            return
        now = self._clock()
        self._watch.note_start(receiver, claimed.notifications, urgent=urgent, now=now)
        for due in claimed.notifications:
            if due.state_reason in _WAITS_ON_PURPOSE or due.reason in _IN_ITS_TIME:
                continue
            waited = (now - due.created_at).total_seconds()
            self._metrics.alert_latency_seconds.labels(severity=due.severity.value).observe(max(0.0, waited))

    def _report(self, result: Mark, receiver: str, claimed: Claimed, *, held: bool) -> None:
        key = claimed.notifications[0].idempotency_key
        self._metrics.notification_attempts.labels(receiver=receiver, outcome=result.outcome).inc()
        if not held:
            log.warning("notification.lease_lost", receiver=receiver, idempotency_key=key)
        elif result.state is NotificationState.GIVEN_UP:
            self._metrics.notifications_given_up.labels(reason=str(result.state_reason)).inc()
            self._watch.note_given_up(
                receiver,
                claimed.notifications,
                reason=str(result.state_reason),
                detail=result.detail,
                now=result.ended_at,
            )
            log.error(
                "notification.given_up",
                receiver=receiver,
                idempotency_key=key,
                reason=result.state_reason,
                last=result.reason,
                detail=result.detail,
            )
        elif result.state is NotificationState.WAITING:
            log.warning(
                "notification.failed",
                receiver=receiver,
                idempotency_key=key,
                attempt=result.number,
                reason=result.reason,
                detail=result.detail,
                again_at=result.due_at.isoformat() if result.due_at else None,
            )
