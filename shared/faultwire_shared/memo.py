"""A bounded cache, for values that never change and are expensive to compute."""

from typing import Final, TypeVar

K = TypeVar("K")
V = TypeVar("V")

ENTRIES_MAX: Final = 4096


class Memo(dict[K, V]):
    """A dictionary that is emptied when it is full: reading it costs no more than reading a dictionary.

    Only ``memo[key] = value`` keeps the bound.
    """

    def __init__(self, maximum: int = ENTRIES_MAX) -> None:
        super().__init__()
        self._maximum = maximum

    def __setitem__(self, key: K, value: V) -> None:
        if len(self) >= self._maximum:
            self.clear()
        super().__setitem__(key, value)
