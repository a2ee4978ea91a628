"""Fingerprints of events, through a cache of stacks seen before.

The key is everything that the fingerprint depends on, frames as their bytes: line numbers and
file names are part of it, so a new release of a service misses once for each of its stacks. Local
variables, which differ from event to event, are not. Of languages whose frames may not tell, the
normal form of the texts is.
"""

from collections.abc import Iterable, Iterator, Sequence
from itertools import zip_longest
from typing import Any, Final

import msgspec
from msgspec import Raw, Struct

from faultwire_consumer.domain.fingerprint import compute, earlier
from faultwire_consumer.domain.grouping.foreign.plain import SYNTHETIC, TOLD_BY_TEXT, comparable_text
from faultwire_consumer.domain.grouping.language import Language, language_of
from faultwire_consumer.domain.grouping.material import (
    Fingerprint,
    GroupingException,
    GroupingFrame,
    GroupingMaterial,
)
from faultwire_consumer.domain.grouping.normal_text import normalise
from faultwire_consumer.domain.title import culprit_of, title_of
from faultwire_consumer.ingest.read.byte_memo import ByteMemo
from faultwire_consumer.ingest.read.narrow import NarrowEvent, NarrowException, decode_narrow
from faultwire_shared.codec import Undecodable, check_depth, read
from faultwire_shared.event import ExceptionInfo, Frame
from faultwire_shared.identity.detail import detail_in_text, kind_of

CACHE_BYTES: Final = 16 * 1024 * 1024

_frames: Final = msgspec.json.Decoder(list[Frame])
_members: Final = msgspec.json.Decoder(list[list[ExceptionInfo]])
_frames_encoder: Final = msgspec.json.Encoder()
_VARIABLES: Final = b'"vars"'
_SYNTHETIC: Final = f'"{SYNTHETIC}"'.encode()
_attributes: Final = msgspec.json.Decoder(dict[str, str | int | float | bool | None])


class Grouped(Struct, frozen=True):
    """A fingerprint, and the title and culprit of an incident that it opens."""

    fingerprint: Fingerprint
    title: str
    culprit: str


class Grouper:
    """Fingerprints events; remembers the stacks it has seen, within a budget of bytes."""

    def __init__(self, cache_bytes: int = CACHE_BYTES) -> None:
        self._cache: ByteMemo[tuple[Any, ...], Grouped] = ByteMemo(cache_bytes, _size)

    def group(self, event: NarrowEvent, stacks: Sequence[bytes] = ()) -> Grouped:
        """Compute the fingerprint of an event.

        Args:
            event: what was decoded of it.
            stacks: its exceptions' frames, where all are known to hold no variables.

        Raises:
            Undecodable: frames, attributes or members do not have the wire's types.
        """
        if not stacks:
            event = _without_variables(event)
        key = _key(event, stacks)
        if key is None:
            return _group(event)
        known = self._cache.get(key)
        if known is None:
            known = _group(event)
            self._cache.put(key, known)
        return known


def values_in(event: NarrowEvent) -> Iterator[str]:
    """Yield the text of each of an event's exceptions, including members of groups, once it is grouped."""
    for exception in event.exceptions:
        yield exception.value
        for chain in _members.decode(exception.members):
            yield from _values_in(chain)


def _values_in(chain: Iterable[ExceptionInfo]) -> Iterator[str]:
    for exception in chain:
        yield exception.value
        for members in exception.members:
            yield from _values_in(members)


def _without_variables(event: NarrowEvent) -> NarrowEvent:
    """Return the event as it would be without local variables, once these are seen to be some."""
    for each in event.exceptions:
        if _has_variables(each):
            break
    else:  # nearly always, and without the generator that any() would take
        return event
    return msgspec.structs.replace(
        event, exceptions=[_bare(each, index) for index, each in enumerate(event.exceptions)]
    )


def _has_variables(exception: NarrowException) -> bool:
    return _VARIABLES in bytes(exception.frames) or _VARIABLES in bytes(exception.members)


def _bare(exception: NarrowException, index: int) -> NarrowException:
    path = f"$.exceptions[{index}]"
    frames = [_bare_frame(frame) for frame in _read(_frames, exception.frames, f"{path}.frames")]
    members = _read(_members, exception.members, f"{path}.members")
    return msgspec.structs.replace(
        exception,
        frames=Raw(_frames_encoder.encode(frames)),
        members=Raw(_frames_encoder.encode([[_bare_member(each) for each in chain] for chain in members])),
    )


