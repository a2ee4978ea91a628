"""Every zone of the IANA database, read once: a zone is a file, and no loop may wait for a disk."""

from collections.abc import Mapping
from typing import Final
from zoneinfo import ZoneInfo, available_timezones

ZONES: Final[Mapping[str, ZoneInfo]] = {name: ZoneInfo(name) for name in available_timezones()}
"""By name; reading them all takes 0.1 s, at the start."""
