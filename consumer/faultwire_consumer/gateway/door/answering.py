"""The common part of all the gateway's addresses: preflights, refusals, and what lets pages read them."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final, Protocol

from aiohttp import hdrs, web

from faultwire_consumer.gateway.door.cors import open_to_pages, preflight
from faultwire_consumer.gateway.door.refusal import RefusedRequestError
from faultwire_consumer.gateway.reports.observer import Observer
from faultwire_consumer.serving.refusal import ClientGoneError
from faultwire_shared.logging.logs import get_logger

KEY_START: Final = 4
"""Characters of a wrong key that are told on."""

Take = Callable[[web.Request], Awaitable[web.StreamResponse]]

log = get_logger("faultwire.gateway")


class Tongue(Protocol):
    """The way in which a protocol says that something was not taken."""

    def refuse(self, request: web.Request, error: RefusedRequestError) -> web.Response:
        """Say why."""
        ...

    def fail(self, request: web.Request) -> web.Response:
        """Say that it is no fault of the sender's."""
        ...


def answering(take: Take, observer: Observer, tongue: Tongue, *, method: str | None = hdrs.METH_POST) -> Take:
    """Make a handler for all methods that answers whatever comes.

    Args:
        take: answers the right method, or raises why it does not.
        observer: is told of what is refused.
        tongue: tells the sender.
        method: the right one; None for whichever comes.
    """
    allowed = ", ".join((method or hdrs.METH_POST, hdrs.METH_OPTIONS))

    async def handle(request: web.Request) -> web.StreamResponse:
        if request.method == hdrs.METH_OPTIONS:
            return open_to_pages(preflight(request, allowed))
        try:
            _check_method(request, method or request.method, allowed)
            response = await take(request)
        except RefusedRequestError as error:
            tell(observer, request, error)
            response = tongue.refuse(request, error)
        except (ClientGoneError, asyncio.CancelledError):
            raise
        except Exception:
            log.exception("gateway.failed", path=request.path)
            response = tongue.fail(request)
        return finished(request, response)

    return handle


def finished(request: web.Request, response: web.StreamResponse) -> web.StreamResponse:
    """Let pages read an answer; of a body that was not read to its end, no more than a moment's is."""
    if not request.content.is_eof():
        response.force_close()
    return open_to_pages(response)


def tell(observer: Observer, request: web.Request, error: RefusedRequestError) -> None:
    """Tell the observer of a refused request, without its query, which holds the key."""
    observer.refused(
        reason=error.reason,
        path=request.path,
        user_agent=request.headers.get(hdrs.USER_AGENT, ""),
        key_start=None if error.key_start is None else error.key_start[:KEY_START],
    )


def _check_method(request: web.Request, method: str, allowed: str) -> None:
    if request.method != method:
        raise RefusedRequestError(405, f"this address takes {allowed}", reason="not_allowed", allowed=allowed)
