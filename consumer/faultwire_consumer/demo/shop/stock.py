"""Stock: missing files, a warehouse that hangs up, endless bundles."""

import json
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web

from faultwire_consumer.demo.shop.partner import Partners

routes = web.RouteTableDef()
PARTNERS: web.AppKey[Partners] = web.AppKey("partners")
SESSION: web.AppKey[aiohttp.ClientSession] = web.AppKey("session")

_SHELVES: dict[str, Any] = {"sku-1": {"shelf": "A3", "left": 4}, "sku-2": {"shelf": "B1"}, "sku-3": None}
_BUNDLES = {"starter": ["sku-1", "family"], "family": ["sku-2", "starter"]}


@routes.get("/stock/{sku}")
async def left(request: web.Request) -> web.Response:
    """Count what is left: unknown for one article, and another has no shelf at all."""
    shelf = _SHELVES[request.match_info["sku"]]
    return web.json_response({"left": shelf["left"]})


@routes.get("/stock/{sku}/picture")
async def picture(request: web.Request) -> web.Response:
    """Show the picture of an article, which nobody has taken yet."""
    path = Path("/var/lib/shop/pictures") / f"{request.match_info['sku']}.png"
    return web.Response(body=path.read_bytes(), content_type="image/png")


@routes.get("/stock/{sku}/manual")
async def manual(_: web.Request) -> web.Response:
    """Show the manual: there is a directory in place of the file."""
    return web.Response(text=Path("/tmp").read_text())  # noqa: ASYNC240, S108 - it cannot be read


@routes.post("/stock/import")
async def import_stock(request: web.Request) -> web.Response:
    """Fetch a delivery note from the warehouse, which hangs up in the middle."""
    async with request.app[SESSION].get(request.app[PARTNERS].warehouse) as answer:
        return web.json_response(json.loads(await answer.read()))


@routes.get("/bundles/{name}")
async def bundle(request: web.Request) -> web.Response:
    """List the contents of a bundle: each of the two contains the other."""
    return web.json_response(_contents(request.match_info["name"]))


@routes.post("/stock/{sku}/label")
async def label(request: web.Request) -> web.Response:
    """Print a label, in the printer's own small character set."""
    text = f"{request.match_info['sku']} Käse"
    return web.Response(body=text.encode("ascii"))


def _contents(name: str) -> list[Any]:
    return [_contents(part) if part in _BUNDLES else part for part in _BUNDLES[name]]
