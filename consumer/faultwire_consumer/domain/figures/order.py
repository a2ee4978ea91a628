"""The orders in which incidents can be listed."""

from enum import StrEnum


class IncidentOrder(StrEnum):
    """An order of incidents; each begins with what there is most of."""

    LAST = "last"
    """Seen last."""
    URGENT = "urgent"
    """Wants somebody most; among equals the last seen."""
    FIRST = "first"
    """Began last."""
    COUNT = "count"
    """Has most events."""
    USERS = "users"
    """Met most users."""
    GROWTH = "growth"
    """Grows fastest."""
