"""Figures of incidents: users within their error, values within their bounds, and the order of urgency."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import product
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from faultwire_consumer.domain.figures.sketch import (
    COUNT_MAX,
    EXACT_MAX,
    STANDARD_ERROR,
    UserCount,
    UserSketch,
    decode_sketch,
)
from faultwire_consumer.domain.figures.tally import (
    TAGS_MAX,
    VALUE_CHARACTERS,
    CountSum,
    add_tally,
    decode_tally,
    empty_fold,
    encode_tally,
    tally,
)
from faultwire_consumer.domain.figures.urgency import (
    GrowthRates,
    count_class,
    growth_of,
    is_new,
    urgency_of,
)
from faultwire_consumer.domain.figures.user import hash_user, user_key
from faultwire_consumer.domain.figures.value_count import (
    ENVIRONMENT,
    KEYS_MAX,
    OTHER,
    RELEASE,
    VALUES_MAX,
    ReleaseKey,
    ValueSpot,
    bound_spots,
    ends_of,
    releases_of,
    spots_of,
)
from faultwire_consumer.domain.incident import Status
from faultwire_consumer.store.contract.store import EventRow
from faultwire_shared.event import ErrorSeverity

NOW = datetime(2026, 11, 23, 12, 30, tzinfo=UTC)
KEY = b"k" * 16
SHARE_MAX = 5 * STANDARD_ERROR


def row(number: int = 1, *, at: datetime = NOW, **fields: Any) -> EventRow:
    values: dict[str, Any] = {
        "occurred_day": at.date(),
        "event_id": f"error_20261123_{number:012d}",
        "fingerprint": KEY,
        "occurred_at": at,
        "received_at": at,
        "severity": ErrorSeverity.HIGH,
        "service": "billing",
        "environment": "production",
        "release": "1.0",
        "count": 1,
        "producer_id": None,
        "sequence": None,
        "doc": b"{}",
    }
    return EventRow(**(values | fields))


def hashes(first: int, last: int) -> Iterator[bytes]:
    return (hash_user(str(number)) for number in range(first, last))


@pytest.mark.parametrize(
    ("user", "key"),
    [
        ({"id": "42", "email": "a@b.c"}, "42"),
        ({"id": 42}, "42"),
        ({"id": "", "email": "a@b.c", "username": "ann"}, "a@b.c"),
        ({"id": None, "username": "ann", "ip": "10.0.0.1"}, "ann"),
        ({"id": "[scrubbed]", "ip": "10.0.0.1"}, "10.0.0.1"),
        ({"ip_address": "10.0.0.1"}, "10.0.0.1"),
        ({"id": True}, None),
        ({"id": ["42"], "name": "Ann"}, None),
        ({}, None),
    ],
)
def test_a_user_is_known_by_the_first_of_id_email_name_and_address(
    user: dict[str, object], key: str | None
) -> None:
    assert user_key(user) == key


def test_a_user_is_stored_as_a_hash_also_one_that_no_encoding_knows() -> None:
    assert len(hash_user("ann@example.com")) == len(hash_user("\udcff")) == 8
    assert b"ann" not in UserSketch().add([hash_user("ann@example.com")]).encode()


@given(st.lists(st.integers(0, 1200), max_size=1500))
@example(list(range(EXACT_MAX)))
def test_up_to_the_bound_users_are_counted_exactly(numbers: list[int]) -> None:
    sketch = UserSketch().add(hash_user(str(number)) for number in numbers)
    if len(set(numbers)) <= EXACT_MAX:
        assert sketch.size == UserCount(len(set(numbers)), exact=True)
    else:
        assert not sketch.size.exact


@given(st.integers(EXACT_MAX + 1, 60_000), st.integers(0, 10**9))
@example(EXACT_MAX + 1, 0)
@example(10_000, 7)
@example(60_000, 3)
def test_beyond_it_the_estimate_is_within_five_standard_errors(number: int, first: int) -> None:
    size = UserSketch().add(hashes(first, first + number)).size
    assert not size.exact
    assert abs(size.count - number) <= SHARE_MAX * number


_SETS = st.lists(st.sampled_from([0, 1, 500, 900, 1500, 5000]), min_size=2, max_size=3)


@given(_SETS, st.integers(0, 2000))
def test_a_union_is_the_same_set_in_whatever_order_and_however_it_was_kept(
    sizes: list[int], step: int
) -> None:
    parts = [range(place * step, place * step + size) for place, size in enumerate(sizes)]
    sketches = [UserSketch().add(map(hash_user, map(str, part))) for part in parts]
    at_once = UserSketch().add(hash_user(str(number)) for part in parts for number in part)
    forwards, backwards = UserSketch(), UserSketch()
    for sketch in sketches:
        forwards = forwards.union(decode_sketch(sketch.encode()))
    for sketch in reversed(sketches):
        backwards = sketch.union(backwards)
    assert forwards == backwards == at_once
    assert decode_sketch(at_once.encode()) == at_once


def test_who_brings_nobody_new_gets_the_very_same_set() -> None:
    for size in (10, 5000):
        sketch = UserSketch().add(hashes(0, size))
        assert sketch.add(hashes(0, size)) is sketch


@pytest.mark.parametrize("rank", [0, 1, 40, 52, 53])
def test_users_that_were_chosen_by_their_hashes_count_within_bounds(rank: int) -> None:
    size = decode_sketch(b"\x01" + bytes([rank]) * 4096).size
    assert 0 <= size.count <= COUNT_MAX
    assert not size.exact


@pytest.mark.parametrize("stored", [b"", b"\x00abc", b"\x01abc", b"\x02" + bytes(4096)])
def test_a_set_in_another_form_is_refused(stored: bytes) -> None:
    with pytest.raises(ValueError, match="a form that this version does not know"):
        decode_sketch(stored)


def test_a_flood_of_one_bug_is_one_entry_and_events_of_other_users_are_no_more_of_them() -> None:
    flood = tally([row(number, user="42", host="web-1", tags={"region": "eu"}) for number in range(500)])
    assert [(one.count, one.fingerprint) for group in flood.groups for one in group.entries] == [(500, KEY)]
    crowd = tally([row(number, user=str(number)) for number in range(500)])
    assert [len(group.entries) for group in crowd.groups] == [1]
    assert len(crowd.users[KEY]) == 500 * 8
    assert len(encode_tally(flood)) < 200


def test_an_entry_is_of_one_hour_and_knows_its_first_and_last_error() -> None:
    late = NOW - timedelta(hours=1)
    found = tally(
        [row(1), row(2, at=late, count=40, last_at=late + timedelta(minutes=5)), row(3, at=late), row(4)]
    )
    entries = [(group.hour, entry) for group in found.groups for entry in group.entries]
    assert [(hour.hour, entry.first_at, entry.last_at, entry.count) for hour, entry in entries] == [
        (12, NOW, NOW, 2),
        (11, late, late + timedelta(minutes=5), 41),
    ]


_ROWS = st.builds(
    lambda number, minutes, fields: row(number, at=NOW - timedelta(minutes=minutes), **fields),
    st.integers(0, 10**6),
    st.integers(0, 300),
    st.fixed_dictionaries(
        {},
        optional={
            "fingerprint": st.sampled_from([b"a" * 16, b"b" * 16]),
            "release": st.sampled_from([None, "1.0", "1.1"]),
            "host": st.sampled_from([None, "", "web-1", "\x00"]),
            "user": st.sampled_from([None, "1", "2"]),
            "count": st.integers(1, 50),
            "tags": st.dictionaries(
                st.sampled_from(["region", "plan", ""]),
                st.one_of(st.text(max_size=3), st.integers(), st.booleans(), st.none()),
            ),
        },
    ),
)


@given(st.lists(_ROWS, max_size=30), st.integers(1, 30))
def test_batches_add_up_to_the_same_however_the_events_are_cut_into_them(
    rows: list[EventRow], size: int
) -> None:
    whole, parts = empty_fold(), empty_fold()
    add_tally(whole, tally(rows))
    for start in range(0, len(rows), size):
        add_tally(parts, decode_tally(encode_tally(tally(rows[start : start + size]))))
    assert spots_of(whole) == spots_of(parts)
    assert whole.totals == parts.totals
    assert whole.users == parts.users
    assert sum(whole.totals.values()) == sum(one.count for one in rows)
    in_production = [found.count for spot, found in spots_of(whole).items() if spot.key == ENVIRONMENT]
    assert sum(in_production) == sum(one.count for one in rows)
    assert all("\x00" not in spot.value for spot in spots_of(whole))


def test_what_strangers_write_is_cut_and_what_is_too_much_is_counted_as_other() -> None:
    tags = {f"tag-{number:02d}": "x" for number in range(TAGS_MAX + 5)}
    fold = empty_fold()
    add_tally(fold, tally([row(count=3, host="h" * 9999, tags=tags)]))
    spots = spots_of(fold)
    assert spots[ValueSpot(KEY, OTHER, OTHER)].count == 15
    assert max(len(spot.value) for spot in spots) == VALUE_CHARACTERS
    assert sum(spot.key.startswith("tag.") for spot in spots) == TAGS_MAX


def test_a_value_beyond_the_bound_is_counted_as_other_and_a_known_one_never() -> None:
    at = CountSum(NOW, NOW, 1)
    known = [ValueSpot(KEY, "tag.order", str(number)) for number in range(VALUES_MAX)]
    new = {
        ValueSpot(KEY, "tag.order", "new"): at,
        known[3]: CountSum(NOW, NOW, 7),
        ValueSpot(KEY, RELEASE, "2.0"): at,
    }
    assert bound_spots(new, known) == {
        known[3]: CountSum(NOW, NOW, 7),
        ValueSpot(KEY, "tag.order", OTHER): at,
        ValueSpot(KEY, RELEASE, "2.0"): at,
    }


def test_of_too_many_new_values_those_that_occur_most_are_counted() -> None:
    new = {ValueSpot(KEY, "tag.order", str(n)): CountSum(NOW, NOW, n) for n in range(1, VALUES_MAX + 11)}
    bounded = bound_spots(new, [])
    assert bounded[ValueSpot(KEY, "tag.order", OTHER)].count == sum(range(1, 11))
    assert ValueSpot(KEY, "tag.order", "11") in bounded


def test_a_key_beyond_the_bound_is_counted_under_no_key() -> None:
    known = [ValueSpot(KEY, f"tag.{number}", "x") for number in range(KEYS_MAX - 3)]
    new = {
        ValueSpot(KEY, "tag.more", "x"): CountSum(NOW, NOW, 2),
        ValueSpot(KEY, ENVIRONMENT, "x"): CountSum(NOW, NOW, 2),
    }
    assert set(bound_spots(new, known)) == {ValueSpot(KEY, OTHER, OTHER), ValueSpot(KEY, ENVIRONMENT, "x")}


def test_releases_are_counted_by_service_and_a_fold_knows_with_which_it_begins_and_ends() -> None:
    fold = empty_fold()
    late = NOW - timedelta(hours=3)
    add_tally(
        fold, tally([row(1, release="1.1"), row(2, release="1.0", at=late, count=2), row(3, release=None)])
    )
    releases = releases_of(fold)
    assert {key: found.count for key, found in releases.items()} == {
        ReleaseKey("billing", "1.0"): 2,
        ReleaseKey("billing", "1.1"): 1,
    }
    ends = ends_of(fold)[KEY]
    assert (ends.first, ends.last) == ("1.0", "1.1")


def test_growth_compares_two_hours_with_the_day_before_them() -> None:
    old = NOW - timedelta(days=10)
    steady = growth_of(GrowthRates(15, 239), began_at=old, now=NOW)
    assert steady == 100  # ten an hour, in one hour and a half as in each of the 24 before
    assert growth_of(GrowthRates(150, 239), began_at=old, now=NOW) == 1000
    assert growth_of(GrowthRates(9, 0), began_at=old, now=NOW) == 0, "too few to say anything"
    assert growth_of(GrowthRates(500, 0), began_at=NOW - timedelta(minutes=20), now=NOW) == 0, (
        "it has no past"
    )
    assert growth_of(GrowthRates(10**12, 0), began_at=old, now=NOW) == 1_000_000


def test_an_incident_is_new_for_a_day() -> None:
    assert is_new(NOW - timedelta(hours=23), now=NOW)
    assert not is_new(NOW - timedelta(hours=24), now=NOW)


@given(st.lists(st.integers(1, 2**62), min_size=2))
def test_classes_of_counts_rise_with_the_counts(counts: list[int]) -> None:
    counts.sort()
    classes = [count_class(count) for count in counts]
    assert classes == sorted(classes)
    assert max(classes) < 2**15
    assert all(count_class(count) == count for count in range(16))


def test_what_wants_somebody_most_comes_first() -> None:
    def urgency(status: Status = Status.OPEN, severity: int = 2, **fields: Any) -> int:
        return urgency_of(
            status, severity=severity, **({"episode": 1, "growth": 0, "is_new": False} | fields)
        )

    order = [
        urgency(severity=4),
        urgency(episode=2, severity=3),
        urgency(episode=2),
        urgency(growth=200, severity=1, is_new=True),
        urgency(growth=200, severity=1),
        urgency(is_new=True),
        urgency(severity=3, growth=199),
        urgency(severity=1),
        urgency(Status.ACKNOWLEDGED, severity=4, growth=900),
        urgency(Status.ACKNOWLEDGED, severity=1),
        urgency(Status.RESOLVED, severity=4, episode=3, is_new=True),
    ]
    assert order == sorted(order, reverse=True)
    assert len(set(order)) == len(order)
    every = product(Status, (1, 2, 3, 4), (1, 2), (0, 500), (False, True))
    assert all(
        0 <= urgency_of(status, severity=s, episode=e, growth=g, is_new=n) < 2**15
        for status, s, e, g, n in every
    )
