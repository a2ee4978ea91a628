"""Views of the list: queries with a name, those that everybody has and those that a browser keeps."""

import base64
import binascii
from collections.abc import Sequence
from typing import Final

import msgspec
from msgspec import Struct

from faultwire_consumer.domain.figures.order import IncidentOrder
from faultwire_consumer.domain.query.edit import write_term
from faultwire_consumer.domain.query.query import Key, Term
from faultwire_consumer.web.page.incidents.search import Search
from faultwire_consumer.web.page.listed import TO_DO, USUAL_ORDER, list_path

VIEWS_COOKIE: Final = "faultwire_views"
KEPT_MAX: Final = 8
NAME_CHARACTERS: Final = 40
COOKIE_CHARACTERS: Final = 3_500
"""Browsers keep 4,096 bytes of a cookie, its name and attributes included."""


class KeptView(Struct, frozen=True, array_like=True):
    """A query that somebody gave a name."""

    name: str
    text: str
    order: IncidentOrder = USUAL_ORDER


class ViewLink(Struct, frozen=True, kw_only=True):
    """A view as a link to the list that it asks for."""

    name: str
    text: str
    path: str
    is_current: bool
    count: str | None = None


_USUAL: Final = (
    KeptView("To do", TO_DO),
    KeptView("New", "is:unresolved first:24h"),
    KeptView("Came back", "is:regressed"),
    KeptView("Worse", "is:worse"),
    KeptView("Acknowledged", "is:acknowledged"),
    KeptView("Muted", "is:muted"),
    KeptView("Resolved", "is:resolved"),
    KeptView("All", ""),
)
_MINE_PLACE: Final = 4
_decoder: Final = msgspec.json.Decoder(tuple[KeptView, ...])


def view_links(
    search: Search, *, account: str | None, kept: Sequence[KeptView], to_do: str
) -> tuple[ViewLink, ...]:
    """Return every view's link.

    Args:
        search: the list that is shown.
        account: who reads; None where nobody signs in, so that nothing can be theirs.
        kept: the browser's own views.
        to_do: how many incidents there are to do, as it is shown.
    """
    views = list(_USUAL)
    if account is not None:
        mine = write_term(Term(Key.ASSIGNED, (account,)))
        views.insert(_MINE_PLACE, KeptView("Mine", f"is:unresolved {mine}"))
    return tuple(
        ViewLink(
            name=view.name,
            text=view.text,
            path=list_path(view.text, view.order),
            is_current=view.text == search.text and view.order in (USUAL_ORDER, search.order),
            count=to_do if view.text == TO_DO else None,
        )
        for view in (*views, *kept)
    )


def read_views(cookie: str) -> tuple[KeptView, ...]:
    """Return the views of a cookie; none where it is not one of ours."""
    if not cookie or len(cookie) > COOKIE_CHARACTERS:
        return ()
    try:
        body = base64.b64decode(cookie.encode("ascii") + b"=" * (-len(cookie) % 4), b"-_", validate=True)
        return _decoder.decode(body)[:KEPT_MAX]
    except (binascii.Error, UnicodeError, msgspec.MsgspecError):
        return ()


def write_views(views: Sequence[KeptView]) -> str:
    """Return the cookie that keeps views."""
    return base64.urlsafe_b64encode(msgspec.json.encode(tuple(views))).decode().rstrip("=")


def keep_view(views: Sequence[KeptView], view: KeptView) -> tuple[KeptView, ...] | str:
    """Return the views with one more, in the place of one by the same name; or why it cannot be kept."""
    if not view.name or len(view.name) > NAME_CHARACTERS or not view.name.isprintable():
        return f"A view's name has 1 to {NAME_CHARACTERS} printable characters."
    others = [one for one in views if one.name != view.name]
    if len(others) == KEPT_MAX:
        return f"A browser keeps {KEPT_MAX} views; forget one of them first."
    kept = (*others, view)
    if len(write_views(kept)) > COOKIE_CHARACTERS:
        return "The queries are too long to be kept together; forget one of them first."
    return kept
