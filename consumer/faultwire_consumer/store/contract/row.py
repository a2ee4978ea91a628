"""Conversion of a result's row to plain values."""

from typing import Any

from sqlalchemy import Row


def values_of(row: Row[Any]) -> dict[str, Any]:
    """Return the row's values by the names of its columns."""
    return dict(row._mapping)  # noqa: SLF001 - public by SQLAlchemy's documentation; the underscore keeps columns apart
