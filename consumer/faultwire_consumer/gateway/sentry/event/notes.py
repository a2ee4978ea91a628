"""Notes of what one event lost on its way: what was cut, and what had no meaning where it stood."""

from typing import Final

_UNREAD: Final = 20


class ReadingNotes:
    """Written while an event's fields are read; what is too long is cut, and noted, once they all are."""

    def __init__(self) -> None:
        self.unread: list[str] = []
        """Fields that could not be read, by their path: the event is kept without them."""
        self.truncated: list[str] = []
        """Paths of what is incomplete."""

    def leave_out(self, path: str) -> None:
        """Note a field of a type that has no meaning there."""
        if len(self.unread) < _UNREAD and path not in self.unread:
            self.unread.append(path)

    def cut(self, path: str) -> None:
        """Note that what stands at this path is incomplete."""
        if path not in self.truncated:
            self.truncated.append(path)
