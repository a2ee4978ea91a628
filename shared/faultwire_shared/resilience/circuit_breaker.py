"""A circuit breaker: calls that keep failing are not made for a while, so that they cost nothing."""

import asyncio
import inspect
import logging
import math
import threading
import time
from collections.abc import Awaitable, Callable, Hashable
from functools import wraps
from types import TracebackType
from typing import Any, ParamSpec, Self, TypeVar, cast

from msgspec import Struct

from faultwire_shared.resilience.circuit import (
    Circuit,
    CircuitCounts,
    CircuitState,
    Outcome,
    Permit,
    Refusal,
)
from faultwire_shared.resilience.function import is_future, is_to_be_awaited, refuse_generator
from faultwire_shared.resilience.outage import ErrorChoice, is_chosen, is_outage
from faultwire_shared.taxonomy import ExternalError

P = ParamSpec("P")
R = TypeVar("R")

logger: logging.Logger = logging.getLogger("faultwire.retry")


class CircuitOpenError(ExternalError):
    """The circuit is open, so nothing was called (503); ``retry_after_seconds`` is the time left."""

    code = "CIRCUIT_OPEN"
    circuit: str = ""
    """The name of the breaker that refused."""


class CircuitChange(Struct, frozen=True, kw_only=True):
    """A circuit's new state, and its counts at that moment."""

    name: str
    old: CircuitState
    new: CircuitState
    counts: CircuitCounts


