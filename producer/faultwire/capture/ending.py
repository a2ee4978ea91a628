"""The exceptions that end something in order, and are no errors; a group is judged by its members."""

from collections.abc import Callable, Iterator
from typing import Final, TypeGuard, TypeVar

from faultwire_shared.foreign.known_type import ancestors_of, module_of, qualname_of

Kind = TypeVar("Kind", bound=BaseException)

MEMBERS: Final = 1_000
"""Members of a group that are looked at."""
_ENDS: Final = (KeyboardInterrupt, SystemExit, GeneratorExit)
_CANCELLATIONS: Final = frozenset(
    (
        *("asyncio.exceptions.CancelledError", "greenlet.GreenletExit"),
        *("trio.Cancelled", "trio._core._exceptions.Cancelled"),
    )
)
"""By their names, as importing what has them takes time."""


def is_error(error: BaseException) -> bool:
    """False for a cancellation, a closed generator, and an end that somebody asked for, whatever its code."""
    if _is_of(error, Exception) and not _is_of(error, BaseExceptionGroup):
        return True
    return not all_in(error, _ends_in_order)


def ends_request_badly(error: BaseException) -> bool:
    """``is_error``, and an exit with a code: nobody who asks for a page asks for the end of its server.

    By one, gunicorn ends a worker whose request takes too long, in the midst of that request.
    """
    if _is_of(error, Exception) and not _is_of(error, BaseExceptionGroup):
        return True
    return not all_in(error, lambda one: _ends_in_order(one) and not _has_failed(one))


def all_in(error: BaseException, test: Callable[[BaseException], bool]) -> bool:
    """True if it passes the test, or it is a group and all of its members do."""
    found = list(_leaves(error))
    return len(found) <= MEMBERS and all(map(test, found))


def _leaves(error: BaseException) -> Iterator[BaseException]:
    """The exception, or the members of a group and of groups in it: one more than ``MEMBERS`` at most."""
    waiting = [error]
    for _ in range(2 * MEMBERS):
        if not waiting:
            return
        one = waiting.pop()
        if _is_of(one, BaseExceptionGroup):
            waiting += one.exceptions[: MEMBERS + 1]
        else:
            yield one
    yield from waiting[: MEMBERS + 1]


def _ends_in_order(error: BaseException) -> bool:
    return issubclass(type(error), _ENDS) or any(
        f"{module_of(kind)}.{qualname_of(kind)}" in _CANCELLATIONS for kind in ancestors_of(type(error))
    )


def _has_failed(error: BaseException) -> bool:
    return _is_of(error, SystemExit) and error.code not in (None, 0)


def _is_of(error: BaseException, kind: type[Kind]) -> TypeGuard[Kind]:
    """By its type: isinstance would ask a hostile error for its ``__class__``."""
    return issubclass(type(error), kind)
