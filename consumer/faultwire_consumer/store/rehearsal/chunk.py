"""Long lists in pieces that one statement takes."""

from collections.abc import Iterable, Sequence
from typing import Final, TypeVar

CHUNK: Final = 500

T = TypeVar("T")


def chunks(values: Sequence[T]) -> Iterable[Sequence[T]]:
    """Return the pieces of a list."""
    return (values[start : start + CHUNK] for start in range(0, len(values), CHUNK))
