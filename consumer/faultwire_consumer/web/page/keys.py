"""The keys that do something on the pages, in one table: the script's dialog shows it too."""

from typing import Final

from aiohttp import web
from msgspec import Struct

from faultwire_consumer.domain.access.scope import AccessScope
from faultwire_consumer.web.access.declared import AccessRoutes
from faultwire_consumer.web.page.shell import show

routes = AccessRoutes()


class Shortcut(Struct, frozen=True):
    """Keys, pressed one after the other, and what they do."""

    keys: tuple[str, ...]
    does: str


class ShortcutGroup(Struct, frozen=True):
    """Keys that belong together."""

    title: str
    keys: tuple[Shortcut, ...]


SHORTCUTS: Final = (
    ShortcutGroup(
        "In a list",
        (
            Shortcut(("j",), "the next row; on an incident, the next one of the list"),
            Shortcut(("k",), "the row before; on an incident, the one before"),
            Shortcut(("o",), "open it, as Enter does"),
            Shortcut(("x",), "choose it, or not any more"),
            Shortcut(("u",), "show what changed while you read"),
            Shortcut(("/",), "go to the search box"),
        ),
    ),
    ShortcutGroup(
        "Incidents: the one that is shown, those that are chosen, or the row that you are on",
        (
            Shortcut(("a",), "acknowledge"),
            Shortcut(("r",), "resolve"),
            Shortcut(("i",), "assign"),
            Shortcut(("m",), "mute"),
            Shortcut(("c",), "comment"),
        ),
    ),
    ShortcutGroup(
        "Events of an incident",
        (Shortcut(("n",), "the newer event"), Shortcut(("p",), "the older event")),
    ),
    ShortcutGroup(
        "Go to",
        (
            Shortcut(("g", "i"), "Incidents"),
            Shortcut(("g", "r"), "Releases"),
            Shortcut(("g", "t"), "Told"),
            Shortcut(("g", "d"), "Dead letters"),
            Shortcut(("g", "p"), "Producers"),
            Shortcut(("g", "h"), "Health"),
            Shortcut(("g", "a"), "Access, for an admin"),
        ),
    ),
    ShortcutGroup("Everywhere", (Shortcut(("?",), "this list"),)),
)
"""Each is what an element names in ``data-key``, its keys with a blank between them, or the script's own."""


@routes.get("/keys", access=AccessScope.READ)
async def show_keys(request: web.Request) -> web.Response:
    """The list of keys, and how to turn them off."""
    return await show(request, "section/keys.html", groups=SHORTCUTS)
