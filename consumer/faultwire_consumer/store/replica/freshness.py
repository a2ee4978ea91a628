"""Freshness of a read replica, measured by the primary's own log positions. Pure."""

from collections import deque
from typing import Final

from msgspec import Struct

STALE_SECONDS: Final = 30.0
"""The lag beyond which a replica answers no queries."""
_SAMPLES: Final = 600


class LogPosition(Struct, frozen=True):
    """A server's position: its cluster and database, and how far its log is written or replayed."""

    cluster: int
    database: str
    lsn: int


class Freshness:
    """The time up to which a replica has all that was committed at the primary.

    ``pg_last_xact_replay_timestamp()`` is not enough: on a primary where nothing is written it grows
    older all the time, and it compares the clocks of two machines. Here the primary says where its
    log is at a time of this process's clock, and the replica has everything that was committed before
    that time once it has replayed the log to there.
    """

    def __init__(self) -> None:
        self._samples: deque[tuple[float, int]] = deque()
        self._began_at: float | None = None
        self._asked_at = 0.0
        self._fresh_at: float | None = None
        self._lsn = 0

    def note_primary(self, lsn: int, at: float) -> None:
        """Note the primary's log position at a time, in monotonic seconds."""
        if lsn < self._lsn:
            self._samples.clear()  # another primary, which never had the end of the old one's log
        self._lsn, self._asked_at = lsn, at
        self._began_at = at if self._began_at is None else self._began_at
        self._samples.append((at, lsn))
        if len(self._samples) > _SAMPLES:
            self._samples = deque(list(self._samples)[::2])

    def note_replica(self, lsn: int) -> None:
        """Note how far the replica has replayed the log."""
        while self._samples and self._samples[0][1] <= lsn:
            self._fresh_at = self._samples.popleft()[0]

    @property
    def behind_seconds(self) -> float:
        """The replica's lag when the primary was last asked, at least.

        It stays the same while the primary is away: nothing new can be committed then.
        """
        since = self._began_at if self._fresh_at is None else self._fresh_at
        return 0.0 if since is None else self._asked_at - since

    def has(self, at: float) -> bool:
        """Return True if the replica has all that was committed until then."""
        return self._fresh_at is not None and self._fresh_at > at
