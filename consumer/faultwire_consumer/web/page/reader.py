"""Choices of whoever reads a page: light or dark, the zone of its times, and keys; a browser keeps them."""

from datetime import UTC, tzinfo
from typing import Final

from aiohttp import web
from msgspec import Struct

from faultwire_consumer.domain.silence.zone import ZONES

THEME_COOKIE: Final = "faultwire_theme"
ZONE_COOKIE: Final = "faultwire_zone"
KEYS_COOKIE: Final = "faultwire_keys"
THEMES: Final = ("auto", "light", "dark")
KEYS: Final = ("on", "off")
"""Whether single keys do something: who speaks to a computer, or hits keys unmeant, turns them off."""


class Reader(Struct, frozen=True):
    """The theme and the zone in which a page is shown, and whether single keys do something on it."""

    theme: str
    zone_name: str
    zone: tzinfo
    keys: str = KEYS[0]


ANYBODY: Final = Reader(THEMES[0], "UTC", UTC)


def reader_of(request: web.Request) -> Reader:
    """Return what the browser keeps; what it cannot have from us counts as nothing."""
    theme = request.cookies.get(THEME_COOKIE, "")
    name = request.cookies.get(ZONE_COOKIE, "")
    keys = request.cookies.get(KEYS_COOKIE, "")
    zone = ZONES.get(name)
    return Reader(
        theme if theme in THEMES else ANYBODY.theme,
        ANYBODY.zone_name if zone is None else name,
        ANYBODY.zone if zone is None else zone,
        keys if keys in KEYS else ANYBODY.keys,
    )


def is_zone(name: str) -> bool:
    """Return whether a zone of the IANA database has this name."""
    return name in ZONES
