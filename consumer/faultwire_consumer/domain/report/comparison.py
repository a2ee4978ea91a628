"""Two events compared as Markdown: why they are one incident, or why they are not."""

from collections.abc import Mapping, Sequence
from difflib import ndiff
from typing import Any, Final

from faultwire_consumer.domain.report.layout import CHARACTERS, Section, assemble
from faultwire_consumer.domain.report.quoting import WARNING, fence, span

Grouping = Mapping[str, Any]
"""An event's grouping as the API gives it."""
_PARTS: Final = 200


def comparison_report(first: Grouping, second: Grouping, *, most: int = CHARACTERS) -> str:
    """Return why two events are one incident or not."""
    lines = [f"{mark} {part}" for mark, part in difference(first["parts"][:_PARTS], second["parts"][:_PARTS])]
    head = [
        f"# {span(first['event_id'])} and {span(second['event_id'])}",
        WARNING,
        _sentence(first, second),
    ]
    return assemble(head, [Section("Key parts: - of the first, + of the second", (fence(lines),))], most=most)


def difference(first: Sequence[str], second: Sequence[str]) -> list[tuple[str, str]]:
    """Return two ordered lists of key parts as one: ``-`` only in the first, ``+`` only in the second."""
    return [(line[0], line[2:]) for line in ndiff(first, second) if line[0] != "?"]


def _sentence(first: Grouping, second: Grouping) -> str:
    if first["fingerprint"] == second["fingerprint"]:
        return f"One fingerprint, so one incident: {first['incident_id']}."
    if first["incident_id"] == second["incident_id"]:
        return (
            f"Two fingerprints, both in {first['incident_id']}: they were merged, or one replaced the other."
        )
    return f"Two fingerprints, two incidents: {first['incident_id']} and {second['incident_id']}."
