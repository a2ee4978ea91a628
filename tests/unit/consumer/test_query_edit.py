from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.consumer.test_query import terms

from faultwire_consumer.domain.query.edit import (
    QueryPart,
    has_term,
    join_parts,
    parts_of,
    with_term,
    without_key,
    without_term,
    write_term,
)
from faultwire_consumer.domain.query.query import Key, Query, Term, Trait, any_of, merge_terms
from faultwire_consumer.domain.query.text import QueryError, parse_query
from faultwire_shared.event import ErrorSeverity


def term(text: str) -> Term:
    (only,) = parse_query(text).terms
    return only


@pytest.mark.parametrize(
    ("text", "added", "expected"),
    [
        ("", "service:billing", "service:billing"),
        ("level:>=high  is:new", 'service:"a b"', 'level:>=high is:new service:"a b"'),
        ("service:billing", "service:billing", "service:billing"),
        ("service:billing,stock", "service:billing", "service:billing,stock"),
        ("-service:billing", "service:billing", "-service:billing service:billing"),
        ('"timed out"', "tag.region:eu", '"timed out" tag.region:eu'),
    ],
)
def test_a_term_is_added_once_and_the_rest_stays_as_written(text: str, added: str, expected: str) -> None:
    assert join_parts(with_term(parts_of(text), term(added))) == expected


@pytest.mark.parametrize(
    ("text", "removed", "expected"),
    [
        ("service:billing is:new", "service:billing", "is:new"),
        ("severity:high,critical since:24h", "severity:high", "severity:critical since:24h"),
        ("severity:>=high", "severity:critical", "severity:high"),
        ("tag.a:x tag.b:x", "tag.a:x", "tag.b:x"),
        ('service:"a b",c,d', "service:d", 'service:"a b","c"'),
        ("-service:a service:a", "service:a", "-service:a"),
        ("env:eu", "environment:us", "env:eu"),
    ],
)
def test_a_value_is_taken_away_and_its_key_with_the_last(text: str, removed: str, expected: str) -> None:
    assert join_parts(without_term(parts_of(text), term(removed))) == expected


def test_a_key_goes_with_all_its_terms() -> None:
    parts = without_key(parts_of("since:24h service:a since:2026-11-23"), Key.SINCE)
    assert join_parts(parts) == "service:a"


def test_only_what_needs_quotes_gets_them() -> None:
    assert write_term(Term(Key.SEVERITY, (ErrorSeverity.HIGH,))) == "severity:high"
    assert write_term(Term(Key.IS, (Trait.NEW, Trait.WORSE), negated=True)) == "-is:new,worse"
    assert write_term(Term(Key.ASSIGNED, ("ada@example.com",))) == "assigned:ada@example.com"
    assert write_term(Term(Key.SERVICE, ("svc-*",))) == 'service:"svc-*"'
    assert write_term(Term(Key.SINCE, (timedelta(days=7),))) == "since:7d"
    assert write_term(Term(Key.INCIDENT, (12,))) == "incident:INC-12"


@given(terms())
def test_every_written_term_is_read_as_the_same(one: Term) -> None:
    written = write_term(one)
    assert len(written) > 1000 or parse_query(written) == merge_terms([one])


@given(st.lists(terms(), max_size=6), terms())
def test_what_was_added_is_there_and_what_was_taken_is_not(before: list[Term], one: Term) -> None:
    text = " ".join(map(write_term, before))
    if len(text) > 1000 or len(write_term(one)) > 1000:
        return
    parts = parts_of(text)
    assert has_term(with_term(parts, one), one)
    left = without_term(parts, one)
    assert not any(value in found for value in one.values for found in _values(left, one))


def _values(parts: tuple[QueryPart, ...], one: Term) -> list[tuple[object, ...]]:
    query = Query(tuple(part.term for part in parts))
    return [
        found.values
        for found in query.terms
        if (found.key, found.name, found.negated) == (one.key, one.name, one.negated)
    ]


def test_a_text_that_is_not_a_query_has_no_parts() -> None:
    with pytest.raises(QueryError):
        parts_of("severty:high")
    assert parts_of(" ") == ()
    assert join_parts(parts_of("service:a")) == "service:a"
    assert any_of(Key.SERVICE, ["a"]).terms[0] == term("service:a")
