"""A silence as it is kept."""

from datetime import datetime
from typing import Any, Final

import msgspec
from msgspec import Struct
from sqlalchemy import Row

from faultwire_consumer.domain.silence.matcher import Matchers, conditions_of, read_matchers
from faultwire_consumer.domain.silence.silence import Silence
from faultwire_consumer.domain.silence.weekly import WeeklyWindow
from faultwire_consumer.store.contract.row import values_of
from faultwire_consumer.store.schema.notify import silences

_weekly: Final = msgspec.json.Decoder(tuple[WeeklyWindow, ...])


class StoredSilence(Struct, frozen=True, kw_only=True):
    """A silence with everything that is kept of it."""

    id: int
    matchers: Matchers
    weekly: tuple[WeeklyWindow, ...]
    starts_at: datetime
    ends_at: datetime
    also_critical: bool
    author: str
    comment: str
    created_at: datetime
    ended_at: datetime | None = None
    ended_by: str | None = None
    hits: int = 0
    """Notifications that it stopped or held back."""
    last_hit_at: datetime | None = None

    @property
    def judged(self) -> Silence:
        """The silence as notifications are judged by it."""
        return Silence(
            id=self.id,
            where=conditions_of(self.matchers),
            starts_at=self.starts_at,
            ends_at=self.ends_at,
            weekly=self.weekly,
            also_critical=self.also_critical,
            author=self.author,
            comment=self.comment,
            ended_at=self.ended_at,
        )


COLUMNS: Final = tuple(silences.c[name] for name in StoredSilence.__struct_fields__)


def stored_from(row: Row[Any]) -> StoredSilence:
    """Return a row's silence.

    Raises:
        msgspec.MsgspecError: a later release wrote it.
    """
    values = values_of(row)
    return StoredSilence(
        **values
        | {
            "matchers": read_matchers(values["matchers"]),
            "weekly": _weekly.decode(values["weekly"]),
            "also_critical": bool(values["also_critical"]),
        }
    )
