"""Writes the published JSON Schemas: ``python -m faultwire_shared.wire_schema [FILE]`` (the event's)."""

import sys
from inspect import cleandoc
from pathlib import Path
from typing import Any, Final

import msgspec

from faultwire_shared.codec import EVENT_TYPE, PRODUCER_TYPE, json_schema, report_schema

PUBLISHED: Final = Path(__file__).parents[1] / "wire" / f"{EVENT_TYPE}.schema.json"
PUBLISHED_REPORT: Final = PUBLISHED.with_name(f"{PRODUCER_TYPE}.schema.json")


def schema_text() -> str:
    """Return the event's schema as it is published."""
    return _text(json_schema())


def report_text() -> str:
    """Return the schema of a producer's report as it is published."""
    return _text(report_schema())


def _text(schema: dict[str, Any]) -> str:
    for part in schema["$defs"].values():
        if "description" in part:  # a docstring, which Python before 3.13 gives with its indentation
            part["description"] = cleandoc(part["description"])
    return msgspec.json.format(msgspec.json.encode(schema, order="sorted"), indent=2).decode() + "\n"


def main() -> None:
    """Write the event's schema to the given file, or both schemas to their published places."""
    path = Path(sys.argv[1]) if len(sys.argv) > 1 else PUBLISHED
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(schema_text(), encoding="utf-8")
    if path == PUBLISHED:
        PUBLISHED_REPORT.write_text(report_text(), encoding="utf-8")


if __name__ == "__main__":
    main()
