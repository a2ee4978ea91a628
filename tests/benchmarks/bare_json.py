"""The least that could answer: an aiohttp handler that encodes a document, and knows nothing else.

``bare_json.py PORT FILE`` answers every path with the JSON in the file, encoded anew for each request.
"""

import sys
from pathlib import Path

import msgspec
from aiohttp import web


def make_app(document: object) -> web.Application:
    """Build the application that answers with a document."""

    async def answer(_: web.Request) -> web.Response:
        return web.Response(body=msgspec.json.encode(document), content_type="application/json")

    app = web.Application()
    app.router.add_get("/{path:.*}", answer)
    return app


if __name__ == "__main__":
    given = msgspec.json.decode(Path(sys.argv[2]).read_bytes())
    web.run_app(make_app(given), host="127.0.0.1", port=int(sys.argv[1]), access_log=None, print=None)
