"""A labelled corpus of errors: one service in four releases, each bug met again and again in all of them.

Python's exceptions are raised by code and captured by the client; logged lines and the events of other
languages are written as their publishers would. A label names the bug.
"""

from msgspec import Struct


class Sample(Struct, frozen=True):
    """One event, and the bug that it is of."""

    bug: str
    body: bytes
