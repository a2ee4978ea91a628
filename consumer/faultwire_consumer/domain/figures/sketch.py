"""A set of users of which only the size is asked: exact while it is small, a sketch beyond.

The sketch is HyperLogLog with the estimator of Otmar Ertl (2017), whose error is the same for small and
large sets. Of all unions the sketch is the same, in whatever order they are made.
"""

import math
from collections.abc import Iterable
from typing import Final

from msgspec import Struct

from faultwire_consumer.domain.figures.user import HASH_BYTES

EXACT_MAX: Final = 1_000
"""Up to so many users are counted exactly."""
COUNT_MAX: Final = 2**31 - 1
"""The highest number that is ever said."""
_PRECISION: Final = 12
_REGISTERS: Final = 1 << _PRECISION
_RANKS: Final = 8 * HASH_BYTES - _PRECISION
STANDARD_ERROR: Final = 1.04 / math.sqrt(_REGISTERS)
"""Of an estimate, relative to the true number: 1.6 %."""

_EXACT: Final = b"\x00"
_SKETCH: Final = b"\x01"


class UserCount(Struct, frozen=True):
    """A number of users, and whether it is exact or an estimate."""

    count: int
    exact: bool


class UserSketch(Struct, frozen=True):
    """A set of users by their hashes, while there are few; by its registers once there are many."""

    hashes: frozenset[bytes] = frozenset()
    registers: bytes | None = None
    """None while the set is exact."""

    @property
    def size(self) -> UserCount:
        """Return the number of users."""
        if self.registers is None:
            return UserCount(len(self.hashes), exact=True)
        return UserCount(_estimate(self.registers), exact=False)

    def add(self, hashes: Iterable[bytes]) -> "UserSketch":
        """Return the set with more users; the very same object if it had them all."""
        if self.registers is None:
            union = self.hashes.union(hashes)
            if len(union) == len(self.hashes):
                return self
            return UserSketch(union) if len(union) <= EXACT_MAX else _sketched(_raise(_EMPTY, union))
        registers = _raise(self.registers, hashes)
        return self if registers == self.registers else _sketched(registers)

    def union(self, other: "UserSketch") -> "UserSketch":
        """Return the set of the users of both."""
        if other.registers is None:
            return self.add(other.hashes)
        if self.registers is None:
            return other.add(self.hashes)
        return _sketched(bytes(map(max, self.registers, other.registers)))

    def encode(self) -> bytes:
        """Return the set as it is stored."""
        if self.registers is not None:
            return _SKETCH + self.registers
        return _EXACT + b"".join(sorted(self.hashes))


def decode_sketch(stored: bytes) -> UserSketch:
    """Return a stored set.

    Raises:
        ValueError: it was not stored by this or an earlier version.
    """
    form, body = stored[:1], stored[1:]
    if form == _EXACT and len(body) % HASH_BYTES == 0:
        return UserSketch(frozenset(split_hashes(body)))
    if form == _SKETCH and len(body) == _REGISTERS:
        return _sketched(body)
    raise ValueError("a set of users in a form that this version does not know")


def split_hashes(joined: bytes) -> list[bytes]:
    """Return the hashes that were joined to one text of bytes."""
    return [joined[place : place + HASH_BYTES] for place in range(0, len(joined), HASH_BYTES)]


_EMPTY: Final = bytes(_REGISTERS)


def _sketched(registers: bytes) -> UserSketch:
    return UserSketch(frozenset(), registers)


def _raise(registers: bytes, hashes: Iterable[bytes]) -> bytes:
    raised = bytearray(registers)
    for one in hashes:
        number = int.from_bytes(one)
        place, rest = number >> _RANKS, number & ((1 << _RANKS) - 1)
        rank = _RANKS - rest.bit_length() + 1
        raised[place] = max(raised[place], rank)
    return bytes(raised)


def _estimate(registers: bytes) -> int:
    counts = [registers.count(rank) for rank in range(_RANKS + 2)]
    total = _REGISTERS * _tau(1 - counts[_RANKS + 1] / _REGISTERS)
    for rank in range(_RANKS, 0, -1):
        total = (total + counts[rank]) / 2
    total += _REGISTERS * _sigma(counts[0] / _REGISTERS)
    # Who chooses users by their hashes can make it believe any number: within bounds that a column holds.
    return min(round(_REGISTERS**2 / (2 * math.log(2)) / max(total, 1e-9)), COUNT_MAX)


def _sigma(share: float) -> float:
    """Correct for registers that nothing has reached."""
    if share == 1:
        return math.inf
    weight, total, before = 1.0, share, math.nan
    while total != before:
        share *= share
        before = total
        total += share * weight
        weight += weight
    return total


def _tau(share: float) -> float:
    """Correct for registers that are full."""
    if share in (0, 1):
        return 0.0
    weight, total, before = 1.0, 1 - share, math.nan
    while total != before:
        share = math.sqrt(share)
        before = total
        weight /= 2
        total -= (1 - share) ** 2 * weight
    return total / 3
