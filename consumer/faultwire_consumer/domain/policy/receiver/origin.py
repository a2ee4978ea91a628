"""The name by which receivers that keep alerts tell one worker's from another's."""

import re
from typing import Any, Final

from faultwire_consumer.domain.policy.table import Table

ORIGIN: Final = "faultwire"
_VALID: Final = re.compile(r"[A-Za-z0-9_.-]{1,50}")


def read_origin(table: Table) -> str:
    """Read the first part of the keys of a receiver's alerts, `ORIGIN` unless said.

    Workers of two databases both have an INC-1: where they alert at one place, each needs a name of its own.

    Raises:
        PolicyError: it is not valid.
    """
    return table.read("origin", _convert, ORIGIN)


def _convert(value: Any) -> str:
    if isinstance(value, str) and _VALID.fullmatch(value):
        return value
    raise ValueError("letters, digits, _ . and -, 50 at most")
