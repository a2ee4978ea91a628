"""An incident's name, as people and machines spell it: ``INC-12``."""

import re
from typing import Final

KEY_MAX: Final = 2**63 - 1
"""The largest number that is a key in both databases."""
_PREFIX: Final = "INC-"
_INCIDENT_ID: Final = re.compile(r"(?:inc-)?(\d{1,19})", re.IGNORECASE | re.ASCII)


def incident_name(incident_id: int) -> str:
    """Return the name of the incident with that number."""
    return f"{_PREFIX}{incident_id}"


def parse_incident_id(text: str) -> int | None:
    """Return the number in ``INC-12``, ``inc-12`` or ``12``; None if the text is not such a name."""
    match = _INCIDENT_ID.fullmatch(text)
    number = int(match.group(1)) if match else 0
    return number if 0 < number <= KEY_MAX else None
