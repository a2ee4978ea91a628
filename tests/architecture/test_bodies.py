"""Stored bodies have one door: no query gives one to anybody as it is stored."""

import re
from pathlib import Path
from typing import Final

STORE: Final = Path(__file__).parents[2] / "consumer" / "faultwire_consumer" / "store"
DOOR: Final = "events/bodies.py"
_BODY: Final = re.compile(r"\b(?:c|table|events|edge_bodies)\.doc\b(?!\.is_)")
_WEIGHED: Final = re.compile(r"func\.(?:length|pg_column_size)\(|_STORED_BYTES\[")
"""What asks for a body's size, and not for the body."""


def test_a_query_reads_a_body_through_the_type_that_unpacks_it() -> None:
    found = {
        f"{path.relative_to(STORE)}: {line.strip()}"
        for path in STORE.rglob("*.py")
        for line in path.read_text().splitlines()
        if _BODY.search(line) and not _WEIGHED.search(line) and not path.match(DOOR)
    }
    assert not found, "doc_of() and body_in() of store/events/bodies.py give it as it came"
