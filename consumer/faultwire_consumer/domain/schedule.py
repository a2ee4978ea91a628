"""Due times of digests: an hour of the wall clock in a zone, each day or on one day of the week."""

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

from msgspec import Struct


class Schedule(Struct, frozen=True):
    """``hour`` o'clock in ``zone``; only on ``weekday`` (0 is Monday) if one is given.

    An hour that the change to summer time skips is taken an hour later by the clock, so the
    digest still comes; an hour that occurs twice in autumn counts the first time.
    """

    hour: int
    zone: ZoneInfo
    weekday: int | None = None

    def next_after(self, moment: datetime) -> datetime:
        """Return the first due time after the moment, in UTC."""
        return next(due for due in self._dues(moment, step=1) if due > moment)

    def last_until(self, moment: datetime) -> datetime:
        """Return the last due time that is not after the moment, in UTC."""
        return next(due for due in self._dues(moment, step=-1) if due <= moment)

    def _dues(self, moment: datetime, *, step: int) -> "list[datetime]":
        """Return the due times around a moment, in the direction of the step; one day more than is needed."""
        today = moment.astimezone(self.zone).date() - timedelta(days=step)
        days = (today + timedelta(days=step * distance) for distance in range(11))
        return [
            datetime.combine(day, time(self.hour), self.zone).astimezone(UTC)
            for day in days
            if self.weekday is None or day.weekday() == self.weekday
        ]
