"""What is read of a JSON text that a strict decoder refuses, and where the bound on its depth lies."""

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from faultwire_shared.codec import BATCH_TYPE, EVENT_TYPE, Undecodable, split
from faultwire_shared.event import MESSAGE_EVENTS
from faultwire_shared.json_text import (
    JSON_DEPTH,
    encode_anything,
    is_deep,
    members_of,
    mend_surrogates,
)

surrogates = st.characters(categories=["Cs"])
texts = st.text(st.characters() | surrogates | st.sampled_from('\\"u{}[],d83'), max_size=30)
documents = st.recursive(
    st.none() | st.integers() | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=20,
)


def cut(text: str) -> str:
    """The text with each half of a pair that stands alone replaced."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def cleaned(document: Any) -> Any:
    if isinstance(document, str):
        return cut(document)
    if isinstance(document, list):
        return [cleaned(one) for one in document]
    if isinstance(document, dict):
        return {cut(name): cleaned(one) for name, one in document.items()}
    return document


@given(texts)
def test_half_a_pair_costs_one_character_and_nothing_else(text: str) -> None:
    mended = mend_surrogates(json.dumps(text).encode())
    assert msgspec.json.decode(mended) == "".join(
        "\N{REPLACEMENT CHARACTER}" if "\ud800" <= one <= "\udfff" else one for one in _paired(text)
    )


def _paired(text: str) -> str:
    """Join the halves that stand next to each other, as every reader of JSON does."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "surrogatepass")


@given(documents)
def test_what_is_sound_is_left_as_it_is(document: Any) -> None:
    body = json.dumps(cleaned(document)).encode()
    assert mend_surrogates(body) == body
    assert not is_deep(body)


def test_half_a_pair_in_bytes_costs_one_character_too() -> None:
    body = '{"a": "x\ud83dy"}'.encode(errors="surrogatepass")
    assert json.loads(mend_surrogates(body)) == {"a": "x\N{REPLACEMENT CHARACTER}y"}


@given(st.lists(documents, max_size=5))
def test_members_are_cut_apart_as_a_decoder_would(members: list[Any]) -> None:
    body = b" " + json.dumps(members).encode() + b" "
    found = [one for one in members_of(body) if one]
    assert [json.loads(one) for one in found] == members


@pytest.mark.parametrize("opening", ["[", '{"]}":'])
def test_depth_is_bounded_exactly_whatever_stands_in_texts(opening: str) -> None:
    closing = "]" if opening == "[" else "}"

    def nested(depth: int) -> bytes:
        return (opening * depth + '"[[{{\\"[{"' + closing * depth).encode()

    assert not is_deep(nested(JSON_DEPTH))
    assert is_deep(nested(JSON_DEPTH + 1))
    assert not is_deep(b"[" + b",".join([nested(1)] * 3 * JSON_DEPTH) + b"]")


@pytest.mark.parametrize("depth", [JSON_DEPTH + 1, 5_000, 100_000])
def test_what_is_nested_too_deeply_is_alone_in_that(depth: int) -> None:
    deep = b"[" * depth + b"]" * depth
    found = [bytes(one) for one in split(b'[{"a": "[,"}, %s, 3]' % deep, BATCH_TYPE)]
    assert found == [b'{"a": "[,"}', deep, b"3"]


@pytest.mark.parametrize("body", [b"[" * 100_000, b'{"a":' * 30_000, b'["' + b'\\"' * 100_000 + b"[" * 1000])
def test_what_never_ends_is_refused_at_once(body: bytes) -> None:
    with pytest.raises(Undecodable):
        split(body, BATCH_TYPE)


def test_a_message_of_too_many_events_is_refused_as_one() -> None:
    assert len(split(json.dumps([1] * MESSAGE_EVENTS).encode(), EVENT_TYPE)) == MESSAGE_EVENTS
    with pytest.raises(Undecodable, match="too_many_events: 1,001 events, 1,000 at most"):
        split(json.dumps([1] * (MESSAGE_EVENTS + 1)).encode(), EVENT_TYPE)


@pytest.mark.parametrize("message_type", [EVENT_TYPE, BATCH_TYPE, None])
def test_a_byte_order_mark_is_skipped(message_type: str | None) -> None:
    assert [bytes(one) for one in split(b"\xef\xbb\xbf[3]", message_type)] == [b"3"]


@given(st.integers(-(2**200), 2**200))
def test_an_integer_of_any_size_is_written_as_it_was_read(number: int) -> None:
    document = {"a": [number, msgspec.Raw(b'{"b": %d}' % number)]}
    assert json.loads(encode_anything(document)) == {"a": [number, {"b": number}]}
