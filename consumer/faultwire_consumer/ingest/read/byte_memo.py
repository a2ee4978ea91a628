"""A cache with a budget of bytes, for what strangers send: its keys may be of any length."""

from collections.abc import Callable
from typing import Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")


class ByteMemo(Generic[K, V]):
    """Keeps the latest entries; the oldest goes when the budget is spent.

    Args:
        budget: bytes that all entries together may take.
        size_of: returns the bytes of an entry, by its key and value.
    """

    def __init__(self, budget: int, size_of: Callable[[K, V], int]) -> None:
        self._entries: dict[K, V] = {}
        self._budget = budget
        self._size_of = size_of
        self._used = 0

    def get(self, key: K) -> V | None:
        """Return the value kept under the key; None if there is none."""
        return self._entries.get(key)

    def put(self, key: K, value: V) -> None:
        """Keep a value under a new key, in place of the oldest entries if need be."""
        self._entries[key] = value
        self._used += self._size_of(key, value)
        while self._used > self._budget:
            oldest = next(iter(self._entries))
            self._used -= self._size_of(oldest, self._entries.pop(oldest))

    def __len__(self) -> int:
        """Return the number of entries."""
        return len(self._entries)
