"""Context of all errors of the running request, job or task: tags, user, request, breadcrumbs, trace.

It travels with contextvars: what a task changes is its own, and what it began with is its parent's.
"""

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextvars import ContextVar, Token
from datetime import datetime
from itertools import count
from types import TracebackType
from typing import Any, Final, Self

from msgspec import Struct
from msgspec.structs import replace

from faultwire.capture.trace import Trace
from faultwire_shared.clock import Clock, read_clock
from faultwire_shared.event import NAME_CHARACTERS, Scalar
from faultwire_shared.foreign.interruption import pass_interruption
from faultwire_shared.snapshot import Snapshot, clean_text

BREADCRUMBS: Final = 50
_MESSAGE_CHARACTERS: Final = 500

_DEEP: Final = 8
"""Pieces of work within each other that are told apart."""

Breadcrumb = dict[str, Any]

Work = tuple[int, ...]
"""The requests or jobs that are under way here, the innermost last, each by a number of its own."""

logger: logging.Logger = logging.getLogger("faultwire")


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
    layer: "_Layer | None" = None
    """The newest change that may still be taken back."""
    owners: Mapping[str, "_Layer"] = {}
    """The changes that set what stands, by the field's name or the tag's."""

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
        except BaseException as error:
            pass_interruption(error)
            # It reads objects of the host's, which may be in any state by now.
            logger.debug("scope.unreadable", extra={"event": "scope.unreadable"}, exc_info=error)
            return _NOTHING


_NOTHING: Final = Surroundings()
_TAG: Final = "tag "
_ABSENT: Final = object()
EMPTY: Final = Scope()
_numbers: Final = count(1)
_current: ContextVar[Scope] = ContextVar("faultwire_scope", default=EMPTY)


class _Layer:
    """One change of a scope, and what stood before it."""

    __slots__ = ("before", "below", "is_over")

    def __init__(self, before: Scope, below: "_Layer | None") -> None:
        self.before: Scope | None = before
        self.is_over: bool = False
        self.below = _standing(below)

    def end(self) -> None:
        """Let it stand for good: there is nobody left to take it back."""
        self.is_over, self.before, self.below = True, None, _standing(self.below)


def _standing(layer: _Layer | None) -> _Layer | None:
    while layer is not None and layer.is_over and layer.before is None:
        layer = layer.below
    return layer


class Bound:
    """A change of the scope, which stands until its end: ``with`` takes it back."""

    __slots__ = ("_layer", "_token")

    def __init__(self, layer: _Layer, token: Token[Scope]) -> None:
        self._layer = layer
        self._token = token

    def undo(self) -> None:
        """Go back to what stood before; from another context there is nothing to go back to.

        Where something else was bound meanwhile and still stands, as by two generators that take turns, only
        what was bound here goes.
        """
        layer, now = self._layer, _current.get()
        try:
            _current.reset(self._token)
        except (ValueError, RuntimeError):
            return
        layer.is_over = True
        newer = list(_down_to(layer, now))
        if not newer or newer[-1] is not layer:  # a scope that began meanwhile knows nothing of it
            _current.set(now)
        else:
            is_newest = all(each.is_over for each in newer)
            _current.set(_cleaned(_current.get() if is_newest else now))

    def __del__(self) -> None:
        if not self._layer.is_over:
            self._layer.end()

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
    return _change(fields, fields)


def add_tags(tags: Mapping[str, Scalar]) -> Bound:
    """Add to the scope's tags, from here on in this context."""
    names = [f"{_TAG}{name}" for name in tags]
    return _change({"tags": {**_current.get().tags, **tags}}, names)


def _change(fields: Mapping[str, Any], names: Iterable[str]) -> Bound:
    before = _current.get()
    layer = _Layer(before, before.layer)
    owners = {**before.owners, **dict.fromkeys(names, layer)}
    return Bound(layer, _current.set(replace(before, layer=layer, owners=owners, **fields)))


def begin(ask_host: Callable[[], Surroundings] | None = None) -> Bound:
    """A scope with nothing in it: a request or job begins, and knows nothing of the last one."""
    work = (*_current.get().work[: _DEEP - 1], next(_numbers))
    return resume(Scope(ask_host=ask_host, work=work))


def resume(known: Scope) -> Bound:
    """Go on with a scope as it was left: the same request, in another context or later."""
    layer = _Layer(_current.get(), known.layer)
    return Bound(layer, _current.set(replace(known, layer=layer)))


def _down_to(layer: _Layer, now: Scope) -> Iterator[_Layer]:
    """The changes from the newest to that one, where it is among them."""
    each = now.layer
    while each is not None:
        yield each
        if each is layer:
            return
        each = each.below


def _cleaned(known: Scope) -> Scope:
    """A scope without what was taken back: each value is again what it was before that was set."""
    found = {
        name: _value(known, name) for name, owner in known.owners.items() if owner.before and owner.is_over
    }
    if not found:
        return known
    owners, tags, fields = {**known.owners}, {**known.tags}, {}
    for name, (value, owner) in found.items():
        del owners[name]
        if owner is not None:
            owners[name] = owner
        if not name.startswith(_TAG):
            fields[name] = value
        elif value is _ABSENT:
            del tags[name.removeprefix(_TAG)]
        else:
            tags[name.removeprefix(_TAG)] = value
    return replace(known, owners=owners, tags=tags, **fields)


def _value(known: Scope, name: str) -> tuple[Any, _Layer | None]:
    """A value as it stood before all that was taken back, and who set it."""
    owner = known.owners.get(name)
    while owner is not None and owner.is_over and owner.before is not None:
        known = owner.before
        owner = known.owners.get(name)
    if name.startswith(_TAG):
        return known.tags.get(name.removeprefix(_TAG), _ABSENT), owner
    return getattr(known, name), owner


class Binder:
    """Verbs that bind values in this context and the tasks that it starts, for every manager of the process.

    Each verb but ``add_breadcrumb`` returns what ``with`` takes back at the end of its block.
    """

    def __init__(self, clock: Clock, max_breadcrumbs: int) -> None:
        self._clock = clock
        self._max_breadcrumbs = max_breadcrumbs

    def bind(self, **tags: object) -> Bound:
        """Tag every event of this context from here on: ``errors.bind(order=17)``.

        As a context manager the tags end with the block. A task that is started inherits them, and what it
        binds itself stays its own. A thread does not, be it a pool's or one of ``threading``:
        ``asyncio.to_thread`` takes them along, or ``contextvars.copy_context().run``. What a pool's thread
        binds stays there for its next job, unless the job binds by ``with`` or begins a scope of its own
        (``with errors.begin_scope():``).
        """
        found = Snapshot().scalars("tags", tags)
        return add_tags(found)

    def begin_scope(self) -> Bound:
        """Begin with nothing bound, for a job of your own: ``with errors.begin_scope():``.

        Requests and tasks of the hosts that have an integration do so by themselves.
        """
        return begin()

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
        crumb = make_breadcrumb(
            message, at=read_clock(self._clock), category=category, level=level, data=data
        )
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
