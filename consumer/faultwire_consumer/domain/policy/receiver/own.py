"""Settings of a receiver of any type: the times of its digests, its quiet hours, and whose it is."""

from collections.abc import Iterator
from itertools import chain
from typing import Any, Final

from msgspec import Struct

from faultwire_consumer.domain.policy.digest_time import DigestTime, read_digest_time, read_zone
from faultwire_consumer.domain.policy.table import Table, WrongPartError
from faultwire_consumer.domain.silence.weekly import WEEK, WeeklyWindow
from faultwire_consumer.domain.silence.window_text import parse_window

WINDOWS_MAX: Final = 20
OWNERS_MAX: Final = 100
_WHOLE_DAY: Final = "00:00-00:00"
_WEEK_MINUTES: Final = 7 * 24 * 60


class OwnSettings(Struct, frozen=True, kw_only=True):
    """Settings that differ from one receiver to the next, whatever their rules say."""

    digest: DigestTime = DigestTime()
    """Overrides the rule's and the file's."""
    quiet: tuple[WeeklyWindow, ...] = ()
    """Times in which nothing but what is critical is sent."""
    owners: tuple[str, ...] = ()
    """The people and teams whose receiver it is, as patterns of the names that incidents are assigned to."""


def read_own(table: Table, file: DigestTime) -> OwnSettings:
    """Read what any receiver may say.

    Args:
        table: the receiver's.
        file: the times of the whole file, whose zone holds unless the receiver says another.

    Raises:
        PolicyError: something of it is not valid.
    """
    digest = read_digest_time(table)
    zone = table.read("quiet_zone", read_zone, None)
    none: tuple[WeeklyWindow, ...] = ()
    quiet = table.read("quiet_hours", lambda value: _windows(value, _key_of(zone, digest, file)), none)
    if zone is not None and not quiet:
        raise table.error("quiet_zone", "quiet_zone needs quiet_hours = next to it")
    owners = table.texts("owners")
    if len(owners) > OWNERS_MAX:
        raise table.error(
            "owners", f"owners are {OWNERS_MAX} at most; a pattern such as team-* stands for many"
        )
    return OwnSettings(digest=digest, quiet=quiet, owners=owners)


def _key_of(zone: Any, digest: DigestTime, file: DigestTime) -> str:
    for one in (zone, digest.zone, file.zone):
        if one is not None:
            return str(one.key)
    return "UTC"


def _windows(value: Any, zone: str) -> tuple[WeeklyWindow, ...]:
    texts = value if isinstance(value, list) else [value]
    if not texts or len(texts) > WINDOWS_MAX or not all(isinstance(one, str) for one in texts):
        raise ValueError(f'a list of 1 to {WINDOWS_MAX} windows, as in ["mon-fri 22:00-07:00", "sat-sun"]')
    windows = tuple(_window(one, zone) for one in texts)
    if len(set(chain.from_iterable(map(_minutes, windows)))) >= _WEEK_MINUTES:
        raise ValueError(
            "a time that leaves some of the week: nothing but what is critical would ever be sent"
        )
    return windows


def _window(text: str, zone: str) -> WeeklyWindow:
    words = text.split()
    if len(words) == 1:
        words.append(_WHOLE_DAY)
    if len(words) != 2:
        raise WrongPartError(text, 'as "mon-fri 22:00-07:00" or "sat-sun"; a zone is said by quiet_zone =')
    try:
        return parse_window(" ".join((*words, zone)))
    except ValueError as error:
        raise WrongPartError(text, f"a time of the week: {error}") from None


def _minutes(window: WeeklyWindow) -> Iterator[int]:
    """Yield the minutes of the week that a window covers, by the clock on the wall."""
    start, end = (int(clock[:2]) * 60 + int(clock[3:]) for clock in (window.start, window.end))
    length = (end - start) % (24 * 60) or 24 * 60
    for number, day in enumerate(WEEK):
        if not window.weekdays or day in window.weekdays:
            first = number * 24 * 60 + start
            yield from ((first + minute) % _WEEK_MINUTES for minute in range(length))
