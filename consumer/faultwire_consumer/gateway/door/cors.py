"""Headers that browsers need on each answer, refusals too, and before a request that is not a simple one.

Pages of any origin send here, by the key that stands in them, and no cookie is ever looked at. Without these
headers a browser tells a page of a cross-origin error in place of what is wrong.
"""

import re
from typing import Final

from aiohttp import hdrs, web

HEADERS: Final = {
    hdrs.ACCESS_CONTROL_ALLOW_ORIGIN: "*",
    hdrs.ACCESS_CONTROL_EXPOSE_HEADERS: "X-Sentry-Error, X-Sentry-Rate-Limits, Retry-After",
    "Cross-Origin-Resource-Policy": "cross-origin",
    "Timing-Allow-Origin": "*",
}
ASKED_CHARACTERS: Final = 1_024
_ASKED: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+(?:[ \t]*,[ \t]*[!#$%&'*+.^_`|~0-9A-Za-z-]+)*")
_USUAL: Final = (
    "Content-Type, Content-Encoding, X-Sentry-Auth, Authorization, Authentication, X-Requested-With, Origin, "
    "Accept, sentry-trace, baggage, traceparent"
)
"""``Authorization`` would not be covered by a star."""


def open_to_pages(response: web.StreamResponse) -> web.StreamResponse:
    """Let any page read an answer."""
    response.headers.update(HEADERS)
    return response


def preflight(request: web.Request, methods: str) -> web.Response:
    """Answer a browser that asks whether it may send: a refusal here would be a loss that nobody hears of."""
    asked = request.headers.get(hdrs.ACCESS_CONTROL_REQUEST_HEADERS, "").strip()
    is_list = len(asked) <= ASKED_CHARACTERS and _ASKED.fullmatch(asked)
    return web.Response(
        status=204,
        headers={
            hdrs.ACCESS_CONTROL_ALLOW_METHODS: methods,
            hdrs.ACCESS_CONTROL_ALLOW_HEADERS: asked if is_list else _USUAL,
            hdrs.ACCESS_CONTROL_MAX_AGE: "3600",
            hdrs.ALLOW: methods,
        },
    )
