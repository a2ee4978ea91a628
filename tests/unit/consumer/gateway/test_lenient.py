"""Whatever a stranger sends as JSON is read as well as it can be, quickly, or refused by name."""

import json
import time
from contextlib import suppress
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from faultwire_consumer.gateway.lenient import UnreadableError, read_json
from faultwire_shared.json_text import JSON_DEPTH

TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=10)
SCALARS = st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | TEXTS
DOCUMENTS = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(TEXTS, inner, max_size=5),
    max_leaves=20,
)


@given(document=DOCUMENTS)
def test_good_json_is_read_as_it_is(document: Any) -> None:
    assert read_json(msgspec.json.encode(document)) == document
    assert read_json(json.dumps(document, indent=1).encode()) == document
    assert read_json(b"[NaN," + json.dumps(document).encode() + b"]") == [None, document]


@pytest.mark.parametrize(
    ("payload", "document"),
    [
        (rb'"a\ud800b"', "a\ufffdb"),
        (rb'{"\udfff": "\ud83d\ude00"}', {"\ufffd": "\U0001f600"}),
        (b'"a\xed\xa0\x80b"', "a\ufffdb"),
        (b'"a\xffb"', "a\ufffdb"),
        (b"[NaN, Infinity, -Infinity, 1e999, -1e999, 1.5]", [None, None, None, None, None, 1.5]),
        (b"\xef\xbb\xbf{}", {}),
        (rb'{"a\u0000b": ["\u0000"]}', {"a\ufffdb": ["\ufffd"]}),
        (b'["tab\there", "nul\x00here"]', ["tab\there", "nul\ufffdhere"]),
        (rb'["\\u0000", NaN]', ["\\u0000", None]),
        (b'{"a": 1, "a": 2}', {"a": 2}),
        (b"[9223372036854775807, 18446744073709551615]", [2**63 - 1, 2**64 - 1]),
        (b"[18446744073709551616, -9223372036854775809]", ["18446744073709551616", "-9223372036854775809"]),
        (b"[NaN, 123456789012345678901234567890]", [None, "123456789012345678901234567890"]),
        (b"[" + b"7" * 4_000 + b"]", [None]),
        (b"[" + b"7" * 5_000 + b"]", [None]),
        (b"0." + b"1" * 100_000, 1 / 9),
    ],
)
def test_what_json_or_msgspec_refuses_is_mended(payload: bytes, document: Any) -> None:
    read = read_json(payload)
    assert read == document
    msgspec.json.encode(read)


@pytest.mark.parametrize(
    "payload", [b"", b" ", b"{", b'{"a": ', b"{} x", b"'a'", b"nope", b"\x00", b"[" * 500, b'"\\', b"\xff"]
)
def test_what_is_no_json_is_refused_by_name_with_the_place(payload: bytes) -> None:
    with pytest.raises(UnreadableError, match="at character"):
        read_json(payload)


@pytest.mark.parametrize("depth", [JSON_DEPTH + 1, 10_000])
@pytest.mark.parametrize(("opens", "inner", "closes"), [(b"[", b"7", b"]"), (b'{"]":', b'"}"', b"}")])
def test_what_is_too_deep_is_cut_and_its_neighbours_stay(
    depth: int, opens: bytes, inner: bytes, closes: bytes
) -> None:
    deep = opens * depth + inner + closes * depth
    read = read_json(b'{"deep": ' + deep + b', "also": [' + deep + b'], "beside": 1}')
    assert read["beside"] == 1
    levels, held = 0, read["deep"]
    while isinstance(held, dict | list):
        levels, held = levels + 1, held[0] if isinstance(held, list) else held["]"]
    assert (levels, held) == (JSON_DEPTH - 1, None)


@given(payload=st.binary(max_size=200))
def test_no_bytes_raise_anything_else(payload: bytes) -> None:
    try:
        read = read_json(payload)
    except UnreadableError:
        return
    msgspec.json.encode(read)


@given(document=DOCUMENTS, at=st.integers(0, 300), change=st.binary(max_size=3))
def test_damaged_json_raises_nothing_else_either(document: Any, at: int, change: bytes) -> None:
    payload = json.dumps(document).encode()
    with suppress(UnreadableError):
        msgspec.json.encode(read_json(payload[:at] + change + payload[at + 1 :]))


MEBIBYTE = 1024 * 1024


@pytest.mark.parametrize(
    "payload",
    [
        b"[" * MEBIBYTE,
        b"[" * 300 + b"[]," * (MEBIBYTE // 3),
        b"[" * 300 + b",".join([b"[]"] * (MEBIBYTE // 3)) + b"]" * 300,
        b"1" * MEBIBYTE,
        b"[" + b",".join([b"1" * 4_000] * 260) + b"]",
        b"[NaN," + b",".join([b"1" * 4_000] * 260) + b"]",
        b"[NaN," + b"1." + b"9" * MEBIBYTE + b"]",
        b"{" + b",".join([b'"a":1'] * (MEBIBYTE // 6)) + b"}",
        b'"' + b"\\ud800" * (MEBIBYTE // 6) + b'"',
        b'"' + b"\\" * MEBIBYTE,
        b'"' * MEBIBYTE,
        b"[" + b'"\\u0000",' * (MEBIBYTE // 9) + b"1]",
    ],
    ids=lambda payload: f"{payload[:12]!r}",
)
def test_a_mebibyte_of_anything_takes_no_longer_than_its_size_allows(payload: bytes) -> None:
    began = time.process_time()
    with suppress(UnreadableError):
        read_json(payload)
    assert time.process_time() - began < 5  # quadratic would be minutes
