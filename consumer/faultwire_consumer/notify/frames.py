"""The innermost calls of the event that a notification is about, for senders that have room for them."""

from typing import Final

import msgspec
from msgspec import Struct

from faultwire_consumer.domain.notification import NotificationKind
from faultwire_consumer.store.contract.store import Store, StoreUnavailableError
from faultwire_consumer.store.events.event import get_event
from faultwire_consumer.store.outbox.content import Content
from faultwire_shared.event import ExceptionInfo, Frame

FRAMES_SHOWN: Final = 5


class _TracedBody(Struct):
    """The part of an event that is read here."""

    exceptions: list[ExceptionInfo] = []


async def load_frames(store: Store, content: Content) -> tuple[str, ...]:
    """Return the innermost calls of a single incident's event, the crash first; strangers' texts.

    Nothing where there is no such event, its body was not kept, or the database does not answer now: a
    notification does not wait for them.
    """
    if content.kind is not NotificationKind.INCIDENT or len(content.lines) != 1:
        return ()
    event_id = content.lines[0].event_id
    if event_id is None:
        return ()
    try:
        event = await get_event(store, event_id)
    except StoreUnavailableError:
        return ()
    return frames_of(event.doc) if event is not None and event.doc is not None else ()


def frames_of(body: bytes) -> tuple[str, ...]:
    """Return the innermost calls in an event's JSON, the crash first; nothing where it cannot be read."""
    try:
        exceptions = msgspec.json.decode(body, type=_TracedBody).exceptions
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return ()
    frames = exceptions[0].frames if exceptions else []
    return tuple(_place(frame) for frame in reversed(frames[-FRAMES_SHOWN:]))


def _place(frame: Frame) -> str:
    return f"{frame.file or frame.module or '?'}:{frame.line} in {frame.qualname or '?'}"
