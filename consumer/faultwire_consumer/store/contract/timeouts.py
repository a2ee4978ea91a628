"""Bounds on waiting for the database before it counts as unavailable, busy or slow."""

from msgspec import Struct


class Timeouts(Struct, frozen=True, kw_only=True):
    """Timeouts in seconds, all far below RabbitMQ's for an unsettled delivery (30 minutes)."""

    lock: float = 2.0
    """For a lock that another transaction holds; SQLite's busy timeout too."""
    statement: float = 10.0
    """For one statement, enforced by the server."""
    idle_in_transaction: float = 15.0
    """For a transaction whose worker is gone: then the server ends it, and others get its locks."""
    answer: float = 15.0
    """For any answer at all: a server that is frozen, or behind a broken network, enforces nothing itself."""
    connect: float = 5.0

    def session(self) -> dict[str, str]:
        """Return PostgreSQL's settings for a session.

        READ COMMITTED, no matter what the database's default is: above it ``ON CONFLICT`` fails with
        40001 wherever two workers meet.
        """
        return {
            "default_transaction_isolation": "read committed",
            "lock_timeout": _milliseconds(self.lock),
            "statement_timeout": _milliseconds(self.statement),
            "idle_in_transaction_session_timeout": _milliseconds(self.idle_in_transaction),
        }


def _milliseconds(seconds: float) -> str:
    return f"{round(seconds * 1000)}ms"
