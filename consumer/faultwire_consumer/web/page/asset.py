"""Static files: read, joined and compressed once at import, so that no request touches the disk."""

import gzip
import hashlib
from collections.abc import Iterator, Mapping
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Final

from aiohttp import hdrs, web
from msgspec import Struct

from faultwire_consumer.web.access.declared import OPEN, AccessRoutes
from faultwire_consumer.web.request import takes_gzip

_STATIC: Final = files("faultwire_consumer.web.page") / "static"
_TYPES: Final = {"css": "text/css", "js": "text/javascript", "svg": "image/svg+xml"}

routes = AccessRoutes()


class Asset(Struct, frozen=True):
    """A file that a page refers to; its address changes with its content."""

    body: bytes
    packed: bytes
    """The same by gzip."""
    content_type: str
    address: str


def _read_assets() -> dict[str, Asset]:
    found = dict(_plain_files(_STATIC)) | dict(_plain_files(_STATIC / "vendored"))
    return {name: _asset(name, body) for name, body in (found | _joined()).items()}


def _plain_files(folder: Traversable) -> Iterator[tuple[str, bytes]]:
    for file in folder.iterdir():
        if file.is_file() and file.name.rpartition(".")[2] in _TYPES:
            yield file.name, file.read_bytes()


def _joined() -> dict[str, bytes]:
    """Return the style sheet and the script of all pages, each in the order of its parts' names."""
    return {f"page.{kind}": _join(_STATIC / kind) for kind in ("css", "js")}


def _join(folder: Traversable) -> bytes:
    return b"\n".join(body for _, body in sorted(_plain_files(folder)))


def _asset(name: str, body: bytes) -> Asset:
    kind = _TYPES[name.rpartition(".")[2]]
    address = f"/static/{name}?{hashlib.sha256(body).hexdigest()[:12]}"
    return Asset(body, gzip.compress(body, mtime=0), kind, address)


ASSETS: Final[Mapping[str, Asset]] = _read_assets()


@routes.get("/static/{name}", access=OPEN)
async def show_asset(request: web.Request) -> web.Response:
    """A style sheet, script or picture; it may be kept for ever, for its address names its content."""
    asset = ASSETS.get(request.match_info["name"])
    if asset is None:
        raise web.HTTPNotFound
    headers = {hdrs.CACHE_CONTROL: "public, max-age=31536000, immutable", hdrs.VARY: hdrs.ACCEPT_ENCODING}
    is_packed = takes_gzip(request) and len(asset.packed) < len(asset.body)
    if is_packed:
        headers[hdrs.CONTENT_ENCODING] = "gzip"
    return web.Response(
        body=asset.packed if is_packed else asset.body, content_type=asset.content_type, headers=headers
    )
