"""Times of digests as a file sets them: for all of it, a rule, or a receiver, which has the last word."""

from typing import Any, Final
from zoneinfo import ZoneInfo

from msgspec import Struct

from faultwire_consumer.domain.policy.table import Table
from faultwire_consumer.domain.schedule import Schedule

WEEKDAYS: Final = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")


class DigestTime(Struct, frozen=True, kw_only=True):
    """An hour, a weekday (0 is Monday) and a zone; None for what is set elsewhere."""

    hour: int | None = None
    weekday: int | None = None
    zone: ZoneInfo | None = None

    def over(self, other: "DigestTime") -> "DigestTime":
        """Return these settings, with the other's for those that are not given."""
        return DigestTime(
            hour=other.hour if self.hour is None else self.hour,
            weekday=other.weekday if self.weekday is None else self.weekday,
            zone=other.zone if self.zone is None else self.zone,
        )

    def daily(self) -> Schedule:
        """Return the times of a daily digest; 09:00 UTC unless said."""
        return Schedule(9 if self.hour is None else self.hour, self.zone or ZoneInfo("UTC"))

    def weekly(self) -> Schedule:
        """Return the times of a weekly digest; on Mondays unless said."""
        daily = self.daily()
        return Schedule(daily.hour, daily.zone, self.weekday or 0)


def read_digest_time(table: Table) -> DigestTime:
    """Read what a table says of digests.

    Raises:
        PolicyError: something of it is not valid.
    """
    weekday = table.choice("digest_weekday", WEEKDAYS, "")
    return DigestTime(
        hour=table.read("digest_hour", _hour, None),
        weekday=WEEKDAYS.index(weekday) if weekday else None,
        zone=table.read("digest_zone", read_zone, None),
    )


def read_zone(value: Any) -> ZoneInfo:
    """Convert a value to a zone.

    Raises:
        ValueError: it names none; the text says what would be right.
    """
    try:
        return ZoneInfo(value)
    except (ValueError, OSError, TypeError, KeyError):
        raise ValueError('a zone of the IANA database, as in "Europe/Berlin"') from None


def _hour(value: Any) -> int:
    if type(value) is not int or not 0 <= value <= 23:
        raise ValueError("an hour from 0 to 23")
    return value
