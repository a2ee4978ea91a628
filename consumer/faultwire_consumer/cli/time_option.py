"""Times and durations of options, as the API takes them."""

from datetime import datetime, timedelta

from faultwire_consumer.cli.failure import USAGE, CommandError
from faultwire_consumer.domain.query.query import Day
from faultwire_consumer.domain.query.value import BadValueError, parse_moment


def moment_option(option: str, text: str | None) -> str | None:
    """Return a time as the API takes it; None where the option was not given.

    Raises:
        CommandError: it is not a time.
    """
    if text is None:
        return None
    moment = _read(option, text)
    if not isinstance(moment, datetime):
        raise CommandError(f"{option}: a time, as in 2026-11-23T10:00:00Z; --for takes {text}", USAGE)
    return moment.isoformat()


def seconds_option(option: str, text: str | None) -> int | None:
    """Return the seconds of a duration; None where the option was not given.

    Raises:
        CommandError: it is not a duration.
    """
    if text is None:
        return None
    length = _read(option, text)
    if not isinstance(length, timedelta):
        raise CommandError(f"{option}: a duration, as in 2h or 7d", USAGE)
    return length // timedelta(seconds=1)


def _read(option: str, text: str) -> datetime | timedelta | Day:
    try:
        return parse_moment(text)
    except BadValueError as error:
        raise CommandError(f"{option}: {error}", USAGE) from None
