"""Counts of values: of which releases, hosts, environments and tags events are, within bounds."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Final

from msgspec import Struct

from faultwire_consumer.domain.figures.tally import CountSum, TallyEntry, TallySum

RELEASE: Final = "release"
ENVIRONMENT: Final = "environment"
HOST: Final = "host"
TAG: Final = "tag."
"""Before the name of a tag, as the operators' language has it."""
OTHER: Final = ""
"""The value under which all beyond the bounds is counted; also the key, where there are too many keys."""

KEYS_MAX: Final = 24
VALUES_MAX: Final = 50
RELEASES_MAX: Final = 500
"""Values of one fingerprint that are counted by themselves: of a tag, host or environment; of releases."""


class ValueSpot(Struct, frozen=True, order=True):
    """A value of a key, among a fingerprint's events."""

    fingerprint: bytes
    key: str
    value: str


def spots_of(fold: TallySum) -> dict[ValueSpot, CountSum]:
    """Return what a fold adds to each value, before any bound."""
    spots: dict[ValueSpot, CountSum] = {}
    for mark, found in fold.marked():
        fingerprint = found.fingerprint
        for key, value in ((RELEASE, mark.release), (ENVIRONMENT, mark.environment), (HOST, mark.host)):
            if value:
                _add(spots, ValueSpot(fingerprint, key, value), found, 1)
        for key, value in mark.tags:
            _add(spots, ValueSpot(fingerprint, TAG + key, value), found, 1)
        if mark.tags_beyond:
            _add(spots, ValueSpot(fingerprint, OTHER, OTHER), found, mark.tags_beyond)
    return spots


def bound_spots(spots: Mapping[ValueSpot, CountSum], known: Iterable[ValueSpot]) -> dict[ValueSpot, CountSum]:
    """Return what a fold adds to each value, with what is beyond the bounds under `OTHER`.

    Values that have a count keep it; of the new ones those that occur most have theirs first.

    Args:
        spots: the additions.
        known: the values that the same fingerprints have counts of by now.
    """
    standing = set(known)
    values: dict[tuple[bytes, str], int] = {}
    keys: dict[bytes, set[str]] = {}
    for spot in standing:
        if spot.value != OTHER:
            values[spot.fingerprint, spot.key] = values.get((spot.fingerprint, spot.key), 0) + 1
            keys.setdefault(spot.fingerprint, {RELEASE, ENVIRONMENT, HOST}).add(spot.key)
    bounded: dict[ValueSpot, CountSum] = {}
    for spot, found in sorted(spots.items(), key=lambda item: (-item[1].count, item[0])):
        group = (spot.fingerprint, spot.key)
        its_keys = keys.setdefault(spot.fingerprint, {RELEASE, ENVIRONMENT, HOST})
        if spot in standing or spot.value == OTHER:
            target = spot
        elif spot.key not in its_keys and len(its_keys) >= KEYS_MAX:
            target = ValueSpot(spot.fingerprint, OTHER, OTHER)
        elif values.get(group, 0) >= (RELEASES_MAX if spot.key == RELEASE else VALUES_MAX):
            target = ValueSpot(spot.fingerprint, spot.key, OTHER)
        else:
            target = spot
            values[group] = values.get(group, 0) + 1
            its_keys.add(spot.key)
        _add(bounded, target, found, 1)
    return bounded


def _add(spots: dict[ValueSpot, CountSum], spot: ValueSpot, found: CountSum | TallyEntry, times: int) -> None:
    count = found.count * times
    if (known := spots.get(spot)) is None:
        spots[spot] = CountSum(found.first_at, found.last_at, count)
    else:
        known.add(found.first_at, found.last_at, count)


class ReleaseKey(Struct, frozen=True, order=True):
    """A release of a service."""

    service: str
    release: str


def releases_of(fold: TallySum) -> dict[ReleaseKey, CountSum]:
    """Return what a fold adds to each release of each service."""
    releases: dict[ReleaseKey, CountSum] = {}
    for mark, found in fold.marked():
        if mark.release:
            key = ReleaseKey(mark.service, mark.release)
            if (known := releases.get(key)) is None:
                releases[key] = CountSum(found.first_at, found.last_at, found.count)
            else:
                known.add(found.first_at, found.last_at, found.count)
    return releases


class ReleaseEnds(Struct):
    """The releases of a fingerprint's first and last events in a fold; empty where an event named none."""

    service: str
    first: str
    first_at: datetime
    last: str
    last_at: datetime


def ends_of(fold: TallySum) -> dict[bytes, ReleaseEnds]:
    """Return the releases with which each fingerprint's events in a fold begin and end."""
    ends: dict[bytes, ReleaseEnds] = {}
    for mark, found in fold.marked():
        fingerprint = found.fingerprint
        known = ends.get(fingerprint)
        if known is None:
            ends[fingerprint] = ReleaseEnds(
                mark.service, mark.release, found.first_at, mark.release, found.last_at
            )
            continue
        if found.first_at < known.first_at:
            known.service, known.first, known.first_at = mark.service, mark.release, found.first_at
        if found.last_at > known.last_at:
            known.last, known.last_at = mark.release, found.last_at
    return ends
