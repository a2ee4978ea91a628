"""Repeats database operations that met a broken connection or another transaction."""

import asyncio
import errno
import inspect
import logging
import random
import socket
import time
from collections.abc import Callable, Iterator, Mapping
from functools import wraps
from typing import Any, Final, ParamSpec, TypeVar, cast

from msgspec import Struct

from faultwire_shared.retry import doubling_delays
from faultwire_shared.taxonomy import DatabaseConnectionError

P = ParamSpec("P")
R = TypeVar("R")

Transient = type[Exception] | tuple[type[Exception], ...] | Callable[[Exception], bool]
"""Which errors are worth another attempt: classes, or a question to ask of each."""

_SQLSTATES: Final = frozenset(
    (
        "40001",  # serialization_failure
        "40P01",  # deadlock_detected
        "53300",  # too_many_connections
        "57P01",  # admin_shutdown
        "57P02",  # crash_shutdown
        "57P03",  # cannot_connect_now
    )
)
"""Beside class 08, connection exceptions: PostgreSQL's appendix A, "PostgreSQL Error Codes"."""
_SQLITE_CODES: Final = (5, 6)  # SQLITE_BUSY and SQLITE_LOCKED; extended codes stand in the higher bytes
_DRIVERS: Final[Mapping[str, str]] = {
    "psycopg.OperationalError": "",
    "psycopg2.OperationalError": "",
    "asyncpg.exceptions._base.InterfaceError": "connection is closed",
}
"""Errors that carry no SQLSTATE when the connection is gone, and the words that tell them from others."""
_UNREACHABLE: Final = (errno.EHOSTUNREACH, errno.ENETUNREACH, errno.EHOSTDOWN, errno.ENETDOWN)

logger = logging.getLogger("faultwire.retry")


def is_transient(error: BaseException) -> bool:
    """Whether a database error is of the moment: the connection is gone, or another transaction was first.

    Known are our own ``DatabaseConnectionError``, SQLSTATE on whatever carries one (asyncpg, psycopg,
    SQLAlchemy's wrappers), SQLite's "database is locked", and the operating system's connection errors.
    """
    if isinstance(error, DatabaseConnectionError):
        return True
    wrapped = getattr(error, "orig", None)  # SQLAlchemy's
    if isinstance(wrapped, BaseException):
        return bool(getattr(error, "connection_invalidated", False)) or is_transient(wrapped)
    state = getattr(error, "sqlstate", None) or getattr(error, "pgcode", None)
    if isinstance(state, str):
        return state.startswith("08") or state in _SQLSTATES
    return _is_locked(error) or _is_disconnected(error)


def _is_locked(error: BaseException) -> bool:
    code = getattr(error, "sqlite_errorcode", None)
    if isinstance(code, int):
        return code & 0xFF in _SQLITE_CODES
    return type(error).__name__ == "OperationalError" and "database is locked" in str(error)


def _is_disconnected(error: BaseException) -> bool:
    for ancestor in type(error).__mro__:
        words = _DRIVERS.get(f"{ancestor.__module__}.{ancestor.__qualname__}")
        if words is not None:
            return words in str(error)
    if isinstance(error, ConnectionError | TimeoutError | socket.gaierror):
        return True
    # asyncio wraps the refusals of a name with several addresses in an OSError without a number.
    several = isinstance(error, OSError) and error.errno is None and "Multiple exceptions" in str(error)
    return several or (isinstance(error, OSError) and error.errno in _UNREACHABLE)


class _Policy(Struct, frozen=True, kw_only=True):
    """How often, how long and what for; the figures of one decorator."""

    max_retries: int
    delay: float
    on: Transient
    jitter: bool
    max_time: float | None
    clock: Callable[[], float]
    rng: random.Random
    sleep: Callable[[float], Any] | None

    def judges_transient(self, error: Exception) -> bool:
        if isinstance(self.on, type | tuple):
            return isinstance(error, self.on)
        return self.on(error)


