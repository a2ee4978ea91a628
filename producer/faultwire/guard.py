"""Hands over any error raised in a block or a function, and lets it go on or swallows it."""

import inspect
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager, AbstractContextManager
from functools import wraps
from types import TracebackType
from typing import Any, ParamSpec, Protocol, TypeVar, Unpack, cast

from faultwire.capture.ending import is_error
from faultwire.capture.handled import ExtraFields
from faultwire.response.response import ErrorResponse
from faultwire_shared.event import ErrorSeverity
from faultwire_shared.resilience.function import is_future, is_to_be_awaited

P = ParamSpec("P")
R = TypeVar("R")
Severity = ErrorSeverity | str | int | None


class Takes(Protocol):
    """The receiver of the errors."""

    def handle_once(
        self,
        error: object,
        severity: Severity = None,
        context: Mapping[str, object] | None = None,
        user_message: str | None = None,
        **extra: Unpack[ExtraFields],
    ) -> ErrorResponse:
        """As the manager's."""
        ...


class Guard(AbstractContextManager["Guard"], AbstractAsyncContextManager["Guard"]):
    """A context manager, sync and async, and a decorator of functions, sync and async.

    ``response`` is the answer to the last error, None until there is one. Cancellation,
    ``KeyboardInterrupt``, ``SystemExit`` and the like pass: they are not errors. What ends more than the
    block, as a library's deadline that is no ``Exception``, is handed over and goes on, ``reraise`` or not.
    """

    def __init__(
        self,
        errors: Takes,
        severity: Severity,
        context: Mapping[str, object] | None,
        *,
        reraise: bool,
        extra: ExtraFields,
    ) -> None:
        self.response: ErrorResponse | None = None
        self._errors = errors
        self._severity = severity
        self._context = context
        self._reraise = reraise
        self._extra: ExtraFields = {"handled": not reraise, **extra}

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        if error is None or not is_error(error):
            return False
        self.response = self._errors.handle_once(error, self._severity, self._context, **self._extra)
        return not self._reraise and isinstance(error, Exception)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        return self.__exit__(kind, error, trace)

    def __call__(self, function: Callable[P, R]) -> Callable[P, R]:
        """Guard every call; where the exception is swallowed, the call returns None.

        A plain function may return an awaitable; what a task of its raises is handed over, and not swallowed.

        Raises:
            TypeError: the function is a generator, whose errors are raised where it is iterated.
        """
        if isinstance(function, staticmethod | classmethod):
            return cast("Callable[P, R]", type(function)(self(function.__func__)))
        if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
            raise TypeError(f"guard() cannot decorate the generator {function.__qualname__}; use it inside")
        if inspect.iscoroutinefunction(function):
            return self._around_coroutine(function)

        @wraps(function)
        def guarded(*args: P.args, **kwargs: P.kwargs) -> Any:
            with self:
                return self._watched(function(*args, **kwargs))

        return guarded

    def _around_coroutine(self, function: Callable[P, Any]) -> Callable[P, Any]:
        @wraps(function)
        async def guarded(*args: P.args, **kwargs: P.kwargs) -> Any:
            async with self:
                return await function(*args, **kwargs)

        return guarded

    def _watched(self, result: Any) -> Any:
        """The result of a plain function; of one that is to be awaited, the errors are ours too."""
        if not is_to_be_awaited(result):
            return result
        if is_future(result):
            result.add_done_callback(self._take_of)
            return result
        return self._finish(result)

    async def _finish(self, awaitable: Awaitable[Any]) -> Any:
        async with self:
            return await awaitable

    def _take_of(self, future: Any) -> None:
        error = None if future.cancelled() else future.exception()
        if error is not None:
            self.__exit__(type(error), error, None)
