"""A stored event in the words in which the recordings say what an ideal receiver stores."""

from collections.abc import Sequence
from typing import Final

from faultwire_shared.event import Event, ExceptionInfo, Frame

_TEXT: Final = 48
_MESSAGE: Final = 60
_CHAIN: Final = 3


def ideal_line(event: Event) -> str:
    """Write an event in one line: exceptions, frames, crash, message, and in brackets what else is known."""
    parts = [_chain(event.exceptions), _frames(event.exceptions), _message(event)]
    return f"{' | '.join(part for part in parts if part)} [{'; '.join(_known(event))}]"


def _chain(chain: Sequence[ExceptionInfo]) -> str:
    shown = [_exception(each) for each in chain[:_CHAIN]] + (["…"] if len(chain) > _CHAIN else [])
    return " <- ".join(shown)


def _exception(exception: ExceptionInfo) -> str:
    group = ", ".join(members[0].type for members in exception.members)
    name = exception.type or "(no type)"
    return f"{name}: {exception.value[:_TEXT]}" + (f" {{group: {group}}}" if group else "")


def _frames(chain: Sequence[ExceptionInfo]) -> str:
    frames = chain[0].frames if chain else []
    if not frames:
        return ""
    own = sum(frame.in_app for frame in frames)
    return f"{len(frames)} frames ({own} in app), crash {_crash(frames[-1])}"


def _crash(frame: Frame) -> str:
    return f"{frame.qualname or None} {frame.file}:{frame.line or None} in_app={frame.in_app}"


def _message(event: Event) -> str:
    """Leave out a message that is the raised exception's text, which every event has."""
    if event.exceptions and event.message == event.exceptions[0].value:
        return ""
    template = f" (template {event.template!r})" if event.template and not event.exceptions else ""
    return f"message {event.message[:_MESSAGE]!r}{template}"


def _known(event: Event) -> list[str]:
    known = {
        "release": event.release,
        "environment": event.environment.replace("production", ""),
        "host": event.host,
        "transaction": event.transaction,
        "logger": event.context.get("logger"),
        "user": event.user.get("id"),
        "tags": ",".join(sorted(event.tags)),
    }
    crumbs, trace = len(event.breadcrumbs), event.trace_id
    return [
        event.severity_text or "error",
        *(["unhandled"] if not event.handled else []),
        *(f"{name} {value}" for name, value in known.items() if value),
        *([f"{crumbs} crumbs"] if crumbs else []),
        *([f"fingerprint {'+'.join(event.fingerprint)}"] if event.fingerprint else []),
        *([f"trace {trace[:8]}…"] if trace else []),
    ]
