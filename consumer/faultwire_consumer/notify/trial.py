"""A test of a receiver: one marked notification through its own sender, and what became of it."""

import asyncio
import secrets
from collections import deque
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Final

from msgspec import Struct

from faultwire_consumer.domain.notification import NotificationKind, NotificationReason
from faultwire_consumer.domain.suggestion import suggest
from faultwire_consumer.metrics import Metrics
from faultwire_consumer.notify.notification import Notification
from faultwire_consumer.notify.plain_text import one_line
from faultwire_consumer.notify.sender import Outcome, Sender, SendReason, Sent, Transient
from faultwire_shared.clock import Clock
from faultwire_shared.event import ErrorSeverity
from faultwire_shared.logging.logs import get_logger
from faultwire_shared.taxonomy import NotFoundError, ValidationError

TESTS_MAX: Final = 6
"""Tests in a minute that one worker makes, of all receivers together."""
MINUTE: Final = timedelta(minutes=1)
ANSWER_SECONDS: Final = 15.0
"""A sender has limits of its own; this one holds whatever it does."""
ACTOR_CHARACTERS: Final = 100

log = get_logger(__name__)


class ReceiverNotFoundError(NotFoundError):
    """The policy in use has no receiver of that name."""

    code = "RECEIVER_NOT_FOUND"


class TooManyTestsError(ValidationError):
    """A receiver is somebody's pager: tests are bounded."""

    code = "TOO_MANY_TESTS"
    status = 429


class TrialResult(Struct, frozen=True, kw_only=True):
    """The outcome of a test."""

    receiver: str
    outcome: str
    """sent, transient or permanent; a test is never tried again."""
    reason: str | None
    """Of a test that failed, as an attempt's."""
    detail: str
    seconds: float
    """The time that it took."""
    idempotency_key: str


class Trial:
    """Tests receivers, within a bound that holds for all who ask this worker."""

    def __init__(
        self,
        senders: Callable[[], Mapping[str, Sender]],
        *,
        metrics: Metrics,
        clock: Clock,
        public_url: str | None = None,
        make_key: Callable[[], str] = lambda: f"test:{secrets.token_hex(8)}",
    ) -> None:
        self._senders = senders
        self._metrics = metrics
        self._clock = clock
        self._public_url = public_url
        self._make_key = make_key
        self._sent: deque[datetime] = deque()

    async def run(self, receiver: str, *, actor: str) -> TrialResult:
        """Send one test to a receiver, and wait for the outcome.

        Args:
            receiver: its name in the policy in use.
            actor: who asks; the test says so.

        Raises:
            ReceiverNotFoundError: there is none of that name.
            TooManyTestsError: too many were made in the last minute.
        """
        sender = self._senders().get(receiver)
        if sender is None:
            hint = suggest(receiver[:50], self._senders())
            raise ReceiverNotFoundError(f"the policy has no receiver {receiver[:50]}; {hint}")
        self._admit()
        notification = self._notification(receiver, actor)
        began = asyncio.get_running_loop().time()
        outcome = await _send(sender, notification)
        seconds = asyncio.get_running_loop().time() - began
        return self._told(notification, outcome, seconds)

    def _admit(self) -> None:
        now = self._clock()
        while self._sent and self._sent[0] <= now - MINUTE:
            self._sent.popleft()
        if len(self._sent) >= TESTS_MAX:
            raise TooManyTestsError(f"{TESTS_MAX} tests were made in the last minute; wait for a moment")
        self._sent.append(now)

    def _notification(self, receiver: str, actor: str) -> Notification:
        return Notification(
            idempotency_key=self._make_key(),
            kind=NotificationKind.TEST,
            reason=NotificationReason.REQUESTED,
            rule="",
            receiver=receiver,
            severity=ErrorSeverity.LOW,
            incidents=(),
            created_at=self._clock(),
            detail=f"Asked for by {one_line(actor, ACTOR_CHARACTERS)}.",
            public_url=self._public_url,
        )

    def _told(self, notification: Notification, outcome: Outcome, seconds: float) -> TrialResult:
        failed = None if isinstance(outcome, Sent) else outcome
        receiver, name = notification.receiver, outcome.name.value
        self._metrics.notification_attempts.labels(receiver=receiver, outcome=name).inc()
        log.info("notification.tested", receiver=receiver, outcome=name, reason=failed and failed.reason)
        return TrialResult(
            receiver=receiver,
            outcome=name,
            reason=failed.reason.value if failed else None,
            detail=outcome.detail,
            seconds=round(seconds, 3),
            idempotency_key=notification.idempotency_key,
        )


async def _send(sender: Sender, notification: Notification) -> Outcome:
    try:
        async with asyncio.timeout(ANSWER_SECONDS):
            return await sender.send(notification)
    except TimeoutError:
        return Transient(SendReason.TIMEOUT, f"no answer within {ANSWER_SECONDS:g} s")
    except Exception as error:
        # A bug in a sender is what a test is to find.
        log.exception("notification.sender_failed", receiver=sender.name)
        return Transient(SendReason.NOT_SENDABLE, f"the sender failed: {type(error).__name__}")
