"""Context of all errors of the running request, job or task: tags, user, request, breadcrumbs, trace.

It travels with contextvars: what a task changes is its own, and what it began with is its parent's.
"""

import logging
from collections.abc import Callable, Mapping
from contextvars import ContextVar, Token
from datetime import datetime
from itertools import count
from types import TracebackType
from typing import Any, Final, Self

from msgspec import Struct
from msgspec.structs import replace

from faultwire.capture.trace import Trace
from faultwire_shared.clock import Clock
from faultwire_shared.event import NAME_CHARACTERS, Scalar
from faultwire_shared.snapshot import Snapshot, clean_text

BREADCRUMBS: Final = 50
_MESSAGE_CHARACTERS: Final = 500

_DEEP: Final = 8
"""Pieces of work within each other that are told apart."""

Breadcrumb = dict[str, Any]

Work = tuple[int, ...]
"""The requests or jobs that are under way here, the innermost last, each by a number of its own."""

logger = logging.getLogger("faultwire")


class Surroundings(Struct, frozen=True, kw_only=True):
    """A host's knowledge of the work that is being done; asked for only when an error is captured."""

    transaction: object = None
    request: object = None
    user: object = None
    trace: Trace | None = None


class Scope(Struct, frozen=True, kw_only=True):
    """The surroundings as bound so far. What is bound by hand wins over what the host says."""

    tags: Mapping[str, Scalar] = {}
    user: object = None
    request: object = None
    transaction: object = None
    breadcrumbs: tuple[Breadcrumb, ...] = ()
    ask_host: Callable[[], Surroundings] | None = None
    work: Work = ()

    def surroundings(self) -> Surroundings:
        """Bound values, and for the rest what the host says; a host that raises says nothing."""
        found = self._host_says()
        return Surroundings(
            transaction=found.transaction if self.transaction is None else self.transaction,
            request=found.request if self.request is None else self.request,
            user=found.user if self.user is None else self.user,
            trace=found.trace,
        )

    def _host_says(self) -> Surroundings:
        if self.ask_host is None:
            return _NOTHING
        try:
            return self.ask_host()
        except Exception as error:
            # It reads objects of the host's, which may be in any state by now.
            logger.debug("scope.unreadable", extra={"event": "scope.unreadable"}, exc_info=error)
            return _NOTHING


_NOTHING: Final = Surroundings()
EMPTY: Final = Scope()
_numbers: Final = count(1)
_current: ContextVar[Scope] = ContextVar("faultwire_scope", default=EMPTY)


class Bound:
    """A change of the scope, which stands until its end: ``with`` takes it back."""

    __slots__ = ("_token",)

    def __init__(self, token: Token[Scope]) -> None:
        self._token = token

    def undo(self) -> None:
        """Go back to what stood before; from another context there is nothing to go back to."""
        try:
            _current.reset(self._token)
        except (ValueError, RuntimeError):
            return

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.undo()


def current() -> Scope:
    """The scope of the running context."""
    return _current.get()


def change(**fields: Any) -> Bound:
    """Change these fields of the scope, from here on in this context."""
    return Bound(_current.set(replace(_current.get(), **fields)))


def begin(ask_host: Callable[[], Surroundings] | None = None) -> Bound:
    """A scope with nothing in it: a request or job begins, and knows nothing of the last one."""
    work = (*_current.get().work[: _DEEP - 1], next(_numbers))
    return Bound(_current.set(Scope(ask_host=ask_host, work=work)))


def resume(known: Scope) -> Bound:
    """Go on with a scope as it was left: the same request, in another context or later."""
    return Bound(_current.set(known))


class Binder:
    """Verbs that bind values in this context and the tasks that it starts, for every manager of the process.

    Each verb but ``add_breadcrumb`` returns what ``with`` takes back at the end of its block.
    """

    def __init__(self, clock: Clock, max_breadcrumbs: int) -> None:
        self._clock = clock
        self._max_breadcrumbs = max_breadcrumbs

    def bind(self, **tags: object) -> Bound:
        """Tag every event of this context from here on: ``errors.bind(order=17)``.

        As a context manager the tags end with the block. A task or thread that is started inherits them;
        what it binds itself stays its own.
        """
        found = Snapshot().scalars("tags", tags)
        return change(tags={**current().tags, **found})

    def set_user(self, user: Mapping[str, object] | str | int | None) -> Bound:
        """Say who is being served, for every event of this context."""
        return change(user=user)

    def set_request(self, request: Mapping[str, object] | None) -> Bound:
        """Say what was asked for, for every event of this context."""
        return change(request=request)

    def set_transaction(self, transaction: str | None) -> Bound:
        """Name the route or job, without its arguments, for every event of this context."""
        return change(transaction=transaction)

    def add_breadcrumb(
        self,
        message: str,
        *,
        category: str | None = None,
        level: str = "info",
        data: Mapping[str, object] | None = None,
    ) -> None:
        """Leave a trail: what happened before an error of this context; the last ``max_breadcrumbs`` stay."""
        crumb = make_breadcrumb(message, at=self._clock(), category=category, level=level, data=data)
        kept = (*current().breadcrumbs, crumb)
        change(breadcrumbs=kept[max(0, len(kept) - self._max_breadcrumbs) :])


def make_breadcrumb(
    message: object,
    *,
    at: datetime,
    category: object = None,
    level: object = "info",
    data: Mapping[str, object] | None = None,
) -> Breadcrumb:
    """The breadcrumb as JSON's own types; never raises. Its keys are those that the Sentry SDK uses."""
    crumb: Breadcrumb = {
        "timestamp": f"{at:%Y-%m-%dT%H:%M:%S}.{at.microsecond // 1000:03d}Z",
        "level": clean_text(level, NAME_CHARACTERS),
        "message": clean_text(message, _MESSAGE_CHARACTERS),
    }
    if category is not None:
        crumb["category"] = clean_text(category, NAME_CHARACTERS)
    if data is not None:
        crumb["data"] = Snapshot().mapping("data", data)
    return crumb
