"""The choices that a browser keeps for its reader: light or dark, and the zone of times."""

from typing import Final

from aiohttp import web

from faultwire_consumer.domain.access.next_path import next_path
from faultwire_consumer.domain.access.scope import AccessScope
from faultwire_consumer.web.access.declared import AccessRoutes
from faultwire_consumer.web.page.form import read_fields
from faultwire_consumer.web.page.reader import THEME_COOKIE, THEMES, ZONE_COOKIE, is_zone
from faultwire_consumer.web.page.shell import go_to
from faultwire_shared.taxonomy import FieldError, ValidationError

_YEAR_SECONDS: Final = 366 * 86400

routes = AccessRoutes()


@routes.post("/preferences", access=AccessScope.READ)
async def keep_preferences(request: web.Request) -> web.Response:
    """Keep what the form names, and go back to where it stood."""
    form = await read_fields(request, ("theme", "zone", "next"))
    _check(form["theme"], form["zone"])
    response = go_to(next_path(form["next"]))
    for name, value in ((THEME_COOKIE, form["theme"]), (ZONE_COOKIE, form["zone"])):
        if value:  # a script keeps the zone as well, so neither is hidden from it: both are words of ours
            response.set_cookie(name, value, max_age=_YEAR_SECONDS, samesite="Strict")
    return response


def _check(theme: str, zone: str) -> None:
    errors = []
    if theme and theme not in THEMES:
        errors.append(FieldError("theme", f"one of {', '.join(THEMES)}"))
    if zone and not is_zone(zone):
        errors.append(FieldError("zone", "a zone of the IANA database, as in Europe/Berlin"))
    if errors:
        raise ValidationError(errors=errors)
