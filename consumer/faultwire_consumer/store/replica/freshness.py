"""How fresh a read replica is, told by the primary's own positions in its log. Pure."""

from collections import deque
from typing import Final

from msgspec import Struct

STALE_SECONDS: Final = 30.0
"""A replica that is further behind answers nobody."""
_SAMPLES: Final = 600


class LogPosition(Struct, frozen=True):
    """Where a server stands: its cluster and database, and how far its log is written or replayed."""

    cluster: int
    database: str
    lsn: int


class Freshness:
    """Up to when a replica has all that was committed at the primary.

    Not by ``pg_last_xact_replay_timestamp()`` alone: on a primary where nothing is written it grows
    older all the time, and it compares the clocks of two machines. Here the primary says where its
    log stood at a moment of ours, and the replica has what was committed before it once it has
    replayed so far.
    """

    def __init__(self) -> None:
        self._samples: deque[tuple[float, int]] = deque()
        self._began_at: float | None = None
        self._asked_at = 0.0
        self._fresh_at: float | None = None
        self._lsn = 0

    def note_primary(self, lsn: int, at: float) -> None:
        """The primary's log stood there at that moment, in seconds that only grow."""
        if lsn < self._lsn:
            self._samples.clear()  # another primary, which never had the end of the old one's log
        self._lsn, self._asked_at = lsn, at
        self._began_at = at if self._began_at is None else self._began_at
        self._samples.append((at, lsn))
        if len(self._samples) > _SAMPLES:
            self._samples = deque(list(self._samples)[::2])

    def note_replica(self, lsn: int) -> None:
        """The replica has replayed so far."""
        while self._samples and self._samples[0][1] <= lsn:
            self._fresh_at = self._samples.popleft()[0]

    @property
    def behind_seconds(self) -> float:
        """How far behind it was when the primary was last asked, at least.

        While the primary is away it stays as it was: nothing new can be committed that it lacks.
        """
        since = self._began_at if self._fresh_at is None else self._fresh_at
        return 0.0 if since is None else self._asked_at - since

    def has(self, at: float) -> bool:
        """Whether it has all that was committed until then."""
        return self._fresh_at is not None and self._fresh_at > at
