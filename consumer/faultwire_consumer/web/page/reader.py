"""Choices of whoever reads a page: light or dark, and the zone of its times; a browser keeps them."""

from collections.abc import Mapping
from datetime import UTC, tzinfo
from typing import Final
from zoneinfo import ZoneInfo, available_timezones

from aiohttp import web
from msgspec import Struct

THEME_COOKIE: Final = "faultwire_theme"
ZONE_COOKIE: Final = "faultwire_zone"
THEMES: Final = ("auto", "light", "dark")
_ZONES: Final[Mapping[str, tzinfo]] = {name: ZoneInfo(name) for name in available_timezones()}
"""Read at the start, in 0.1 s: each is a file, and no request touches the disk."""


class Reader(Struct, frozen=True):
    """The theme and the zone in which a page is shown."""

    theme: str
    zone_name: str
    zone: tzinfo


ANYBODY: Final = Reader(THEMES[0], "UTC", UTC)


def reader_of(request: web.Request) -> Reader:
    """Return what the browser keeps; what it cannot have from us counts as nothing."""
    theme = request.cookies.get(THEME_COOKIE, "")
    name = request.cookies.get(ZONE_COOKIE, "")
    zone = _ZONES.get(name)
    shown = theme if theme in THEMES else ANYBODY.theme
    return Reader(shown, name, zone) if zone is not None else Reader(shown, ANYBODY.zone_name, ANYBODY.zone)


def is_zone(name: str) -> bool:
    """Return whether a zone of the IANA database has this name."""
    return name in _ZONES
