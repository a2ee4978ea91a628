import unicodedata
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from faultwire_consumer.cli.table import GAP, Breadth, cut, lay_out, pad, width_of
from faultwire_consumer.cli.unit import spell_age
from faultwire_shared.text import printable

NOW = datetime(2026, 11, 29, 12, tzinfo=UTC)
texts = st.text(max_size=60).map(printable)
breadths = st.lists(
    st.tuples(st.integers(1, 60), st.integers(1, 60)).map(lambda pair: Breadth(max(pair), min(pair))),
    min_size=1,
    max_size=9,
)


@given(texts, st.integers(1, 80))
def test_a_cut_text_fits_and_begins_like_the_whole(text: str, width: int) -> None:
    short = cut(text, width)
    assert width_of(short) <= width
    assert short == text or (short.endswith("…") and text.startswith(short[:-1]))


@given(texts, st.integers(0, 80))
def test_a_padded_text_fills_its_column(text: str, width: int) -> None:
    for to_the_right in (False, True):
        assert width_of(pad(text, width, to_the_right=to_the_right)) == max(width, width_of(text))


@given(texts)
def test_no_text_is_thought_narrower_than_unicode_says(text: str) -> None:
    wide = sum(unicodedata.east_asian_width(character) in "WF" for character in text)
    zero = sum(unicodedata.category(character) in ("Mn", "Me", "Mc", "Lo") for character in text)
    assert width_of(text) >= len(text) + wide - zero


def test_marks_without_a_width_are_bounded_too() -> None:
    assert len(cut("e" + "\u0301" * 5_000, 10)) == 40


@given(breadths, st.integers(1, 200))
def test_columns_fit_where_they_can_and_no_room_is_wasted(columns: list[Breadth], room: int) -> None:
    layout = lay_out(columns, room=room, spare=range(len(columns) - 1, 0, -1))
    assert sorted([*layout.widths, *layout.hidden]) == list(range(len(columns)))
    for place, width in layout.widths.items():
        assert columns[place].least <= width <= columns[place].natural
    taken = sum(layout.widths.values()) + GAP * (len(layout.widths) - 1)
    assert taken <= room or list(layout.widths) == [0]
    if any(width < columns[place].natural for place, width in layout.widths.items()) and taken <= room:
        assert taken == room


def test_the_least_important_column_falls_away_first() -> None:
    columns = [Breadth(10, 10)] * 4
    assert lay_out(columns, room=34, spare=(2, 1)).hidden == (2,)
    assert lay_out(columns, room=33, spare=(2, 1)).hidden == (1, 2)
    assert lay_out(columns, room=5, spare=(2, 1)).hidden == (1, 2)


@pytest.mark.parametrize(
    ("ago", "told"),
    [
        (timedelta(seconds=0), "0 s"),
        (timedelta(seconds=59), "59 s"),
        (timedelta(minutes=3, seconds=20), "3 min"),
        (timedelta(hours=23, minutes=59), "23 h"),
        (timedelta(days=99), "99 d"),
        (timedelta(days=100), "2026-08-21"),
        (-timedelta(minutes=4, seconds=1), "in 4 min"),
    ],
)
def test_an_age_is_told_in_one_unit(ago: timedelta, told: str) -> None:
    assert spell_age(NOW - ago, NOW) == told
