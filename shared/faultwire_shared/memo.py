"""A bounded cache, for what is the same at each call and dear to find out."""

from typing import Final, TypeVar

K = TypeVar("K")
V = TypeVar("V")

MOST: Final = 4096


class Memo(dict[K, V]):
    """A dictionary that starts anew when it is full: reading it costs what reading a dictionary costs.

    Only ``memo[key] = value`` keeps the bound.
    """

    def __init__(self, most: int = MOST) -> None:
        super().__init__()
        self._most = most

    def __setitem__(self, key: K, value: V) -> None:
        if len(self) >= self._most:
            self.clear()
        super().__setitem__(key, value)
