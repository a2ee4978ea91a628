"""Visitors at home: somebody on the worker's own machine, who may be told what strangers are not."""

from ipaddress import ip_address
from typing import Final

from aiohttp import hdrs, web

from faultwire_consumer.web.state import ORIGINS

_FORWARDED: Final = ("Forwarded", "Via", "X-Forwarded-For", "X-Real-IP")


def is_at_home(request: web.Request) -> bool:
    """Return whether somebody on this machine asks, and no page and no proxy in somebody else's name."""
    try:
        is_here = ip_address(request.remote or "").is_loopback
    except ValueError:
        return False
    host = request.headers.get(hdrs.HOST)
    is_passed_on = any(name in request.headers for name in _FORWARDED)
    return is_here and not is_passed_on and request.app[ORIGINS].answer_to(host)
