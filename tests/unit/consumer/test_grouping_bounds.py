"""Grouping one event costs no more than its body, whatever a publisher puts into it."""

import tracemalloc
from typing import Any, Final

import msgspec
import pytest
from tests.tools.factories import wire_body

from faultwire_consumer.domain.grouping.material import PART_CHARACTERS, PARTS
from faultwire_consumer.ingest.read.grouping import Grouped, Grouper
from faultwire_consumer.ingest.read.narrow import decode_narrow

BODY: Final = 256 * 1024
MEMORY: Final = 64
"""Bytes of memory that a byte of the body may cost."""
STORED: Final = 150_000
"""Characters of the reasons that are stored with a fingerprint."""

BOMBS: Final[dict[str, dict[str, Any]]] = {
    "defaults": {"fingerprint": ["{{default}}"] * 9_000, "exceptions": [{"type": "T" * 120_000}]},
    "defaults of many frames": {
        "fingerprint": ["{{ default }}"] * 5_000,
        "exceptions": [{"type": "T", "frames": [{"qualname": "q" * 5_000}] * 30}],
    },
    "explicit parts": {"fingerprint": ["a"] * 60_000},
    "one explicit part": {"fingerprint": ["a" * 240_000]},
    "exceptions": {"exceptions": [{"type": "T"}] * 16_000},
    "frames": {"exceptions": [{"type": "T", "frames": [{"qualname": "q"}] * 10_000}]},
    "frames that all differ": {
        "exceptions": [{"type": "T", "frames": [{"qualname": f"q{n}"} for n in range(9_000)]}]
    },
    "members": {"exceptions": [{"type": "T", "members": [[{"type": f"T{n}"}] for n in range(9_000)]}]},
    "attributes": {"exceptions": [{"type": "T", "attributes": {"table": "t" * 240_000}}]},
    "template": {"template": "word " * 48_000},
    "message": {"message": "'a' 17 " * 34_000},
    "a message with a stack": {"exceptions": [{"type": "", "value": "x" * 200_000}]},
    "a bundle": {
        "exceptions": [
            {
                "type": "E",
                "value": "undefined is not an object (evaluating '" + "." * 150_000,
                "frames": [{"qualname": "br", "file": f"/a{'a1.-' * 200}.js"}] * 90,
            }
        ],
        "sdk": {"name": "sentry.javascript.browser", "version": "1"},
    },
    "bundles": {
        "exceptions": [
            {"type": "E", "value": "e.f is not a function", "frames": [{"qualname": "b", "file": f"/{n}.js"}]}
            for n in range(1_500)
        ],
        "sdk": {"name": "sentry.javascript.browser", "version": "1"},
    },
}


@pytest.mark.parametrize("bomb", BOMBS)
def test_a_body_at_its_limit_is_grouped_in_memory_of_its_size_and_stored_in_little(bomb: str) -> None:
    event = decode_narrow(wire_body(**BOMBS[bomb]))
    grouped, peak = _measured(event)
    assert peak < MEMORY * BODY
    assert len(msgspec.json.encode(grouped.fingerprint.parts)) < STORED
    assert len(grouped.fingerprint.parts) <= PARTS + 1
    assert max(map(len, grouped.fingerprint.parts)) <= PART_CHARACTERS


def test_parts_that_differ_beyond_what_is_kept_to_be_read_are_two_fingerprints() -> None:
    def key(*parts: str) -> bytes:
        return Grouper().group(decode_narrow(wire_body(fingerprint=list(parts)))).fingerprint.key

    long = "a" * 2 * PART_CHARACTERS
    assert key(long + "b") != key(long + "c")
    assert key(*["a"] * 2 * PARTS, "b") != key(*["a"] * 2 * PARTS, "c")


def _measured(event: Any) -> tuple[Grouped, int]:
    Grouper().group(event)  # what is made once, such as a decoder's buffers, is not this event's
    tracemalloc.start()
    try:
        grouped = Grouper().group(event)
        return grouped, tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
