"""The role in which a task uses the database, by which its administrator knows a connection."""

import re
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final

NAME: Final = "faultwire"
"""Of connections that nobody's role is known of."""
NAME_CHARACTERS: Final = 63
"""PostgreSQL cuts longer names."""

_ODD: Final = re.compile(r"[^A-Za-z0-9._-]")
_role: Final[ContextVar[str]] = ContextVar("faultwire_role", default="")


@contextmanager
def acting_as(role: str) -> Iterator[None]:
    """Have this task, and those that it starts, use the database under a role's name."""
    token = _role.set(role)
    try:
        yield
    finally:
        _role.reset(token)


def connection_name(host: str | None = None) -> str:
    """Return ``faultwire/HOST/ROLE`` for this task's connections; `NAME` where it has no role.

    Args:
        host: this machine's name unless given; of a long one the beginning is kept.
    """
    role = _role.get()
    if not role:
        return NAME
    place = _ODD.sub("_", socket.gethostname() if host is None else host)
    room = NAME_CHARACTERS - len(NAME) - len(role) - 2
    return f"{NAME}/{place[: max(0, room)]}/{role}"[:NAME_CHARACTERS]
