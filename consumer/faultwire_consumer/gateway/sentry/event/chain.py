"""An event's exceptions: the one raised first, its causes behind it, whatever form they were sent in."""

from typing import Any, Final

from msgspec import Struct, field
from msgspec.structs import replace

from faultwire_consumer.gateway.bounded import ends_of
from faultwire_consumer.gateway.sentry.event.exception import read_exception
from faultwire_consumer.gateway.sentry.event.frames import read_frames
from faultwire_consumer.gateway.sentry.event.group import ChainLink, order
from faultwire_consumer.gateway.sentry.event.mechanism import is_unhandled, system_attributes
from faultwire_consumer.gateway.sentry.event.notes import ReadingNotes
from faultwire_consumer.gateway.sentry.event.shape import mapping_of, name_of, values_of
from faultwire_shared.event import ExceptionInfo, Frame

EXCEPTIONS: Final = 100
"""Exceptions of one event that are read at most: more than are kept, as groups are not known before."""
_BOUNDARY: Final = "React ErrorBoundary "
_LINES: Final = 50


class SentryExceptions(Struct, frozen=True, kw_only=True):
    """All that an event's exceptions say."""

    chain: list[ExceptionInfo] = field(default_factory=list)
    handled: bool = True
    """Unless any of them says that nobody caught it; clients of years ago say nothing."""
    components: list[str] = field(default_factory=list)
    """React's components, the innermost last, where its boundary caught the error."""
    stack: list[str] = field(default_factory=list)
    """The calls that led to a message, the innermost last: often the client's own, so no event's identity."""


def read_exceptions(given: dict[str, Any], message: str, notes: ReadingNotes) -> SentryExceptions:
    """Read the exceptions of an event, or the stack that stands where there is none."""
    values = _values(given, notes)
    platform = name_of(given.get("platform"))
    kept = [each for each in values if not _is_boundary(each)]
    boundaries = [each for each in values if _is_boundary(each)] if kept else []
    chain = [_built(link, platform, message, notes) for link in order(kept or values)]
    loose = [] if chain and chain[0].frames else _loose_frames(given, platform, notes)
    told = [read_frames(each.get("stacktrace"), platform, notes) for each in boundaries[:1]]
    return SentryExceptions(
        chain=_completed(chain, loose, given) if chain or not message else [],
        handled=not (any(map(is_unhandled, values)) or is_unhandled(mapping_of(given.get("exception")))),
        components=[line for frames in told for line in _lines(frames)],
        stack=[] if chain or not message else _lines(loose),
    )


def _values(given: dict[str, Any], notes: ReadingNotes) -> list[dict[str, Any]]:
    """Return the exceptions, the one raised first: all clients send it last."""
    told = given.get("exception")
    values = values_of(told if told is not None else given.get("sentry.interfaces.Exception"))
    found = [each for each in values or [] if isinstance(each, dict) and _says_something(each)]
    if values is None or len(found) < len(values):
        notes.leave_out("exception")
    if len(found) > EXCEPTIONS:
        notes.cut("exceptions")
    return ends_of(found[::-1], EXCEPTIONS // 2, EXCEPTIONS // 2)


def _says_something(given: dict[str, Any]) -> bool:
    return any(given.get(name) not in (None, "", {}, []) for name in ("type", "value", "stacktrace"))


def _is_boundary(given: dict[str, Any]) -> bool:
    """Return whether React's error boundary was put in as a cause: it is the error again, and no cause."""
    return name_of(given.get("type")).startswith(_BOUNDARY)


def _lines(frames: list[Frame]) -> list[str]:
    return [f"{frame.qualname} ({frame.file}:{frame.line})" for frame in frames[-_LINES:]]


def _built(link: ChainLink, platform: str, message: str, notes: ReadingNotes) -> ExceptionInfo:
    found = read_exception(link.given, platform=platform, message=message, notes=notes)
    if not link.members:
        return found
    members = [[_built(each, platform, message, notes) for each in chain] for chain in link.members]
    return replace(found, members=members)


def _completed(chain: list[ExceptionInfo], loose: list[Frame], given: dict[str, Any]) -> list[ExceptionInfo]:
    """Give the raised exception what the event says beside it: a stack, and what the system said."""
    if not chain:
        return [ExceptionInfo(type="", frames=loose)] if loose else []
    raised = chain[0]
    told = mapping_of(given.get("contexts")).get("node_system_error")
    if told is None:
        told = mapping_of(given.get("extra")).get(raised.type)
    attributes = system_attributes(told) | raised.attributes
    return [replace(raised, attributes=attributes, frames=raised.frames or loose), *chain[1:]]


def _loose_frames(given: dict[str, Any], platform: str, notes: ReadingNotes) -> list[Frame]:
    """Return the frames of the event's own stack, or else of the thread that crashed or was running."""
    stacks = [given.get("stacktrace"), given.get("sentry.interfaces.Stacktrace")]
    threads = [each for each in values_of(given.get("threads")) or [] if isinstance(each, dict)]
    for name in ("crashed", "current"):
        stacks += [each.get("stacktrace") for each in threads if each.get(name) is True][:1]
    return next((found for stack in stacks if (found := read_frames(stack, platform, notes))), [])
