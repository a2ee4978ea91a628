"""Takes the secrets out of events that their client did not scrub, before they are grouped and stored.

It works on JSON, not on events: fields that this version does not know are stored too, so they are
scrubbed too. Stacks come again and again, so each is read once, within a budget of bytes.
"""

from collections.abc import Sequence
from typing import Any, Final

import msgspec
from msgspec import Raw, Struct

from faultwire_consumer.ingest.read.inert import InertCheck
from faultwire_consumer.ingest.read.narrow import NarrowEvent, NarrowException
from faultwire_consumer.ingest.read.stacks import Stacks, has_variables, without
from faultwire_shared.codec import Undecodable, read
from faultwire_shared.event import MESSAGE_BYTES
from faultwire_shared.json_text import UNREADABLE, encode_anything
from faultwire_shared.scrub import Scrubber

CACHE_BYTES: Final = 8 * 1024 * 1024

_fields: Final = msgspec.json.Decoder(dict[str, Raw])
_chain: Final = msgspec.json.Decoder(list[dict[str, Raw]])
_chains: Final = msgspec.json.Decoder(list[list[dict[str, Raw]]])
_members: Final = msgspec.json.Decoder(list[list[NarrowException]])
_anything: Final = msgspec.json.Decoder()
_MARK: Final = b',"scrubbed":true}'
_LARGE_FIELDS: Final = frozenset(("breadcrumbs", "context", "request", "tags", "user"))
_SMALL: Final = 40
"""Bytes below which a field is scrubbed as fast as it is looked at."""


class InertEvent(Struct, frozen=True):
    """An event that holds no secret."""

    body: bytes
    """As it came, but marked as scrubbed."""
    stacks: list[bytes]
    """Its exceptions' frames, if all are known to hold no variables; else none."""


class BodyScrubber:
    """Scrubs the bodies of events and of dead letters."""

    def __init__(self, cache_bytes: int = CACHE_BYTES) -> None:
        self._scrubber = Scrubber()
        self._check = InertCheck(self._is_inert)
        self._stacks = Stacks(self._scrubber, cache_bytes)

    def mark_inert(self, body: bytes, event: NarrowEvent) -> InertEvent | None:
        """Mark an event as scrubbed, if it surely holds no secret; None if it has to be looked at.

        It then says what `scrub_event` would return, in its publisher's spelling: order, white space,
        escapes and the digits of numbers are kept.

        Args:
            body: its JSON.
            event: what was decoded of it.
        """
        try:
            frames = _frames_of(event.exceptions)
            stacks = [stack for stack in map(self._stacks.bare_stack, frames) if stack is not None]
        except Undecodable:
            return None
        for stack in stacks:
            if not stack.is_inert:
                return None
        if not self._check.holds_nothing(without(body, stacks), event.id, event.service):
            return None
        is_all = len(stacks) == len(frames) == len(event.exceptions)
        return InertEvent(body.rstrip()[:-1] + _MARK, [stack.raw for stack in stacks] if is_all else [])

    def _is_inert(self, text: str) -> bool:
        return text != "scrubbed" and self._scrubber.is_inert(text)

    def scrub_event(self, body: bytes) -> bytes:
        """Return an event's JSON without its secrets, marked as scrubbed.

        Raises:
            Undecodable: a part of it cannot be read.
        """
        fields = read(_fields, body)
        exceptions = fields.pop("exceptions", None)
        inert = {} if _may_span_fields(body) else self._inert_fields(fields)
        document = self._scrubber.scrub_document(_read(fields)) | inert
        if exceptions is not None:
            document["exceptions"] = [self._exception(each) for each in read(_chain, exceptions)]
        return encode_anything(document)

    def _inert_fields(self, fields: dict[str, Raw]) -> dict[str, Raw]:
        """Take the large fields out that hold no secret, whatever the others hold."""
        found = [
            name
            for name, value in fields.items()
            if name in _LARGE_FIELDS
            and len(bytes(value)) > _SMALL
            and self._check.holds_nothing(bytes(value))
        ]
        return {name: fields.pop(name) for name in found}

    def scrub_dead_letter(self, body: bytes) -> bytes:
        """Return the body of a dead letter without its secrets; the very same object if it has none.

        A body that is not JSON is scrubbed as a text. A body that is longer than a message may be is kept
        to that length only and padded with spaces.
        """
        kept = body[:MESSAGE_BYTES]
        scrubbed = self._document(kept)
        if scrubbed is None:
            text = self._scrubber.scrub_text(kept.decode(errors="surrogateescape"))
            scrubbed = text.encode(errors="surrogateescape")
        if scrubbed == kept:
            return body
        return scrubbed if len(body) == len(kept) else scrubbed.ljust(len(body))

    def _document(self, body: bytes) -> bytes | None:
        """Scrub a JSON document of events; None if it is not one."""
        try:
            found = _anything.decode(body)
        except UNREADABLE:
            return None
        documents = found if isinstance(found, list) else [found]
        if not all(isinstance(each, dict) for each in documents):
            return None
        scrubbed = [self._marked(each) for each in documents]
        if scrubbed == documents:
            return body
        return encode_anything(scrubbed if isinstance(found, list) else scrubbed[0])

    def _marked(self, document: dict[str, Any]) -> dict[str, Any]:
        """Scrub an event of a dead letter; only one that had a secret gets the mark."""
        if document.get("scrubbed") is True:
            return document
        scrubbed = self._scrubber.scrub_document(document)
        return document if document | {"scrubbed": True} == scrubbed else scrubbed

    def _exception(self, fields: dict[str, Raw]) -> dict[str, Any]:
        """Scrub an exception and its members, which as plain values would soon lie too deep."""
        frames, members = fields.pop("frames", None), fields.pop("members", None)
        exception = self._scrubber.scrub_mapping(_read(fields))
        if frames is not None:
            exception["frames"] = self._frames(bytes(frames))
        if members is not None:
            chains = read(_chains, members)
            exception["members"] = [[self._exception(each) for each in chain] for chain in chains]
        return exception

    def _frames(self, raw: bytes) -> Raw:
        return self._with_variables(raw) if has_variables(raw) else self._stacks.stack(raw).scrubbed

    def _with_variables(self, raw: bytes) -> Raw:
        """Scrub the variables of one event apart from its stack, which comes again with others."""
        frames = read(_anything, raw)
        if not isinstance(frames, list) or not all(isinstance(frame, dict) for frame in frames):
            return self._stacks.stack(raw).scrubbed
        variables = [{"vars": frame.pop("vars")} if "vars" in frame else {} for frame in frames]
        stack = read(_anything, self._stacks.stack(encode_anything(frames)).scrubbed)
        scrubbed = map(self._scrubber.scrub_mapping, variables)
        return Raw(encode_anything([frame | beside for frame, beside in zip(stack, scrubbed, strict=True)]))


def _may_span_fields(body: bytes) -> bool:
    """Return True if a private key may begin in one field and end in another."""
    return b"PRIVATE KEY" in body or b"\\u" in body


def _frames_of(exceptions: Sequence[NarrowException]) -> list[bytes]:
    """List the frames of exceptions, and then of their members.

    Raises:
        Undecodable: members are none.
    """
    found = [bytes(each.frames) for each in exceptions]
    for each in exceptions:
        if (members := bytes(each.members)) != b"[]":
            for chain in read(_members, members):
                found += _frames_of(chain)
    return found


def _read(fields: dict[str, Raw]) -> dict[str, Any]:
    return {name: read(_anything, value) for name, value in fields.items()}
