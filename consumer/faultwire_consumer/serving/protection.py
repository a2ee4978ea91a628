"""Headers that protect whoever reads an answer, on each of them."""

from typing import Final

from aiohttp import hdrs, web

SERVER: Final = "faultwire"
SECURITY_HEADERS: Final = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
        "form-action 'self'; "
        "frame-ancestors 'none'; base-uri 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}


def protect(response: web.StreamResponse) -> None:
    """Put the headers on an answer, also on one that no handler made, and say nothing of what made it."""
    response.headers[hdrs.SERVER] = SERVER
    for name, value in SECURITY_HEADERS.items():
        response.headers.setdefault(name, value)
    response.headers.setdefault(hdrs.CACHE_CONTROL, "no-store")
