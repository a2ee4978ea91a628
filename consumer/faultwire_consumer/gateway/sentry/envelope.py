"""Reads an envelope piece by piece as it arrives, and holds no more of it than one item that is wanted."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from msgspec import Struct

from faultwire_consumer.gateway.lenient import UnreadableError, read_json
from faultwire_consumer.gateway.sentry.envelope_header import EnvelopeHeader
from faultwire_consumer.gateway.sentry.header_line import UnreadableEnvelopeError, read_header
from faultwire_consumer.gateway.sentry.limits import kind_of

ITEMS: Final = 100
"""Items of one envelope that are looked at; the others count as one that is broken."""
LINE_BYTES: Final = 64 * 1024
"""Of a header's line at most; those with the baggage of a trace grow."""


class Item(Struct, frozen=True):
    """An item that is wanted."""

    kind: str
    payload: bytes


_Step = Callable[[bytes, int, list[Item]], int]
"""Reads a piece from a place on, adds an item that is complete, and returns where the next step begins."""


class EnvelopeReader:
    """Finds the items of an envelope, as Sentry's developer documentation ("Envelopes") describes one.

    A payload ends by its length where that is told, and else at the end of its line. Where neither the next
    line nor the end follows a length, or an item's header is unreadable, what is left counts as one item
    that is broken, and is not looked at: a file that a user attached may look like an envelope. What came
    before stays. An item that is too large loses itself only.

    Args:
        wanted: the kinds that are held, and the most bytes of each. Of the others nothing is held; they are
            counted.
    """

    def __init__(self, wanted: Mapping[str, int]) -> None:
        self.header: EnvelopeHeader | None = None
        """None until its line has come."""
        self.dropped: dict[str, int] = {}
        """Items that are not wanted, by kind."""
        self.broken = 0
        """Items that could not be read."""
        self._wanted = wanted
        self._step: _Step = self._first_line
        self._held = bytearray()
        self._items = 0
        self._kind: str | None = None
        self._left = 0
        self._is_held = False
        self._has_begun = False

    def feed(self, piece: bytes) -> list[Item]:
        """Read the next piece, and return the wanted items that are complete by now.

        Raises:
            UnreadableEnvelopeError: it is no envelope.
        """
        found: list[Item] = []
        at = 0
        while at < len(piece):
            at = self._step(piece, at, found)
        return found

    def finish(self) -> list[Item]:
        """Return the item that the end completes, if any; one that is cut off is broken.

        Raises:
            UnreadableEnvelopeError: it is no envelope.
        """
        found: list[Item] = []
        if self._step == self._first_line:
            self.header = read_header(bytes(self._held))
        elif self._step == self._item_line and self._held:
            self.broken += _item_header(bytes(self._held)) is None
        elif self._step == self._octets:
            self._is_held = False
            self._complete(found)
        elif self._step == self._line and self._has_begun:
            self._complete(found)
        self._step = self._rest
        self._held.clear()
        return found

    def _first_line(self, piece: bytes, at: int, _: list[Item]) -> int:
        end = self._hold_line(piece, at)
        if len(self._held) > LINE_BYTES:
            raise UnreadableEnvelopeError(f"the envelope's header is longer than {LINE_BYTES:,} bytes")
        if end < 0:
            return len(piece)
        self.header = read_header(bytes(self._held))
        self._go(self._item_line)
        return end + 1

    def _item_line(self, piece: bytes, at: int, found: list[Item]) -> int:
        if not self._held and piece[at : at + 1].isspace():
            return len(piece) - len(piece[at:].lstrip())  # empty lines, however many there are
        end = self._hold_line(piece, at)
        if len(self._held) > LINE_BYTES:
            return self._lose(piece)
        if end < 0:
            return len(piece)
        self._begin(bytes(self._held), found)
        return end + 1

    def _hold_line(self, piece: bytes, at: int) -> int:
        """Hold what of the piece belongs to a line, a byte too much at most; return the line's end or -1."""
        end = piece.find(b"\n", at)
        stop = min(len(piece) if end < 0 else end, at + LINE_BYTES + 1 - len(self._held))
        self._held += piece[at:stop]
        return end

    def _begin(self, line: bytes, found: list[Item]) -> None:
        """Begin with the payload that an item's header announces."""
        header = _item_header(line)
        self._items += 1
        if header is None or self._items > ITEMS:
            self.broken += 1
            self._go(self._rest)
            return
        name, length = header.get("type"), _length_in(header)
        self._kind = kind_of(name) if isinstance(name, str) else None
        self._left = length or 0
        self._is_held = self._left <= self._wanted.get(self._kind or "", -1)
        self._has_begun = False
        self._go(self._line if length is None else self._octets)
        if length == 0:
            self._complete(found)
            self._go(self._after)

    def _octets(self, piece: bytes, at: int, found: list[Item]) -> int:
        """Take a payload whose length is told."""
        end = min(len(piece), at + self._left)
        self._left -= end - at
        if self._is_held:
            self._held += piece[at:end]
        if not self._left:
            self._complete(found)
            self._go(self._after)
        return end

    def _line(self, piece: bytes, at: int, found: list[Item]) -> int:
        """Take a payload that ends with its line."""
        end = piece.find(b"\n", at)
        stop = len(piece) if end < 0 else end
        self._has_begun = self._has_begun or stop > at
        if self._is_held and len(self._held) + stop - at > self._wanted[self._kind or ""]:
            self._is_held = False
            self._held.clear()
        if self._is_held:
            self._held += piece[at:stop]
        if end < 0:
            return stop
        self._complete(found)
        self._go(self._item_line)
        return end + 1

    def _after(self, piece: bytes, at: int, _: list[Item]) -> int:
        """Expect the end of a line behind a payload whose length was told."""
        match piece[at : at + 1]:
            case b"\n":
                self._go(self._item_line)
            case b"\r":
                self._go(self._after_return)
            case _:
                return self._lose(piece)
        return at + 1

    def _after_return(self, piece: bytes, at: int, _: list[Item]) -> int:
        if piece[at : at + 1] != b"\n":
            return self._lose(piece)
        self._go(self._item_line)
        return at + 1

    def _rest(self, piece: bytes, _at: int, _: list[Item]) -> int:
        return len(piece)

    def _lose(self, piece: bytes) -> int:
        self.broken += 1
        self._go(self._rest)
        return len(piece)

    def _complete(self, found: list[Item]) -> None:
        kind = self._kind
        if kind is None or (kind in self._wanted and not self._is_held):
            self.broken += 1
        elif self._is_held:
            found.append(Item(kind, bytes(self._held)))
        else:
            self.dropped[kind] = self.dropped.get(kind, 0) + 1

    def _go(self, step: _Step) -> None:
        self._step = step
        self._held.clear()


def _item_header(line: bytes) -> dict[str, Any] | None:
    try:
        header = read_json(line)
    except UnreadableError:
        return None
    return header if isinstance(header, dict) else None


def _length_in(header: Mapping[str, Any]) -> int | None:
    """Return the length that an item's header tells, if it is a whole number that a length can be."""
    length = header.get("length")
    return length if type(length) is int and length >= 0 else None
