"""``faultwire db size``: what the store takes, who fills it, and when its disk is full."""

import asyncio
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

from rich.console import Console

from faultwire_consumer.cli.failure import USAGE, CommandError, expected_failures
from faultwire_consumer.cli.option import SETTING, Flag, LocalOutput, Setting
from faultwire_consumer.cli.output import print_document, styled
from faultwire_consumer.cli.time_option import seconds_option
from faultwire_consumer.cli.unit import spell_bytes

if TYPE_CHECKING:
    from faultwire_consumer.domain.retention import Retention
    from faultwire_consumer.store.size import DatabaseGrowth

_DAY_SECONDS: Final = 86_400
_SERVICES: Final = 20
_TOO_FEW: Final = "too few events to say what one takes"
_TOO_YOUNG: Final = "events are counted for less than an hour: too little to say what a day brings"


def size(*, project: str = "90d", json: Flag = False, setting: Setting = SETTING) -> None:
    """Say what the store takes, which severities and services fill it, and where that leads.

    A day is the mean of the last seven, and an event takes what all of them take on average; retention is
    that of this configuration.

    Example: `faultwire db size --project 365d`

    Args:
        project: So far ahead, in whole days, as 90d.
        json: Print one JSON document.
    """
    days = _days_of(project)
    with expected_failures():
        loaded = setting.load(with_broker=False)
        from faultwire_consumer.store.size import read_growth  # noqa: PLC0415 - loads SQLAlchemy

        read = asyncio.run(read_growth(loaded.database_url, now=datetime.now(UTC)))
    print_document(_document(read, loaded.retention, days), LocalOutput(json=json), _show)


def _days_of(text: str) -> int:
    from faultwire_consumer.domain.figures.growth import AHEAD_DAYS  # noqa: PLC0415 - no help reads it

    days = (seconds_option("--project", text) or 0) // _DAY_SECONDS
    if not 1 <= days <= AHEAD_DAYS:
        raise CommandError(f"--project: from 1d to {AHEAD_DAYS}d, not {text}", USAGE)
    return days


def _document(read: "DatabaseGrowth", retention: "Retention", days: int) -> dict[str, Any]:
    from faultwire_consumer.domain.figures.growth import days_until_full, project  # noqa: PLC0415 - only here

    growth, free = read.growth, read.disk_free_bytes
    daily = growth.daily
    return {
        "bytes": growth.bytes,
        "events": sum(growth.kept.values()),
        "bytes_per_event": growth.event_bytes,
        "window_days": round(growth.window.total_seconds() / _DAY_SECONDS, 2),
        "events_per_day": None if daily is None else sum(daily.values()),
        "severities_per_day": daily,
        "services_per_day": None if daily is None else _by_day(read.services, growth.window.total_seconds()),
        "project_days": days,
        "projected_bytes": project(growth, retention, days),
        "disk_free_bytes": free,
        "days_until_full": None if free is None else days_until_full(growth, retention, free),
    }


def _by_day(services: Mapping[str, int], seconds: float) -> dict[str, float]:
    return {service: count * _DAY_SECONDS / seconds for service, count in services.items()}


def _show(document: Mapping[str, Any], console: Console) -> None:
    for line in _lines(document):
        console.print(styled(line), soft_wrap=True)


def _lines(document: Mapping[str, Any]) -> Iterator[str]:
    each = document["bytes_per_event"]
    told = _TOO_FEW if each is None else f"{spell_bytes(each)} an event"
    yield f"{spell_bytes(document['bytes'])}, {document['events']:,} events: {told}"
    if document["events_per_day"] is None:
        yield _TOO_YOUNG
        return
    yield from _daily_lines(document, each)
    if document["projected_bytes"] is not None:
        yield f"in {document['project_days']} days: {spell_bytes(document['projected_bytes'])}"
        yield from _disk_lines(document)


def _daily_lines(document: Mapping[str, Any], each: float | None) -> Iterator[str]:
    daily = document["events_per_day"]
    grown = "" if each is None else f", {spell_bytes(daily * each)}"
    yield f"a day, of the last {document['window_days']:g}: {daily:,.0f} events{grown}"
    rows = [(str(severity), count) for severity, count in document["severities_per_day"].items() if count]
    rows += islice(document["services_per_day"].items(), _SERVICES)
    wide = max((len(name) for name, _ in rows), default=0)
    yield from (f"  {name:{wide}}  {count:>10,.0f}" for name, count in rows)
    left = len(document["services_per_day"]) - _SERVICES
    if left > 0:
        yield f"  and {left:,} services more (--json has them)"


def _disk_lines(document: Mapping[str, Any]) -> Iterator[str]:
    if document["disk_free_bytes"] is not None:
        full = document["days_until_full"]
        when = "not filled within ten years" if full is None else f"full in {full:,} days"
        yield f"its disk has {spell_bytes(document['disk_free_bytes'])} free: {when}"
