"""When calls pass and when they are refused: the states of a circuit breaker, without clock or lock.

Closed, open and half-open as Michael Nygard has them ("Release It!", 2007): so many failures in a row open
the circuit, after a while single trials are let through, and their success closes it.
"""

from enum import StrEnum

from msgspec import Struct


class CircuitState(StrEnum):
    """Closed: calls pass. Open: they are refused. Half-open: one trial at a time passes."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


class Outcome(StrEnum):
    """What a call says of the other side; undecided where it ended before there was an answer."""

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
    """Leave for one call. What comes of it is news only while its generation lasts."""

    generation: int


class Refusal(Struct, frozen=True):
    """No leave; seconds until a trial may pass, 0 where one is under way."""

    seconds: float


class Circuit:
    """The states of one circuit; times are seconds of a clock that only grows.

    A call may end long after the state has changed: its outcome is counted, but a success from before
    the circuit opened does not close it, and a failure from before does not undo a trial.
    """

    def __init__(self, *, failure_threshold: int, reset_timeout: float, trials: int) -> None:
        self.state = CircuitState.CLOSED
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
        """What has happened so far."""
        return CircuitCounts(
            successes=self._ended[Outcome.SUCCEEDED],
            failures=self._ended[Outcome.FAILED],
            refused=self._refused,
            opened=self._opened,
            failures_in_a_row=self._failures_in_a_row,
        )

    def admit(self, now: float) -> Permit | Refusal:
        """Whether a call may be made now. Each permit is to be settled once."""
        if self.state is CircuitState.OPEN:
            left = self._opened_at + self._reset_timeout - now
            if left > 0:
                return self._refuse(left)
            self._turn(CircuitState.HALF_OPEN)
        if self.state is CircuitState.HALF_OPEN:
            # A trial that never ends must not bar the way for ever: after as long as the circuit
            # stays open, the next call is the trial, and the old one's outcome is no news any more.
            if self._trial_at is not None and now - self._trial_at < self._reset_timeout:
                return self._refuse(0.0)
            self._trial_at = now
            self._generation += 1
        return Permit(self._generation)

    def settle(self, permit: Permit, outcome: Outcome, now: float) -> None:
        """Take the outcome of a call that was let through."""
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
                self._turn(CircuitState.CLOSED)

    def _refuse(self, seconds: float) -> Refusal:
        self._refused += 1
        return Refusal(seconds)

    def _open(self, now: float) -> None:
        self._opened_at = now
        self._opened += 1
        self._turn(CircuitState.OPEN)

    def _turn(self, state: CircuitState) -> None:
        self.state = state
        self._generation += 1
        self._trial_at = None
        self._passed_trials = 0
