"""Notices: what a button did, told once on the page that comes next, with a way to take it back."""

import base64
import binascii
from typing import Final

import msgspec
from aiohttp import web
from msgspec import Struct

NOTICE_COOKIE: Final = "faultwire_notice"
_SECONDS: Final = 60
"""A notice that no page showed by then is forgotten."""
_BYTES_MAX: Final = 2_000
"""Of the cookie; a text in an alphabet whose letters take several bytes is cut earlier."""
_TEXT_CHARACTERS: Final = (600, 150, 60)
_UNDONE_MAX: Final = 40


class Undo(Struct, frozen=True):
    """The verb that takes an act back, and the incidents, or the one silence, for which it does."""

    verb: str
    ids: tuple[str, ...]
    to: str = ""
    """Of an assign: who had it before."""
    of: str = "incidents"
    """The kind of what the ids are of: incidents or silences."""


class Notice(Struct, frozen=True):
    """A sentence of what happened."""

    text: str
    refused: bool = False
    """Nothing happened, and the sentence says why."""
    undo: Undo | None = None


_decoder: Final = msgspec.json.Decoder(Notice)


def leave_notice(response: web.StreamResponse, notice: Notice) -> None:
    """Have the browser show a notice on the next page; of many incidents, without a way back."""
    undo = notice.undo if notice.undo is not None and len(notice.undo.ids) <= _UNDONE_MAX else None
    tried = (_encoded(Notice(_cut(notice.text, most), notice.refused, undo)) for most in _TEXT_CHARACTERS)
    value = next((one for one in tried if len(one) <= _BYTES_MAX), "")
    response.set_cookie(NOTICE_COOKIE, value, max_age=_SECONDS, httponly=True, samesite="Strict")


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[:most].rstrip()}…"


def _encoded(notice: Notice) -> str:
    return base64.urlsafe_b64encode(msgspec.json.encode(notice)).decode().rstrip("=")


def take_notice(request: web.Request) -> Notice | None:
    """Return the notice that the browser brings; None where it brings none of ours."""
    value = request.cookies.get(NOTICE_COOKIE, "")
    if not value or len(value) > _BYTES_MAX:
        return None
    try:
        body = base64.b64decode(value.encode("ascii") + b"=" * (-len(value) % 4), b"-_", validate=True)
        return _decoder.decode(body)
    except (binascii.Error, UnicodeError, msgspec.MsgspecError):
        return None


def forget_notice(response: web.StreamResponse) -> None:
    """Have the browser forget it: it was shown."""
    response.del_cookie(NOTICE_COOKIE, httponly=True, samesite="Strict")
