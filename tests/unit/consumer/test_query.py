from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from faultwire_consumer.domain.incident import Status
from faultwire_consumer.domain.query.query import (
    INCIDENT_MOMENTS,
    LIKE,
    MOMENTS,
    Day,
    Key,
    Pattern,
    Query,
    Term,
    Trait,
    merge_terms,
    print_query,
)
from faultwire_consumer.domain.query.text import QUERY_CHARACTERS, QueryError, parse_query
from faultwire_consumer.domain.search_text import SEARCH_CHARACTERS, fold, is_long_enough, search_text
from faultwire_shared.event import Category, ErrorSeverity

HIGH, CRITICAL = ErrorSeverity.HIGH, ErrorSeverity.CRITICAL

characters = st.characters(exclude_categories=["Cc", "Cs"])
texts = st.text(characters, min_size=1, max_size=20)
searched = texts.filter(is_long_enough)
moments = st.one_of(
    st.integers(0, 36500 * 86400).map(lambda seconds: timedelta(seconds=seconds)),
    st.datetimes(timezones=st.just(UTC)),
    st.sampled_from(Day),
)
patterns = st.text("ab.-_%[]?\\é", max_size=5).flatmap(
    lambda before: st.text('cd"%_', max_size=5).map(lambda after: Pattern(f"{before}*{after}"))
)
values: dict[Key, st.SearchStrategy[Any]] = {
    Key.SEVERITY: st.sampled_from(ErrorSeverity),
    Key.STATUS: st.sampled_from(Status),
    Key.CATEGORY: st.sampled_from(Category),
    Key.INCIDENT: st.integers(1, 2**63 - 1),
    Key.IS: st.sampled_from(Trait),
    Key.TRACE: st.one_of(st.text("0123456789abcdef", min_size=1, max_size=32), patterns),
} | {key: st.one_of(texts, patterns) for key in LIKE if key is not Key.TRACE}


@st.composite
def terms(draw: st.DrawFn) -> Term:
    key = draw(st.sampled_from(Key))
    if key is Key.TEXT:
        return Term(key, (draw(searched),), draw(st.booleans()))
    if key in MOMENTS:
        return Term(key, (draw(moments),))
    if key in INCIDENT_MOMENTS:
        return Term(key, (draw(moments),), draw(st.booleans()))
    name = draw(st.text("abC_.-9", min_size=1, max_size=8)) if key is Key.TAG else ""
    of_key = tuple(draw(st.lists(values[key], min_size=1, max_size=3)))
    return Term(key, of_key, draw(st.booleans()), name)


def parsed(text: str) -> list[tuple[str, tuple[Any, ...], bool]]:
    return [(term.key.value, term.values, term.negated) for term in parse_query(text).terms]


@given(st.one_of(st.text(), st.text(alphabet='"\\:,-<>= \n\x00\ud800severityINC1é', max_size=40)))
def test_any_text_is_a_query_or_an_error_that_points_into_it(text: str) -> None:
    try:
        query = parse_query(text)
    except QueryError as error:
        told = error
    else:
        printed = print_query(query)  # escapes and quotes may make it longer than a query may be
        assert len(printed) > QUERY_CHARACTERS or parse_query(printed) == query
        return
    assert 1 <= told.column <= len(text)
    assert 1 <= told.length <= len(text) - told.column + 1
    assert told.message
    assert "\n" not in told.message


@given(st.lists(terms(), max_size=6).map(merge_terms))
def test_a_printed_query_says_the_same(query: Query) -> None:
    text = print_query(query)
    if len(text) <= QUERY_CHARACTERS:
        assert parse_query(text) == query


def test_the_example_means_what_it_says() -> None:
    text = 'severity:high service:api release:1.2 -code:TIMEOUT "timed out" since:24h'
    assert parsed(text) == [
        ("severity", (HIGH,), False),
        ("service", ("api",), False),
        ("release", ("1.2",), False),
        ("code", ("TIMEOUT",), True),
        ("text", ("timed out",), False),
        ("since", (timedelta(hours=24),), False),
    ]


