"""Takes the secrets out of events that their client did not scrub, before they are grouped and stored.

It works on JSON, not on events: fields that this version does not know are stored too, so they are
scrubbed too. Stacks come again and again, so each is read once, within a budget of bytes.
"""

from typing import Any, Final

import msgspec
from msgspec import Raw

from faultwire_consumer.ingest.read.byte_memo import ByteMemo
from faultwire_shared.codec import read
from faultwire_shared.event import MESSAGE_BYTES
from faultwire_shared.json_text import UNREADABLE, encode_anything
from faultwire_shared.scrub import Scrubber

CACHE_BYTES: Final = 8 * 1024 * 1024
_VARIABLES: Final = b'"vars"'

_fields: Final = msgspec.json.Decoder(dict[str, Raw])
_chain: Final = msgspec.json.Decoder(list[dict[str, Raw]])
_chains: Final = msgspec.json.Decoder(list[list[dict[str, Raw]]])
_anything: Final = msgspec.json.Decoder()


class BodyScrubber:
    """Scrubs the bodies of events and of dead letters."""

    def __init__(self, cache_bytes: int = CACHE_BYTES) -> None:
        self._scrubber = Scrubber()
        self._stacks: ByteMemo[bytes, Raw] = ByteMemo(cache_bytes, _size)

    def scrub_event(self, body: bytes) -> bytes:
        """Return an event's JSON without its secrets, marked as scrubbed.

        Raises:
            Undecodable: a part of it cannot be read.
        """
        fields = read(_fields, body)
        exceptions = fields.pop("exceptions", None)
        document = self._scrubber.scrub_document(_read(fields))
        if exceptions is not None:
            document["exceptions"] = [self._exception(each) for each in read(_chain, exceptions)]
        return encode_anything(document)

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
        return self._with_variables(raw) if _VARIABLES in raw else self._stack(raw)

    def _stack(self, raw: bytes) -> Raw:
        known = self._stacks.get(raw)
        if known is None:
            known = Raw(encode_anything(self._scrubber.scrub_frames(read(_anything, raw))))
            self._stacks.put(raw, known)
        return known

    def _with_variables(self, raw: bytes) -> Raw:
        """Scrub the variables of one event apart from its stack, which comes again with others."""
        frames = read(_anything, raw)
        if not isinstance(frames, list) or not all(isinstance(frame, dict) for frame in frames):
            return self._stack(raw)
        variables = [{"vars": frame.pop("vars")} if "vars" in frame else {} for frame in frames]
        stack = read(_anything, self._stack(encode_anything(frames)))
        scrubbed = map(self._scrubber.scrub_mapping, variables)
        return Raw(encode_anything([frame | beside for frame, beside in zip(stack, scrubbed, strict=True)]))


def _size(raw: bytes, scrubbed: Raw) -> int:
    return 200 + len(raw) + len(bytes(scrubbed))


def _read(fields: dict[str, Raw]) -> dict[str, Any]:
    return {name: read(_anything, value) for name, value in fields.items()}
