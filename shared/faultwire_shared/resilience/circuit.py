"""The states of a circuit breaker, which decide if calls pass or are refused; without clock or lock.

Closed, open and half-open as Michael Nygard defines them ("Release It!", 2007): a number of failures in a
row opens the circuit, after a while single trials are let through, and their success closes it.
"""

from enum import StrEnum

from msgspec import Struct


class CircuitState(StrEnum):
    """Closed: calls pass. Open: they are refused. Half-open: one trial at a time passes."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


class Outcome(StrEnum):
    """Verdict of a call on the other side; undecided if it ended before there was an answer."""

    SUCCEEDED = "succeeded"
    FAILED = "failed"
    UNDECIDED = "undecided"


class CircuitCounts(Struct, frozen=True, kw_only=True):
    """Totals since the circuit was made, and the failures in a row that would open it."""

    successes: int = 0
    failures: int = 0
    refused: int = 0
    opened: int = 0
    failures_in_a_row: int = 0


class Permit(Struct, frozen=True):
    """Permission for one call. Its outcome matters only while its generation lasts."""

    generation: int


class Refusal(Struct, frozen=True):
    """Refusal of a call; seconds until a trial may pass, 0 if one is in progress."""

    seconds: float


class Circuit:
    """The states of one circuit; times are seconds of a monotonic clock.

    A call may end long after the state has changed: its outcome is counted, but a success from before
    the circuit opened does not close it, and a failure from before does not undo a trial.
    """

    def __init__(self, *, failure_threshold: int, reset_timeout: float, trials: int) -> None:
        self.state: CircuitState = CircuitState.CLOSED
        self._failure_threshold = failure_threshold
        self._reset_timeout = reset_timeout
        self._trials = trials
        self._generation = 0
        self._opened_at = 0.0
        self._trial_at: float | None = None
        self._passed_trials = 0
        self._failures_in_a_row = 0
        self._ended = dict.fromkeys(Outcome, 0)
        self._refused = 0
        self._opened = 0

    def counts(self) -> CircuitCounts:
        """Return the counts so far."""
        return CircuitCounts(
            successes=self._ended[Outcome.SUCCEEDED],
            failures=self._ended[Outcome.FAILED],
            refused=self._refused,
            opened=self._opened,
            failures_in_a_row=self._failures_in_a_row,
        )

    def admit(self, now: float) -> Permit | Refusal:
        """Decide if a call may be made now. Each permit must be settled once."""
        if self.state is CircuitState.OPEN:
            left = self._opened_at + self._reset_timeout - now
            if left > 0:
                return self._refuse(left)
            self._enter(CircuitState.HALF_OPEN)
        if self.state is CircuitState.HALF_OPEN:
            # A trial that never ends must not block the circuit for ever: after as long as the circuit
            # stays open, the next call is the trial, and the old one's outcome no longer matters.
            if self._trial_at is not None and now - self._trial_at < self._reset_timeout:
                return self._refuse(0.0)
            self._trial_at = now
            self._generation += 1
        return Permit(self._generation)

    def settle(self, permit: Permit, outcome: Outcome, now: float) -> None:
        """Record the outcome of a call that was let through."""
        self._ended[outcome] += 1
        if permit.generation != self._generation:
            return
        if self.state is CircuitState.HALF_OPEN:
            self._trial_at = None
            self._judge_trial(outcome, now)
        elif outcome is Outcome.SUCCEEDED:
            self._failures_in_a_row = 0
        elif outcome is Outcome.FAILED:
            self._failures_in_a_row += 1
            if self._failures_in_a_row >= self._failure_threshold:
                self._open(now)

    def _judge_trial(self, outcome: Outcome, now: float) -> None:
        if outcome is Outcome.FAILED:
            self._failures_in_a_row += 1
            self._open(now)
        elif outcome is Outcome.SUCCEEDED:
            self._passed_trials += 1
            if self._passed_trials >= self._trials:
                self._failures_in_a_row = 0
                self._enter(CircuitState.CLOSED)

    def _refuse(self, seconds: float) -> Refusal:
        self._refused += 1
        return Refusal(seconds)

    def _open(self, now: float) -> None:
        self._opened_at = now
        self._opened += 1
        self._enter(CircuitState.OPEN)

    def _enter(self, state: CircuitState) -> None:
        self.state = state
        self._generation += 1
        self._trial_at = None
        self._passed_trials = 0