@pytest.mark.parametrize(
    ("text", "meaning"),
    [
        ("", []),
        (" \n ", []),
        ("severity:high,critical", [("severity", (HIGH, CRITICAL), False)]),
        ("severity:high severity:critical", [("severity", (HIGH, CRITICAL), False)]),
        ("severity:>=high", [("severity", (HIGH, CRITICAL), False)]),
        ("severity:>high", [("severity", (CRITICAL,), False)]),
        ("Severity:HIGH", [("severity", (HIGH,), False)]),
        ("status:open,acknowledged", [("status", (Status.OPEN, Status.ACKNOWLEDGED), False)]),
        ("is:unresolved,new", [("is", (Trait.UNRESOLVED, Trait.NEW), False)]),
        ("is:Worse", [("is", (Trait.WORSE,), False)]),
        ("service:svc-*,api", [("service", (Pattern("svc-*"), "api"), False)]),
        ('service:"svc-*"', [("service", ("svc-*",), False)]),
        ("user:ada**", [("user", (Pattern("ada*"),), False)]),
        ("trace:8FA6", [("trace", ("8fa6",), False)]),
        ("-type:OSError host:web-3", [("type", ("OSError",), True), ("host", ("web-3",), False)]),
        ("new:24h", [("first", (timedelta(hours=24),), False)]),
        ("-last:7d", [("last", (timedelta(days=7),), True)]),
        ("since:Yesterday", [("since", (Day.YESTERDAY,), False)]),
        ("regressed:monday", [("regressed", (Day.MONDAY,), False)]),
        ("env:eu", [("environment", ("eu",), False)]),
        ('service:"my app",api', [("service", ("my app", "api"), False)]),
        ('service:a"b', [("service", ('a"b',), False)]),
        ("incident:INC-12,7", [("incident", (12, 7), False)]),
        ("-service:a service:b", [("service", ("a",), True), ("service", ("b",), False)]),
        ('-"a \\"b\\" \\\\c"', [("text", ('a "b" \\c',), True)]),
        ('"http://x"', [("text", ("http://x",), False)]),
        ("12:30", [("text", ("12:30",), False)]),
        ("naïve straße", [("text", ("naïve",), False), ("text", ("straße",), False)]),
        ("aß", [("text", ("aß",), False)]),
        ("since:2026-11-23", [("since", (datetime(2026, 11, 23, tzinfo=UTC),), False)]),
        ("since:2026-11-23T10:00:00+02:00", [("since", (datetime(2026, 11, 23, 8, tzinfo=UTC),), False)]),
    ],
)
def test_what_can_be_written(text: str, meaning: list[Any]) -> None:
    assert parsed(text) == meaning


@pytest.mark.parametrize(
    ("text", "marked", "told"),
    [
        ("severty:high", "severty", "did you mean severity?"),
        ("service:api colour:red", "colour", "the keys are severity, status, is, service"),
        ("severity:hihg", "hihg", "low, medium, high or critical; did you mean high?"),
        ("severity:>critical", ">critical", "no severity is > critical"),
        ("is:opened", "opened", "did you mean open?"),
        ("is:unresolvd", "unresolvd", "did you mean unresolved?"),
        ("is:regresed", "regresed", "did you mean regressed?"),
        ("first:1h,2h", "2h", "takes one time"),
        ("category:sytem", "sytem", "did you mean system?"),
        ("incident:INC-", "INC-", "INC-12"),
        ("incident:0", "0", "INC-12"),
        ("since:soon", "soon", "write 2h, 7d"),
        ("since:99999999w", "99999999w", "at most 36500d"),
        ("since:1h,2h", "2h", "takes one time"),
        ("x service:", "x", "at least 3 characters"),
        ("service:", "service:", "a value is missing after service:"),
        ("service:a,,b", "service:a,", "a value is missing"),
        ("service:a, b", "service:a,", "a value is missing"),
        ("abc -since:1h", "-since", "write until:"),
        ("tag:eu", "tag", "tag.region:eu"),
        ("tags.region:eu", "tags.region", "tag.region:eu"),
        ("usr:7", "usr", "did you mean user?"),
        ("http://x", "http", "put it in quotes"),
        ("abc -", "-", "follows the minus"),
        ('abc "de', '"', "never closed"),
        ('"abc"de', "d", "a space is missing"),
        ('"abc" ""', '""', "between the quotes"),
        ("abc ab", "ab", "at least 3 characters"),
        ("abc a\x00b", "\x00", "cannot be printed"),
        ("abc " * 51, "abc", "at most 50 terms"),
        (f"service:{'x' * 201}", "x" * 201, "at most 200"),
        ("x" * 1001, "x", "at most 1000"),
    ],
)
def test_what_is_wrong_is_told_with_its_place(text: str, marked: str, told: str) -> None:
    with pytest.raises(QueryError) as caught:
        parse_query(text)
    error = caught.value
    assert text[error.column - 1 :][: error.length] == marked
    assert told in error.message


def test_terms_of_one_tag_are_one_and_of_two_tags_two() -> None:
    query = parse_query("tag.Region:eu TAG.Region:us tag.plan:free")
    assert [(term.name, term.values) for term in query.terms] == [
        ("Region", ("eu", "us")),
        ("plan", ("free",)),
    ]
    assert print_query(query) == 'tag.Region:"eu","us" tag.plan:"free"'


def test_both_queries_hold_where_two_are_added() -> None:
    both = parse_query("service:a") + parse_query("service:b")
    assert [term.values for term in both.of(Key.SERVICE)] == [("a",), ("b",)]


def test_a_searched_text_is_folded_cut_and_a_line_each() -> None:
    assert search_text(["Straße", "", "B\x00b"], {"Region": "EU", "n": 1, "ok": True, "no": None}) == (
        "strasse\nb\ufffdb\nregion:eu\nn:1\nok:true\nno:null"
    )
    assert len(search_text(["ß" * 5000], {})) == SEARCH_CHARACTERS


def test_what_looks_alike_is_one_text() -> None:
    assert fold("Lo\u0308ffel") == fold("LÖFFEL") == "löffel"
    assert fold("İstanbul") == fold("ISTANBUL") == "istanbul"
    assert fold("\uff25\uff32\uff32\uff2f\uff32\u3000\uff14\uff12") == "error 42"
    assert fold("Löffel") != fold("Loffel")


def test_a_word_of_two_ideographs_is_long_enough() -> None:
    assert parsed("決済") == [("text", ("決済",), False)]
    assert not is_long_enough("決")
    assert not is_long_enough("ab")
    assert not is_long_enough("ae\u0301"), "two letters, however they are written"