class _Attempts:
    """The attempts of one call."""

    def __init__(self, policy: _Policy, operation: str) -> None:
        self._policy = policy
        self._operation = operation
        self._delays: Iterator[float] = doubling_delays(policy.delay)
        self._started = policy.clock()
        self._made = 0

    def wait_after(self, error: Exception) -> float | None:
        """Seconds until the next attempt; None when this error is the last word."""
        self._made += 1
        if not self._policy.judges_transient(error):
            return None
        passed = self._policy.clock() - self._started
        wait = next(self._delays)
        if self._policy.jitter:
            wait = self._policy.rng.uniform(0, wait)
        if self._made >= self._policy.max_retries or not self._fits(passed + wait):
            error.add_note(f"given up after {self._made} attempts in {passed:.1f} s")
            return None
        extra = {"event": "operation.retried", "operation": self._operation, "error": type(error).__name__}
        # The error's text stays out: drivers write addresses and values into it.
        logger.info(
            "operation.retried operation=%s attempt=%d error=%s again_in_seconds=%.1f",
            self._operation,
            self._made,
            type(error).__name__,
            wait,
            extra=extra,
        )
        return wait

    def _fits(self, seconds: float) -> bool:
        return self._policy.max_time is None or seconds <= self._policy.max_time


def retry_db_operation(
    max_retries: int = 3,
    delay: float = 1,
    *,
    on: Transient = is_transient,
    jitter: bool = False,
    max_time: float | None = None,
    clock: Callable[[], float] = time.monotonic,
    rng: random.Random | None = None,
    sleep: Callable[[float], Any] | None = None,
) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Repeat a function, ``async`` or plain, whose database is away for a moment.

    The whole function is repeated, so it must hold the whole transaction. A plain function waits in
    its thread, an ``async`` one in the event loop; what is cancelled is not repeated.

    Args:
        max_retries: attempts in all, the first one included.
        delay: seconds before the second attempt; twice as long before each further one.
        on: what is repeated, in place of `is_transient`; any other error is raised at once.
        jitter: draw each wait between zero and its length, so that many clients spread out.
        max_time: seconds from the first attempt on; a wait that would end later is not begun.
        clock: seconds that only grow.
        rng: the chance in ``jitter``.
        sleep: waits, in place of ``time.sleep`` or ``asyncio.sleep``.

    Raises:
        ValueError: ``max_retries`` is no positive whole number, or ``delay`` is negative.
        TypeError: the function is a generator, which cannot be repeated from outside.
    """
    _check(max_retries, delay)
    policy = _Policy(
        max_retries=max_retries,
        delay=delay,
        on=on,
        jitter=jitter,
        max_time=max_time,
        clock=clock,
        rng=rng or random.Random(),  # noqa: S311 - spreads waits, keeps no secret
        sleep=sleep,
    )

    def decorate(function: Callable[P, R]) -> Callable[P, R]:
        if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
            raise TypeError(f"{_name(function)} is a generator: retry what it calls instead")
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
        attempts = _Attempts(policy, _name(function))
        while True:
            try:
                return _finished(function(*args, **kwargs), function)
            except Exception as error:
                wait = attempts.wait_after(error)
                if wait is None:
                    raise
            sleep(wait)

    return repeat


def _repeat_async(function: Callable[P, Any], policy: _Policy) -> Callable[P, Any]:
    sleep = policy.sleep or asyncio.sleep

    @wraps(function)
    async def repeat(*args: P.args, **kwargs: P.kwargs) -> Any:
        attempts = _Attempts(policy, _name(function))
        while True:
            try:
                return await function(*args, **kwargs)
            except Exception as error:
                wait = attempts.wait_after(error)
                if wait is None:
                    raise
            await sleep(wait)

    return repeat


def _finished(result: R, function: Callable[..., R]) -> R:
    """The result, but for a coroutine: its errors come later, where nothing repeats them."""
    if inspect.iscoroutine(result):
        result.close()
        raise TypeError(f"{_name(function)} returns a coroutine: make it `async def` to have it repeated")
    return result


def _name(function: Callable[..., object]) -> str:
    return getattr(function, "__qualname__", type(function).__qualname__)
