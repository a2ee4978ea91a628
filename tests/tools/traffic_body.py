"""The bodies of recorded requests as an application wrote them: no longer compressed."""

import gzip
import zlib

import brotli
from tests.tools.traffic import RecordedRequest


def content_of(request: RecordedRequest) -> bytes:
    """The body of a recorded request, inflated at once: recordings are no bombs."""
    match (request.header("Content-Encoding") or "").strip().lower():
        case "gzip":
            return gzip.decompress(request.content)
        case "deflate":
            return zlib.decompress(request.content)
        case "br":
            return bytes(brotli.decompress(request.content))
        case _:
            return request.content
