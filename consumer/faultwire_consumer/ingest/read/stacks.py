"""Stacks without their secrets; they come again and again, so each is read once, within a budget of bytes."""

from typing import Any, Final

import msgspec
from msgspec import Raw, Struct

from faultwire_consumer.ingest.read.byte_memo import ByteMemo
from faultwire_shared.codec import read
from faultwire_shared.json_text import encode_anything
from faultwire_shared.scrub import Scrubber

_VARIABLES: Final = b'"vars"'
_FRAMES: Final = b'"frames":'

_anything: Final = msgspec.json.Decoder()


class Stack(Struct, frozen=True):
    """The frames of an exception without its variables, which differ in each event."""

    raw: bytes
    """As they came; always the same object, whose hash Python has computed."""
    scrubbed: Raw
    is_inert: bool
    """Whether there was nothing to scrub."""


class Stacks:
    """Scrubs stacks, and remembers them.

    Args:
        scrubber: takes the secrets out.
        cache_bytes: what may be remembered.
    """

    def __init__(self, scrubber: Scrubber, cache_bytes: int) -> None:
        self._scrubber = scrubber
        self._known: ByteMemo[bytes, Stack] = ByteMemo(cache_bytes, _size)

    def __len__(self) -> int:
        """Return the number of stacks that are remembered."""
        return len(self._known)

    def stack(self, raw: bytes) -> Stack:
        """Return the stack of these frames.

        Raises:
            Undecodable: they cannot be read.
        """
        known = self._known.get(raw)
        if known is None:
            frames = read(_anything, raw)
            scrubbed = self._scrubber.scrub_frames(frames)
            is_inert = scrubbed == frames and _names_in(frames) == _names_of(raw)
            known = Stack(raw, Raw(encode_anything(scrubbed)), is_inert)
            self._known.put(raw, known)
        return known

    def bare_stack(self, raw: bytes) -> Stack | None:
        """Return the stack of these frames; None if they have variables.

        Raises:
            Undecodable: they cannot be read.
        """
        known = self._known.get(raw)  # first: looking for a word takes longer
        return known if known is not None or has_variables(raw) else self.stack(raw)


def has_variables(raw: bytes) -> bool:
    """Return True if frames may have local variables."""
    return _VARIABLES in raw


def without(body: bytes, stacks: list[Stack]) -> bytes:
    """Cut stacks out of an event's JSON, as far as they are found in their order."""
    kept, begin = [], 0
    for stack in stacks:
        at = body.find(_FRAMES, begin) + len(_FRAMES)
        if not body.startswith(stack.raw, at):
            at += 1  # behind a space
            if not body.startswith(stack.raw, at):
                continue
        kept.append(body[begin:at])
        begin = at + len(stack.raw)
    kept.append(body[begin:])
    return b"".join(kept)


def _size(raw: bytes, stack: Stack) -> int:
    return 250 + len(raw) + len(bytes(stack.scrubbed))


def _names_in(value: Any) -> int:
    """Count the members of all objects in a value."""
    if isinstance(value, dict):
        return len(value) + sum(map(_names_in, value.values()))
    return sum(map(_names_in, value)) if isinstance(value, list) else 0


def _names_of(raw: bytes) -> int:
    """Count the members of all objects in JSON: more than there are in its value if a name is given twice."""
    text = raw.replace(b"\\\\", b"").replace(b'\\"', b"")
    return b"".join(text.split(b'"')[::2]).count(b":")