class CircuitBreaker:
    """Refuses calls, with `CircuitOpenError`, while their target keeps failing.

    A decorator for functions, ``async`` or plain, and a context manager (``with`` and ``async with``).
    Threads and tasks may share one. After ``failure_threshold`` failures in a row the circuit is open;
    after ``reset_timeout`` seconds it is half-open: one call at a time is let through as a trial, and a
    failed one opens it again. A trial without an outcome for ``reset_timeout`` seconds gives way to the
    next. Any error that is not a failure is an answer, and thus a success. A cancelled call is neither,
    so a timeout belongs inside: around the breaker it is a cancellation.

    Args:
        name: name of the target, in errors, log lines and changes.
        failure_threshold: failures in a row that open the circuit.
        reset_timeout: seconds for which it stays open.
        trials: successes in a row that close it again.
        on: what counts as a failure, in place of `is_outage`: classes, or a predicate on each error.
        on_change: called with every change of state, by the thread that made it; its errors are logged.
        clock: monotonic seconds.

    Raises:
        ValueError: ``failure_threshold`` or ``trials`` is below 1, or ``reset_timeout`` is not above 0.
    """

    def __init__(
        self,
        name: str,
        *,
        failure_threshold: int = 5,
        reset_timeout: float = 30.0,
        trials: int = 1,
        on: ErrorChoice = is_outage,
        on_change: Callable[[CircuitChange], object] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        _check(failure_threshold, reset_timeout, trials)
        self.name = name
        self._circuit = Circuit(
            failure_threshold=failure_threshold, reset_timeout=reset_timeout, trials=trials
        )
        self._on = on
        self._on_change = on_change
        self._clock = clock
        # Re-entrant: the garbage collector may end a forgotten generator, and the `with` in it, in here.
        self._lock = threading.RLock()
        self._entered: dict[Hashable, list[Passage]] = {}

    @property
    def state(self) -> CircuitState:
        """State after the last call: an open circuit becomes half-open by the first call after its time."""
        return self._circuit.state

    def counts(self) -> CircuitCounts:
        """Return successes, failures, refused calls and openings so far, and the failures in a row."""
        with self._lock:
            return self._circuit.counts()

    def __call__(self, function: Callable[P, R]) -> Callable[P, R]:
        """Decorate a function, also one that returns an awaitable; raises `TypeError` for a generator."""
        if isinstance(function, staticmethod | classmethod):
            return cast("Callable[P, R]", type(function)(self(function.__func__)))
        refuse_generator(function)
        if inspect.iscoroutinefunction(function):
            return cast("Callable[P, R]", self._guard_async(function))

        @wraps(function)
        def call(*args: P.args, **kwargs: P.kwargs) -> R:
            with Passage(self) as passage:
                result = function(*args, **kwargs)
                return cast("R", passage.settle_after(result)) if is_to_be_awaited(result) else result

        return call

    def _guard_async(self, function: Callable[P, Any]) -> Callable[P, Any]:
        @wraps(function)
        async def call(*args: P.args, **kwargs: P.kwargs) -> Any:
            with Passage(self):
                return await function(*args, **kwargs)

        return call

    def __enter__(self) -> Self:
        passage = Passage(self)
        passage.__enter__()
        with self._lock:
            self._entered.setdefault(_here(), []).append(passage)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._leave(_here()).__exit__(kind, error, traceback)

    async def __aenter__(self) -> Self:
        return self.__enter__()

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.__exit__(kind, error, traceback)

    def _leave(self, here: Hashable) -> "Passage":
        with self._lock:
            # Entered elsewhere, as the two halves of a fixture may be: any passage can replace any other.
            key = here if here in self._entered else next(reversed(self._entered))
            passage = self._entered[key].pop()
            if not self._entered[key]:
                del self._entered[key]
            return passage

    def admit(self) -> Permit:
        """Return a permit for one call, to be settled once; raises `CircuitOpenError`."""
        with self._lock:
            old = self._circuit.state
            answer = self._circuit.admit(self._clock())
            change = self._change_from(old)
        self._announce(change)
        if isinstance(answer, Refusal):
            raise self._refused(answer.seconds)
        return answer

    def settle(self, permit: Permit, outcome: Outcome) -> None:
        """Record the outcome of a call that was let through."""
        with self._lock:
            old = self._circuit.state
            self._circuit.settle(permit, outcome, self._clock())
            change = self._change_from(old)
        self._announce(change)

    def outcome_of(self, error: BaseException | None) -> Outcome:
        """Judge a call that ended with this error, or with none."""
        if error is None:
            return Outcome.SUCCEEDED
        if isinstance(error, CircuitOpenError) or not isinstance(error, Exception):
            return Outcome.UNDECIDED
        return Outcome.FAILED if is_chosen(error, self._on) else Outcome.SUCCEEDED

    def _refused(self, seconds: float) -> CircuitOpenError:
        error = CircuitOpenError(f"the circuit {self.name!r} is open, nothing was called")
        error.circuit = self.name
        error.retry_after_seconds = max(1, math.ceil(seconds))
        return error

    def _change_from(self, old: CircuitState) -> CircuitChange | None:
        new = self._circuit.state
        if new is old:
            return None
        return CircuitChange(name=self.name, old=old, new=new, counts=self._circuit.counts())

    def _announce(self, change: CircuitChange | None) -> None:
        if change is None:
            return
        _log(change)
        if self._on_change is None:
            return
        try:
            self._on_change(change)
        except Exception as failure:  # noqa: BLE001 - the call must not fail by the host's own bookkeeping
            # Without the trace, which may contain the error of the call itself with its values.
            extra = {"event": "circuit.hook_failed", "circuit": self.name, "error": type(failure).__name__}
            logger.warning(
                "circuit.hook_failed circuit=%s error=%s", self.name, type(failure).__name__, extra=extra
            )


class Passage:
    """One call through a breaker, or through none; ``fail`` marks a failure without an exception."""

    def __init__(self, breaker: CircuitBreaker | None) -> None:
        self._breaker = breaker
        self._permit: Permit | None = None
        self._failed = False

    def fail(self) -> None:
        """Count this call as failed, regardless of how it ends."""
        self._failed = True

    def forget(self) -> None:
        """Give the permit back: this was no call yet."""
        if self._breaker is not None and self._permit is not None:
            self._breaker.settle(self._permit, Outcome.UNDECIDED)
            self._permit = None

    def settle_after(self, awaitable: Any) -> Any:
        """Have the call end with the awaitable and not with the block; return what is to be awaited."""
        later = Passage(self._breaker)
        later._permit, self._permit = self._permit, None
        if is_future(awaitable):
            awaitable.add_done_callback(later._end_with)
            return awaitable
        return later._end_after(awaitable)

    async def _end_after(self, awaitable: Awaitable[R]) -> R:
        try:
            result = await awaitable
        except BaseException as error:
            self.__exit__(type(error), error, None)
            raise
        self.__exit__(None, None, None)
        return result

    def _end_with(self, future: "asyncio.Future[Any]") -> None:
        error = asyncio.CancelledError() if future.cancelled() else future.exception()
        self.__exit__(None if error is None else type(error), error, None)

    def __enter__(self) -> Self:
        if self._breaker is not None:
            self._permit = self._breaker.admit()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._breaker is None or self._permit is None:
            return
        outcome = Outcome.UNDECIDED  # in case the predicate that decides on failures raises itself
        try:
            outcome = Outcome.FAILED if self._failed else self._breaker.outcome_of(error)
        finally:
            self._breaker.settle(self._permit, outcome)


def _check(failure_threshold: int, reset_timeout: float, trials: int) -> None:
    for name, figure in (("failure_threshold", failure_threshold), ("trials", trials)):
        if figure < 1:
            raise ValueError(f"{name} must be a whole number from 1 on, not {figure!r}")
    if reset_timeout <= 0:
        raise ValueError(f"reset_timeout must be seconds above 0, not {reset_timeout!r}")


def _here() -> Hashable:
    """Return the running task, or the thread if there is none."""
    try:
        task = asyncio.current_task()
    except RuntimeError:  # no loop runs in this thread
        task = None
    return task or threading.get_ident()


def _log(change: CircuitChange) -> None:
    """Log a line when a circuit opens and when it closes again, none for failed trials."""
    if change.old is CircuitState.CLOSED:
        failures = change.counts.failures_in_a_row
        extra = {"event": "circuit.opened", "circuit": change.name, "failures": failures}
        logger.warning("circuit.opened circuit=%s failures=%d", change.name, failures, extra=extra)
    elif change.new is CircuitState.CLOSED:
        extra = {"event": "circuit.closed", "circuit": change.name}
        logger.info("circuit.closed circuit=%s", change.name, extra=extra)
