"""The order of releases, as a pure function."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from faultwire_consumer.domain.release_order import compare_releases, newest_release, version_key

START = datetime(2026, 11, 1, tzinfo=UTC)

numbers = st.lists(st.integers(0, 10**6), min_size=1, max_size=5)
words = st.lists(
    st.one_of(st.integers(0, 99).map(str), st.sampled_from(["alpha", "beta", "rc"])), min_size=1, max_size=3
)


@st.composite
def versions(draw: st.DrawFn) -> str:
    text = ".".join(map(str, draw(numbers)))
    ahead = draw(st.one_of(st.none(), words))
    lead = draw(st.sampled_from(["", "v", "billing@", "billing@v"]))
    return f"{lead}{text}{'-' + '.'.join(ahead) if ahead else ''}{draw(st.sampled_from(['', '+build.7']))}"


names = st.text("abcdef0123456789xyz", min_size=1, max_size=12).filter(lambda text: version_key(text) is None)
sights = st.dictionaries(
    st.one_of(versions(), names),
    st.integers(0, 100).map(lambda days: START + timedelta(days=days)),
    max_size=8,
)


@pytest.mark.parametrize(
    ("older", "newer"),
    [
        ("1.9.0", "1.10.0"),
        ("v1.2.3", "1.2.4"),
        ("shop@1.9.0+build9", "shop@1.10.0+build1"),
        ("@acme/shop@1.9.0+7", "shop@1.9.1"),
        ("billing@2.0", "billing@2.0.1"),
        ("2.4.2-rc.1", "2.4.2"),
        ("2.4.2-alpha", "2.4.2-alpha.1"),
        ("2.4.2-alpha.1", "2.4.2-alpha.beta"),
        ("2.4.2-beta.2", "2.4.2-beta.11"),
        ("2026.9.30", "2026.11.23"),
        ("41", "42"),
    ],
)
def test_versions_are_ordered_by_their_parts_whenever_they_were_seen(older: str, newer: str) -> None:
    seen = {older: START + timedelta(days=9), newer: START}
    assert compare_releases(older, newer, seen) < 0 < compare_releases(newer, older, seen)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        *(("1.2", "1.2.0"), ("v1.2", "1.2"), ("1.2+a", "1.2+b"), ("a", "a")),
        *(("shop@1.4.2+build5", "1.4.2"), ("@acme/shop@1.4.2", "shop@1.4.2+build6")),
    ],
)
def test_two_spellings_of_one_version_are_the_same(one: str, other: str) -> None:
    assert compare_releases(one, other, {}) == 0


def test_other_names_are_ordered_by_their_first_sight_and_what_was_never_seen_is_the_newest() -> None:
    seen = {"fe12ab9": START, "0c77de1": START + timedelta(days=1), "3.0": START + timedelta(days=2)}
    assert compare_releases("fe12ab9", "0c77de1", seen) < 0
    assert compare_releases("3.0", "fe12ab9", seen) > 0
    assert compare_releases("never", "0c77de1", seen) > 0
    assert compare_releases("never", "neither", seen) == 0


@given(st.one_of(versions(), names), st.one_of(versions(), names), sights)
def test_swapping_two_releases_swaps_the_answer(one: str, other: str, seen: dict[str, datetime]) -> None:
    assert compare_releases(one, other, seen) == -compare_releases(other, one, seen)
    assert compare_releases(one, one, seen) == 0


@given(versions(), versions(), versions())
def test_the_order_of_versions_has_no_circle(one: str, two: str, three: str) -> None:
    if compare_releases(one, two, {}) <= 0 and compare_releases(two, three, {}) <= 0:
        assert compare_releases(one, three, {}) <= 0


@given(names, names, names, sights)
def test_the_order_of_other_names_has_no_circle(
    one: str, two: str, three: str, seen: dict[str, datetime]
) -> None:
    if compare_releases(one, two, seen) <= 0 and compare_releases(two, three, seen) <= 0:
        assert compare_releases(one, three, seen) <= 0


@given(numbers, numbers)
def test_the_order_of_plain_versions_is_that_of_their_numbers(one: list[int], other: list[int]) -> None:
    width = max(len(one), len(other))
    padded = [[*part, *[0] * (width - len(part))] for part in (one, other)]
    expected = (padded[0] > padded[1]) - (padded[0] < padded[1])
    assert compare_releases(".".join(map(str, one)), ".".join(map(str, other)), {}) == expected


@given(st.text(max_size=300))
def test_no_text_of_anybody_s_breaks_it(text: str) -> None:
    assert compare_releases(text, "1.0", {}) in (-1, 0, 1)


@given(sights)
def test_the_newest_release_is_one_of_those_seen(seen: dict[str, datetime]) -> None:
    newest = newest_release(seen)
    assert (newest is None) == (not seen)
    if newest is not None:
        assert newest in seen
        last = max(seen, key=lambda name: (seen[name], name))
        if version_key(last) is None:
            assert newest == last
        else:
            assert all(compare_releases(name, newest, seen) <= 0 for name in seen if version_key(name))


def test_the_newest_release_is_the_highest_version_even_if_an_old_one_is_patched_later() -> None:
    seen = {"2.4.0": START, "2.5.0": START + timedelta(days=1), "2.4.1": START + timedelta(days=2)}
    assert newest_release(seen) == "2.5.0"
