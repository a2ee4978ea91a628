"""The choices that a browser keeps for its reader: light or dark, the zone of times, and keys."""

from collections.abc import Mapping
from typing import Final

from aiohttp import web

from faultwire_consumer.domain.access.next_path import next_path
from faultwire_consumer.domain.access.scope import AccessScope
from faultwire_consumer.web.access.declared import AccessRoutes
from faultwire_consumer.web.page.form import read_fields
from faultwire_consumer.web.page.reader import (
    KEYS,
    KEYS_COOKIE,
    THEME_COOKIE,
    THEMES,
    ZONE_COOKIE,
    is_zone,
)
from faultwire_consumer.web.page.shell import go_to
from faultwire_shared.taxonomy import FieldError, ValidationError

_YEAR_SECONDS: Final = 366 * 86400

routes = AccessRoutes()


@routes.post("/preferences", access=AccessScope.READ)
async def keep_preferences(request: web.Request) -> web.Response:
    """Keep what the form names, and go back to where it stood."""
    form = await read_fields(request, ("theme", "zone", "keys", "next"))
    _check(form)
    response = go_to(next_path(form["next"]))
    kept = ((THEME_COOKIE, form["theme"]), (ZONE_COOKIE, form["zone"]), (KEYS_COOKIE, form["keys"]))
    for name, value in kept:
        if value:  # a script keeps the zone as well, so neither is hidden from it: both are words of ours
            response.set_cookie(name, value, max_age=_YEAR_SECONDS, samesite="Strict")
    return response


def _check(form: Mapping[str, str]) -> None:
    known = {"theme": THEMES, "keys": KEYS}
    errors = [
        FieldError(name, f"one of {', '.join(values)}")
        for name, values in known.items()
        if form[name] and form[name] not in values
    ]
    if form["zone"] and not is_zone(form["zone"]):
        errors.append(FieldError("zone", "a zone of the IANA database, as in Europe/Berlin"))
    if errors:
        raise ValidationError(errors=errors)
