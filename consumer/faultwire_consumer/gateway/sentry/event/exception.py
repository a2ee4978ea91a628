"""One exception as a client sends it, as one of the wire's."""

import re
from typing import Any, Final

from faultwire_consumer.gateway.sentry.event.frames import read_frames
from faultwire_consumer.gateway.sentry.event.mechanism import SYNTHETIC, attributes_of
from faultwire_consumer.gateway.sentry.event.notes import ReadingNotes
from faultwire_consumer.gateway.sentry.event.shape import name_of, text_of
from faultwire_shared.event import NAME_CHARACTERS, ExceptionInfo

_TYPE_AND_TEXT: Final = re.compile(r"([A-Za-z_$][\w.$]{0,199}):\s*(.*)", re.DOTALL)


def read_exception(
    given: dict[str, Any], *, platform: str, message: str, notes: ReadingNotes
) -> ExceptionInfo:
    """Read an exception with its frames, without causes and members.

    Without a type it is a message with a stack, unless its text begins with the type: ``TypeError: boom``.

    Args:
        given: the client's.
        platform: Sentry's word for the language.
        message: the event's own: an exception that repeats it says nothing of a type.
        notes: of what was cut.
    """
    attributes = attributes_of(given)
    name, value = name_of(given.get("type")), text_of(given.get("value"))
    if not name and SYNTHETIC not in attributes and value.strip() != message:
        name, value = _split(value)
    return ExceptionInfo(
        type=name[:NAME_CHARACTERS],
        module=name_of(given.get("module"))[:NAME_CHARACTERS],
        value=value,
        attributes=attributes,
        frames=read_frames(given.get("stacktrace"), platform, notes),
    )


def _split(value: str) -> tuple[str, str]:
    found = _TYPE_AND_TEXT.fullmatch(value)
    return (found[1], found[2]) if found else ("", value)
