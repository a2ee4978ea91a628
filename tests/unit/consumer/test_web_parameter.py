from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from faultwire_consumer.web.page.chart import draw_chart, first_step
from faultwire_consumer.web.page.incident.stack import view_chain
from faultwire_consumer.web.page.template import show_age, show_text
from faultwire_consumer.web.parameter import Parameters
from faultwire_shared.event import ExceptionInfo, Frame
from faultwire_shared.taxonomy import ValidationError

NOW = datetime(2026, 11, 23, 12, 30, tzinfo=UTC)


def test_everything_wrong_is_told_at_once() -> None:
    parameters = Parameters({"limit": ["0"], "since": ["soon"], "sinse": ["1h"]}, now=NOW)
    parameters.limit()
    parameters.moment("since")
    with pytest.raises(ValidationError) as caught:
        parameters.finish()
    assert [error.field for error in caught.value.errors] == ["limit", "since", "sinse"]
    assert "did you mean since?" in caught.value.errors[2].message


@given(st.text())
def test_shown_text_holds_nothing_that_steers(text: str) -> None:
    shown = show_text(text)
    assert all(character.isprintable() or character in "\n\t\u200c\u200d" for character in shown)


@pytest.mark.parametrize(
    ("seconds", "shown"), [(0, "0 s ago"), (61, "1 min ago"), (7200, "2 h ago"), (1e6, "11 d ago")]
)
def test_ages(seconds: float, shown: str) -> None:
    assert show_age(NOW - timedelta(seconds=seconds), NOW) == shown


def test_a_stack_begins_at_the_crash_and_folds_libraries() -> None:
    frames = [
        Frame(file="app.py", qualname="main", line=3, context=["main()"]),
        Frame(file="lib.py", qualname="call", line=9, in_app=False),
        Frame(file="lib.py", qualname="send", line=11, in_app=False),
    ]
    chain = [
        ExceptionInfo(type="Outer", module="shop", frames=frames),
        ExceptionInfo(type="OSError", module="builtins"),
    ]
    outer, cause = view_chain(chain)
    assert (outer.relation, outer.type) == ("Raised", "shop.Outer")
    assert (cause.relation, cause.type) == ("Caused by", "OSError")
    assert [(fold.folded, [frame.place for frame in fold.frames]) for fold in outer.folds] == [
        (True, ["lib.py:11", "lib.py:9"]),
        (False, ["app.py:3"]),
    ]
    assert outer.folds[1].frames[0].source[0].ran


def test_a_stack_of_libraries_alone_is_not_folded() -> None:
    (view,) = view_chain([ExceptionInfo(type="E", frames=[Frame(file="lib.py", in_app=False)])])
    assert [fold.folded for fold in view.folds] == [False]


def test_a_trend_shows_every_hour_that_had_any() -> None:
    hour = NOW.replace(minute=0)
    trend = draw_chart({hour: 1, hour - timedelta(hours=1): 1000, first_step(NOW, steps=24): 4}, now=NOW)
    assert (trend.total, trend.most, len(trend.bars)) == (1005, 1000, 24)
    assert [bar.height for bar in trend.bars if bar.count] == [3, 48, 3]
