"""What each database's SQL has under the same name."""

from typing import Any, Final

from sqlalchemy.dialects import postgresql, sqlite

INSERT: Final[dict[str, Any]] = {"postgresql": postgresql.insert, "sqlite": sqlite.insert}
"""``INSERT … ON CONFLICT``, by the dialect of a transaction."""
