"""Weak validators of answers: a program that has an answer already is told so, and is sent nothing."""

import hashlib
import re
from typing import Final

from aiohttp import hdrs, web

BYTES: Final = 12
_TAG: Final = re.compile(r'(?:W/)?("[^"]*")')


def validate(request: web.Request, response: web.StreamResponse) -> web.StreamResponse:
    """Give an answer its weak ETag, made of its bytes, or answer 304 where the request names that one.

    So it holds for any answer, on either database, whatever it was made of; what is saved is the way, and
    the reading of what did not change.
    """
    if not isinstance(response, web.Response) or response.status != 200 or hdrs.ETAG in response.headers:
        return response
    body = response.body
    if not isinstance(body, bytes):
        return response
    tag = f'"{hashlib.blake2b(body, digest_size=BYTES).hexdigest()}"'
    response.headers[hdrs.ETAG] = f"W/{tag}"
    known = ",".join(request.headers.getall(hdrs.IF_NONE_MATCH, ()))
    if known.strip() == "*" or tag in _TAG.findall(known):
        kept = {name: response.headers[name] for name in (hdrs.ETAG, hdrs.LINK) if name in response.headers}
        return web.Response(status=304, headers=kept)
    return response
