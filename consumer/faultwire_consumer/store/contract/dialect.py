"""SQL that both databases have under the same name, by dialect."""

from typing import Any, Final

from sqlalchemy.dialects import postgresql, sqlite

INSERT: Final[dict[str, Any]] = {"postgresql": postgresql.insert, "sqlite": sqlite.insert}
"""``INSERT … ON CONFLICT``, by a transaction's dialect."""
