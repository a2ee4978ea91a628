"""The place of what is wrong with a dead letter's body."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from faultwire_consumer.domain.dead_body import fields_of, find_place, service_of, span_at

GOOD = b'{"id": "x", "service": "billing", "tags": {"a": 1},\n "exceptions": [{"type": "E"}, {"type": 5}]}'

values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


def marked(body: bytes, detail: str = "wrong at $", size: int | None = None) -> bytes | None:
    place = find_place(body, size=len(body) if size is None else size, detail=detail)
    return None if place is None else body[place.offset : place.offset + place.length]


@pytest.mark.parametrize(
    ("detail", "expected"),
    [
        ("Expected `str`, got `int` at $.exceptions[1].type", b"5"),
        ("Expected `str`, got `int` at $.exceptions[1].type; its properties: odd", b"5"),
        ("Expected `str`, got `object` at $.tags", b'{"a": 1}'),
        ("an event id is error_YYYYMMDD_ at $.id", b'"x"'),
        ("neither a message nor exceptions at $.message", b"{"),
        ("Expected `int | str` at $.tags[...]", b'{"a": 1}'),
    ],
)
def test_a_wrong_value_is_marked_where_it_stands(detail: str, expected: bytes) -> None:
    assert marked(GOOD, detail) == expected


def test_the_place_counts_lines_and_characters_from_one() -> None:
    place = find_place(GOOD, size=len(GOOD), detail="wrong at $.exceptions[1].type")
    assert place is not None
    assert (place.line, place.column) == (2, GOOD.splitlines()[1].index(b"5") + 1)
    umlauts = '{"ä": "ö", "n": 7}'.encode()
    place = find_place(umlauts, size=len(umlauts), detail="wrong at $.n")
    assert place is not None
    assert (place.offset, place.column) == (18, 17)


def test_what_is_no_json_is_marked_at_its_first_wrong_byte() -> None:
    assert marked(b'{"id": oops}') == b"o"
    assert marked(b'{"id": "a\xff\xfeb"}', "not UTF-8 (byte 9) at $") == b"\xff"
    truncated = find_place(b'{"id": "a', size=9, detail="Input data was truncated at $")
    assert truncated is not None
    assert (truncated.offset, truncated.length) == (9, 0)


def test_a_body_that_was_cut_is_marked_at_its_end_and_a_deep_one_where_it_gets_too_deep() -> None:
    cut = find_place(b'{"id"', size=300_000, detail="300,000 bytes, 262,144 at most at $")
    assert cut is not None
    assert cut.offset == 5
    deep = find_place(b"[" * 300 + b"]" * 300, size=600, detail="nested more than 256 deep at $")
    assert deep is not None
    assert deep.offset == 256


def test_a_sound_body_has_no_wrong_place() -> None:
    assert find_place(GOOD, size=len(GOOD), detail="delivered 5 times in vain") is None
    assert find_place(b"", size=10, detail="wrong at $.id") is None


def test_fields_are_read_up_to_the_first_that_cannot_be() -> None:
    assert fields_of(b'{"id": "x", "service": "billing", "message": "broken o') == {
        "id": '"x"',
        "service": '"billing"',
    }
    assert fields_of(b"[1, 2]") == {}
    assert len(fields_of(json.dumps({f"k{n}": n for n in range(90)}).encode())) == 50
    assert len(fields_of(json.dumps({"long": "x" * 9000}).encode())["long"]) == 501


def test_the_service_is_read_from_what_is_left() -> None:
    assert service_of(b'{"service": "billing", "message": oops') == "billing"
    assert service_of(b'{"service": 5}') == ""
    assert service_of(b'{"tags": {"service": "no"}}') == ""
    assert service_of(b'\xef\xbb\xbf {"service":"bom"}') == "bom"


@given(st.binary(max_size=300), st.integers(0, 400), st.text(max_size=40))
def test_no_body_and_no_sentence_breaks_the_reading(body: bytes, size: int, detail: str) -> None:
    place = find_place(body, size=size, detail=f"{detail} at $.a[0].b")
    assert place is None or 0 <= place.offset <= place.offset + place.length <= len(body)
    assert isinstance(service_of(body), str)
    fields_of(body)


@given(st.dictionaries(st.text("abc", min_size=1, max_size=3), values, min_size=1, max_size=5), st.data())
def test_the_value_at_a_path_is_the_one_that_a_parser_finds(
    document: dict[str, Any], data: st.DataObject
) -> None:
    body = json.dumps(document, indent=data.draw(st.sampled_from([None, 1]))).encode()
    name = data.draw(st.sampled_from(sorted(document)))
    begin, end = span_at(body, f"$.{name}")
    assert json.loads(body[begin:end]) == document[name]
    if isinstance(document[name], list) and document[name]:
        index = data.draw(st.integers(0, len(document[name]) - 1))
        begin, end = span_at(body, f"$.{name}[{index}]")
        assert json.loads(body[begin:end]) == document[name][index]
