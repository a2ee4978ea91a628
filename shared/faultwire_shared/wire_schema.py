"""Writes the published JSON Schema of the event: ``python -m faultwire_shared.wire_schema [FILE]``."""

import sys
from pathlib import Path
from typing import Final

import msgspec

from faultwire_shared.codec import EVENT_TYPE, json_schema

PUBLISHED: Final = Path(__file__).parents[1] / "wire" / f"{EVENT_TYPE}.schema.json"


def schema_text() -> str:
    """The schema as it is published."""
    return msgspec.json.format(msgspec.json.encode(json_schema(), order="sorted"), indent=2).decode() + "\n"


def main() -> None:
    """Write the schema to the file given, or to where it is published."""
    path = Path(sys.argv[1]) if len(sys.argv) > 1 else PUBLISHED
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(schema_text(), encoding="utf-8")


if __name__ == "__main__":
    main()
