"""Templates and static files: read once at import, so that no request touches the disk."""

import hashlib
import json
from collections.abc import Mapping
from datetime import datetime
from importlib.resources import files
from typing import Any, Final

from aiohttp import web
from jinja2 import DictLoader, Environment, StrictUndefined
from msgspec import Struct

from faultwire_consumer.domain.incident_name import incident_name
from faultwire_consumer.web.access.declared import OPEN, AccessRoutes
from faultwire_shared import __version__

_PACKAGE: Final = files("faultwire_consumer.web.page")
_TYPES: Final = {"css": "text/css", "svg": "image/svg+xml"}
# A joiner holds the parts of one written sign together, in many languages and in emoji.
_KEPT: Final = "\n\t\u200c\u200d"

routes = AccessRoutes()


class Asset(Struct, frozen=True):
    """A file that a page refers to; its address changes with its content."""

    body: bytes
    content_type: str
    address: str


def _read_assets() -> dict[str, Asset]:
    assets = {}
    for file in (_PACKAGE / "static").iterdir():
        kind = file.name.rpartition(".")[2]
        if kind in _TYPES:
            body = file.read_bytes()
            address = f"/static/{file.name}?{hashlib.sha256(body).hexdigest()[:12]}"
            assets[file.name] = Asset(body, _TYPES[kind], address)
    return assets


def _read_templates() -> dict[str, str]:
    return {
        file.name: file.read_text(encoding="utf-8")
        for file in (_PACKAGE / "templates").iterdir()
        if file.name.endswith(".html")
    }


def show_moment(moment: datetime) -> str:
    """A time as people read it, in UTC."""
    return f"{moment:%Y-%m-%d %H:%M:%S} UTC"


def show_age(moment: datetime, now: datetime) -> str:
    """The time since a moment, in the one unit that matters."""
    seconds = max(0, int((now - moment).total_seconds()))
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds // size} {unit} ago"
    return f"{seconds} s ago"


def show_text(value: object) -> str:
    """Stored text without what could steer a reader's eye: control and direction characters as escapes."""
    text = str(value)
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() or c in _KEPT else c.encode("unicode_escape").decode() for c in text)


def show_json(value: object) -> str:
    """A stored value as readable JSON."""
    return show_text(
        value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, indent=2, default=str)
    )


ASSETS: Final[Mapping[str, Asset]] = _read_assets()
_environment: Final = Environment(
    loader=DictLoader(_read_templates()),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_environment.globals.update(
    version=__version__,
    incident_name=incident_name,
    assets={name: asset.address for name, asset in ASSETS.items()},
)
_environment.filters.update(
    moment=show_moment,
    iso=lambda moment: moment.isoformat().replace("+00:00", "Z"),
    age=show_age,
    clean=show_text,
    readable=show_json,
    number=lambda number: f"{number:,}",
)
_TEMPLATES: Final = {name: _environment.get_template(name) for name in _environment.list_templates()}


def render(template: str, *, status: int = 200, **values: Any) -> web.Response:
    """A page."""
    text = _TEMPLATES[template].render(values)
    return web.Response(text=text, status=status, content_type="text/html", charset="utf-8")


@routes.get("/static/{name}", access=OPEN)
async def show_asset(request: web.Request) -> web.Response:
    """A style sheet or picture; it may be kept for ever, for its address names its content."""
    asset = ASSETS.get(request.match_info["name"])
    if asset is None:
        raise web.HTTPNotFound
    return web.Response(
        body=asset.body,
        content_type=asset.content_type,
        headers={"Cache-Control": "public, max-age=31536000, immutable"},
    )