def _bare_member(exception: ExceptionInfo) -> ExceptionInfo:
    return msgspec.structs.replace(
        exception,
        frames=[_bare_frame(frame) for frame in exception.frames],
        members=[[_bare_member(each) for each in chain] for chain in exception.members],
    )


def _bare_frame(frame: Frame) -> Frame:
    return msgspec.structs.replace(frame, vars={}) if frame.vars else frame


def _key(event: NarrowEvent, stacks: Sequence[bytes]) -> tuple[Any, ...] | None:
    """Return the cache key; None if the text itself decides: such keys would fill the cache with one-offs."""
    parts: list[Any] = [event.service, event.category, event.code, *event.fingerprint]
    for exception, stack in zip_longest(event.exceptions, stacks):
        frames, members = stack or bytes(exception.frames), bytes(exception.members)
        if (len(frames) <= 2 and len(members) <= 2) or not exception.type:
            return None
        attributes = bytes(exception.attributes)
        if len(attributes) > 2 and _SYNTHETIC in attributes:
            return None
        parts += [exception.type, exception.module, frames, attributes, members]
        parts.append(detail_in_text(exception.value, kind_of(exception.module, exception.type)))
    if not event.exceptions:
        return None
    if event.sdk is not None and (language := language_of(event.sdk.name)):
        parts += _foreign_parts(event.exceptions, language)
    return tuple(parts)


def _foreign_parts(chain: Sequence[NarrowException], language: Language) -> list[Any]:
    """Return what counts besides, where texts may: their normal form, and the root's detail in another's."""
    if language not in TOLD_BY_TEXT:
        return [language]
    detail = detail_in_text(chain[0].value, kind_of(chain[-1].module, chain[-1].type))
    texts = (comparable_text(one, each.value) for one in TOLD_BY_TEXT[language] for each in chain)
    return [language, detail, *map(normalise, texts)]


def _size(key: tuple[Any, ...], _: Grouped) -> int:
    return 500 + sum(len(part) for part in key if part is not None)


def earlier_key(body: bytes) -> bytes | None:
    """Return the key that an event's body had by the version before; None where that is no guide."""
    fingerprint = earlier(material_of(decode_narrow(body)))
    return fingerprint.key if fingerprint else None


def _group(event: NarrowEvent) -> Grouped:
    grouping = material_of(event)
    return Grouped(compute(grouping), title_of(grouping), culprit_of(grouping))


def material_of(event: NarrowEvent) -> GroupingMaterial:
    """Decode what an event's incident depends on.

    Raises:
        Undecodable: frames, attributes or members do not have the wire's types.
    """
    language = language_of(event.sdk.name) if event.sdk else ""
    logger = event.tags.get("logger") or (event.context.get("logger") if language else None)
    if logger == language:  # the name that all of a JavaScript client's events have
        logger = ""
    return GroupingMaterial(
        service=event.service,
        category=event.category,
        code=event.code,
        message=event.message,
        template=event.template,
        logger=logger if isinstance(logger, str) else "",
        explicit=event.fingerprint,
        exceptions=[_exception(exception, index) for index, exception in enumerate(event.exceptions)],
        language=language,
    )


def _exception(exception: NarrowException, index: int) -> GroupingException:
    path = f"$.exceptions[{index}]"
    return GroupingException(
        type=exception.type,
        module=exception.module,
        value=exception.value,
        attributes=_read(_attributes, exception.attributes, f"{path}.attributes"),
        frames=[_frame(frame) for frame in _read(_frames, exception.frames, f"{path}.frames")],
        members=[
            [_member(member) for member in chain]
            for chain in _read(_members, exception.members, f"{path}.members")
        ],
    )


def _member(exception: ExceptionInfo) -> GroupingException:
    return GroupingException(
        type=exception.type,
        module=exception.module,
        value=exception.value,
        attributes=exception.attributes,
        frames=[_frame(frame) for frame in exception.frames],
        members=[[_member(member) for member in chain] for chain in exception.members],
    )


def _frame(frame: Frame) -> GroupingFrame:
    return GroupingFrame(frame.module, frame.qualname, frame.file, frame.in_app, frame.context)


def _read(decoder: "msgspec.json.Decoder[Any]", raw: Raw, path: str) -> Any:
    try:
        check_depth(bytes(raw))
        return read(decoder, raw)
    except Undecodable as error:
        raise Undecodable(error.reason, error.detail, path + error.path.removeprefix("$")) from None
