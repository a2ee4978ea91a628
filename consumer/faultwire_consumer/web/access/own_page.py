"""Changes by somebody whom a browser signs in by itself: they have to come from a page of the worker's."""

from typing import Final

from aiohttp import hdrs, web

from faultwire_consumer.web.access.refusal import ForeignPageError
from faultwire_consumer.web.state import ORIGINS

SAFE_METHODS: Final = ("GET", "HEAD", "OPTIONS")
_SITE: Final = "Sec-Fetch-Site"


def check_own_page(request: web.Request) -> None:
    """Refuse a change that another page may have asked for, or that does not say which page did.

    A cookie, or what a proxy adds, comes along with whatever any page has a browser send. Browsers say
    where a request is from by Sec-Fetch-Site, and older ones by Origin; no page can set either.

    Raises:
        ForeignPageError: by another page, or by one that is not said.
    """
    if request.method in SAFE_METHODS:
        return
    sites, origins = request.headers.getall(_SITE, []), request.headers.getall(hdrs.ORIGIN, [])
    if len(sites) > 1 or len(origins) > 1:
        raise ForeignPageError
    if sites:
        is_own = sites[0] == "same-origin"
    else:
        host = request.headers.get(hdrs.HOST)
        is_own = bool(origins) and request.app[ORIGINS].own(origins[0], host=host)
    if not is_own:
        raise ForeignPageError
