"""Repeats database operations that failed on a broken connection or another transaction."""

import asyncio
import inspect
import logging
import random
import time
from collections.abc import Callable, Iterator
from functools import partial, wraps
from typing import Any, ParamSpec, TypeVar, cast

from msgspec import Struct

from faultwire_shared.resilience.attempt import Attempts, ErrorSink, give_up
from faultwire_shared.resilience.circuit import CircuitState
from faultwire_shared.resilience.circuit_breaker import CircuitBreaker, CircuitOpenError, Passage
from faultwire_shared.resilience.function import is_to_be_awaited, name_of, refuse_generator
from faultwire_shared.resilience.outage import ErrorChoice, is_chosen, is_transient
from faultwire_shared.retry import doubling_delays

P = ParamSpec("P")
R = TypeVar("R")

logger: logging.Logger = logging.getLogger("faultwire.retry")


class _Policy(Struct, frozen=True, kw_only=True):
    """Settings of one decorator: how often, how long, and on which errors."""

    max_retries: int
    delay: float
    on: ErrorChoice
    jitter: bool
    max_time: float | None
    breaker: CircuitBreaker | None
    errors: ErrorSink | None
    clock: Callable[[], float]
    rng: random.Random
    sleep: Callable[[float], Any] | None


class _Repetition:
    """The attempts of one call, and the decision on another."""

    def __init__(self, policy: _Policy, operation: str) -> None:
        self._policy = policy
        self._operation = operation
        self._delays: Iterator[float] = doubling_delays(policy.delay)
        self._attempts = Attempts(policy.clock)

    def wait_after(self, error: Exception) -> float | None:
        """Return the seconds until the next attempt; None if this error is final."""
        if isinstance(error, CircuitOpenError):
            if self._attempts.made:
                self._give_up(error)
            return None
        if not is_chosen(error, self._policy.on):
            return None
        self._attempts.note(error=type(error).__name__)
        wait = next(self._delays)
        if self._policy.jitter:
            wait = self._policy.rng.uniform(0, wait)
        if not self._may_go_on(wait):
            self._give_up(error)
            return None
        self._attempts.wait(wait)
        extra = {"event": "operation.retried", "operation": self._operation, "error": type(error).__name__}
        # The error's text is left out: drivers write addresses and values into it.
        logger.info(
            "operation.retried operation=%s attempt=%d error=%s again_in_seconds=%.1f",
            self._operation,
            self._attempts.made,
            type(error).__name__,
            wait,
            extra=extra,
        )
        return wait

    def _give_up(self, error: Exception) -> None:
        give_up(error, self._attempts, self._policy.errors, about={"operation": self._operation})

    def _may_go_on(self, wait: float) -> bool:
        policy = self._policy
        if policy.breaker is not None and policy.breaker.state is CircuitState.OPEN:
            return False
        in_time = policy.max_time is None or self._attempts.elapsed_seconds() + wait <= policy.max_time
        return in_time and self._attempts.made < policy.max_retries


def retry_db_operation(
    max_retries: int = 3,
    delay: float = 1,
    *,
    on: ErrorChoice = is_transient,
    jitter: bool = False,
    max_time: float | None = None,
    breaker: CircuitBreaker | None = None,
    errors: ErrorSink | None = None,
    clock: Callable[[], float] = time.monotonic,
    rng: random.Random | None = None,
    sleep: Callable[[float], Any] | None = None,
) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Repeat a function, ``async`` or plain, whose database is away for a moment.

    The whole function is repeated, so it must contain the whole transaction. A plain function waits in
    its thread, an ``async`` one in the event loop, and so does a plain one that returns an awaitable; a
    cancelled one is not repeated.

    Args:
        max_retries: total number of attempts, including the first.
        delay: seconds before the second attempt; twice as long before each further one.
        on: errors to repeat on, in place of `is_transient`; any other error is raised at once.
        jitter: draw each wait between zero and its length, so that many clients spread out.
        max_time: seconds from the first attempt on; a wait that would end later is not begun.
        breaker: every attempt passes it; if it is open, there is no further one.
        errors: an ``ErrorManager``; when the attempts are used up the raised error is reported to it, once,
            with the attempts as context. An error that is raised without a repetition is not reported.
        clock: monotonic seconds.
        rng: randomness for ``jitter``.
        sleep: waits, in place of ``time.sleep`` or ``asyncio.sleep``.

    Raises:
        ValueError: ``max_retries`` is not a positive whole number, or ``delay`` is negative.
        TypeError: the function is a generator, which cannot be repeated from outside.

    The decorated function raises the last error, or `CircuitOpenError` if the breaker refuses an attempt.
    """
    _check(max_retries, delay)
    policy = _Policy(
        max_retries=max_retries,
        delay=delay,
        on=on,
        jitter=jitter,
        max_time=max_time,
        breaker=breaker,
        errors=errors,
        clock=clock,
        rng=rng or random.Random(),  # noqa: S311 - spreads waits, keeps no secret
        sleep=sleep,
    )

    def decorate(function: Callable[P, R]) -> Callable[P, R]:
        if isinstance(function, staticmethod | classmethod):
            return cast("Callable[P, R]", type(function)(decorate(function.__func__)))
        refuse_generator(function)
        if inspect.iscoroutinefunction(function):
            return cast("Callable[P, R]", _repeat_async(function, policy))
        return _repeat_plain(function, policy)

    return decorate


def _check(max_retries: object, delay: float) -> None:
    if not isinstance(max_retries, int) or max_retries < 1:
        raise ValueError(f"max_retries must be a whole number from 1 on, not {max_retries!r}")
    if delay < 0:
        raise ValueError(f"delay must be seconds from 0 on, not {delay!r}")


def _repeat_plain(function: Callable[P, R], policy: _Policy) -> Callable[P, R]:
    sleep = policy.sleep or time.sleep

    @wraps(function)
    def repeat(*args: P.args, **kwargs: P.kwargs) -> R:
        repetition = _Repetition(policy, name_of(function))
        while True:
            try:
                with Passage(policy.breaker) as passage:
                    result = function(*args, **kwargs)
                    if not is_to_be_awaited(result):
                        return result
                    passage.forget()  # the awaiting is the call
                    again = partial(function, *args, **kwargs)
                    return cast("R", _go_on(_beginning_with(result, again), policy, repetition))
            except Exception as error:
                wait = repetition.wait_after(error)
                if wait is None:
                    raise
            sleep(wait)

    return repeat


def _beginning_with(first: Any, again: Callable[[], Any]) -> Callable[[], Any]:
    """A function that returns this result first, and calls the other for each further one."""
    waiting = [first]
    return lambda: waiting.pop() if waiting else again()


def _repeat_async(function: Callable[P, Any], policy: _Policy) -> Callable[P, Any]:
    @wraps(function)
    async def repeat(*args: P.args, **kwargs: P.kwargs) -> Any:
        repetition = _Repetition(policy, name_of(function))
        return await _go_on(partial(function, *args, **kwargs), policy, repetition)

    return repeat


async def _go_on(call: Callable[[], Any], policy: _Policy, repetition: _Repetition) -> Any:
    sleep = policy.sleep or asyncio.sleep
    while True:
        try:
            with Passage(policy.breaker):
                return await call()
        except Exception as error:
            wait = repetition.wait_after(error)
            if wait is None:
                raise
        await sleep(wait)
