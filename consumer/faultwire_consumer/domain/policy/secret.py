"""Text of a policy that nobody is to read again."""

from msgspec import Struct


class Secret(Struct, frozen=True):
    """A text that no log line and no response shows."""

    text: str

    def __repr__(self) -> str:
        return "***"
