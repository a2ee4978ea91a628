"""An exception with its causes and, for a group, its members, as they travel."""

from collections.abc import Iterator
from reprlib import Repr
from typing import Final, TypeGuard

from faultwire.capture.frame import LAST_FRAMES, FrameReader
from faultwire.capture.identity import identity_of
from faultwire.capture.source import STACKED, spare_source
from faultwire.capture.variable import Trace, add_variables
from faultwire_shared.event import NAME_CHARACTERS, STRING_CHARACTERS, ExceptionInfo
from faultwire_shared.foreign.interruption import pass_interruption
from faultwire_shared.foreign.known_type import module_of, name_of, qualname_of
from faultwire_shared.foreign.trail import Trail
from faultwire_shared.snapshot import Snapshot, clean_text

CHAIN: Final = 20
"""Exceptions from the one raised to its root cause, at most."""
EXCEPTIONS: Final = 50
"""Exceptions in one event, the members of groups among them, at most."""
GROUP_DEPTH: Final = 3
NOTES: Final = 10

_COLLECTIONS: Final = (list, tuple, dict, set, frozenset, bytes, bytearray)
_short: Final = Repr()
_short.maxlist = _short.maxtuple = _short.maxdict = _short.maxset = _short.maxfrozenset = 20
_short.maxstring = _short.maxother = STRING_CHARACTERS


class Chain:
    """Reads one exception: the one raised first, then its cause, and so on to the root."""

    def __init__(self, snapshot: Snapshot, frames: FrameReader) -> None:
        self._snapshot = snapshot
        self._frames = frames
        self._left = EXCEPTIONS
        self._traces: list[Trace] = []
        self._calls = 0
        self._trail: Trail | None = None

    def read(self, error: BaseException, trail: Trail | None = None) -> list[ExceptionInfo]:
        """The chain; loops are followed once, and what is beyond the bounds is left out and noted.

        ``trail`` is the exception's own, where it is at hand.
        """
        self._trail = trail
        found = self._chain(error, 0)
        if self._calls > STACKED:
            spare_source([frames for _, frames in self._traces], self._frames.lean)
        if self._frames.with_variables and add_variables(self._traces, last=LAST_FRAMES):
            self._snapshot.cut("exceptions.frames.vars")
        return found

    def _chain(self, error: BaseException, depth: int) -> list[ExceptionInfo]:
        found: list[ExceptionInfo] = []
        for each in causes_of(error):
            if len(found) >= CHAIN or self._left <= 0:
                self._snapshot.cut("exceptions")
                break
            self._left -= 1
            found.append(self._one(each, depth))
        return found

    def _one(self, error: BaseException, depth: int) -> ExceptionInfo:
        trail, self._trail = self._trail, None
        frames, cut = self._frames.read(error.__traceback__, trail)
        if cut:
            self._snapshot.cut("exceptions.frames")
        self._traces.append((error.__traceback__, frames))
        self._calls += len(frames)
        kind = type(error)
        return ExceptionInfo(
            type=clean_text(qualname_of(kind), NAME_CHARACTERS),
            module=clean_text(module_of(kind), NAME_CHARACTERS),
            value=self._snapshot.text("exceptions.value", text_of(error)),
            attributes=identity_of(error),
            notes=_notes(error),
            frames=frames,
            members=self._members(error, depth) if is_group(error) else [],
        )

    def _members(self, group: BaseExceptionGroup[BaseException], depth: int) -> list[list[ExceptionInfo]]:
        if depth >= GROUP_DEPTH:
            self._snapshot.cut("exceptions.members")
            return []
        members = []
        for member in group.exceptions:
            if self._left <= 0:
                self._snapshot.cut("exceptions.members")
                break
            members.append(self._chain(member, depth + 1))
        return members


def is_exception(value: object) -> TypeGuard[BaseException]:
    """True for an exception, without asking a hostile object for its ``__class__`` as isinstance does."""
    return issubclass(type(value), BaseException)


def is_group(error: object) -> TypeGuard[BaseExceptionGroup[BaseException]]:
    """The same for a group."""
    return issubclass(type(error), BaseExceptionGroup)


def text_of(error: BaseException) -> str:
    """``str(error)``, but of a large collection given as an argument only its first items."""
    kind = type(error).__str__
    if kind is not BaseException.__str__ and kind is not KeyError.__str__:
        return clean_text(error, STRING_CHARACTERS + 1)
    arguments = error.args
    if (
        len(arguments) == 1
        and kind is BaseException.__str__
        and not issubclass(type(arguments[0]), _COLLECTIONS)
    ):
        return clean_text(arguments[0], STRING_CHARACTERS + 1)
    if not arguments:
        return ""
    try:
        shown = _short.repr(arguments if len(arguments) > 1 else arguments[0])
    except BaseException as failure:  # noqa: BLE001 - a host's __repr__ may raise anything
        pass_interruption(failure)
        return f"<unprintable {name_of(type(error))}>"
    return clean_text(shown, STRING_CHARACTERS + 1)


def causes_of(error: BaseException) -> Iterator[BaseException]:
    """The exception, its cause, that one's, and so on; each once."""
    seen: set[int] = set()
    current: BaseException | None = error
    while current is not None and id(current) not in seen:
        seen.add(id(current))
        yield current
        if current.__cause__ is not None:
            current = current.__cause__
        elif current.__suppress_context__:
            return
        else:
            current = current.__context__


def _notes(error: BaseException) -> list[str]:
    notes = error.__dict__.get("__notes__") if "__notes__" in error.__dict__ else None
    if not isinstance(notes, list | tuple):
        return []
    return [clean_text(note) for note in notes[:NOTES]]
