"""Browsers that are signed in: the cookie, and whom it stands for."""

from contextlib import suppress
from datetime import datetime, timedelta
from typing import Final

from aiohttp import hdrs, web

from faultwire_consumer.domain.access.principal import Principal, Via
from faultwire_consumer.domain.access.session_lifetime import SessionVerdict, judge_session
from faultwire_consumer.store.access.sessions import find_session, touch_session
from faultwire_consumer.store.contract.store import Store, StoreUnavailableError
from faultwire_consumer.web.access.own_page import check_own_page
from faultwire_consumer.web.access.refusal import DoubledCookieError
from faultwire_consumer.web.origin import is_loopback_host
from faultwire_shared.clock import Clock

SECURE_COOKIE: Final = "__Host-faultwire"
"""By this name browsers take it over TLS alone, and from nobody but this very host."""
LOOPBACK_COOKIE: Final = "faultwire"
"""Where the browser's own machine is asked without TLS: nobody is on the way."""
_SECRET_CHARACTERS_MAX: Final = 200


class SessionRecogniser:
    """Recognises a person by the session of their browser.

    Args:
        store: the primary; a replica may not know yet that a session was ended.
        clock: tells which sessions are over.
    """

    def __init__(self, store: Store, *, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    async def __call__(self, request: web.Request) -> Principal | None:
        """Return the person; None without a session, or with one that is over.

        Raises:
            DoubledCookieError: there are two.
            ForeignPageError: the request changes something, and no page of the worker's asked for it.
        """
        if any(value[:7].lower() == "bearer " for value in request.headers.getall(hdrs.AUTHORIZATION, ())):
            return None  # a program: it says itself who it is
        secret = read_cookie(request)
        if secret is None:
            return None
        session, now = await find_session(self._store, secret), self._clock()
        if session is None or session.account.disabled_at is not None:
            return None
        verdict = judge_session(seen_at=session.seen_at, expires_at=session.expires_at, now=now)
        if not verdict.is_live:
            return None
        check_own_page(request)
        if verdict is SessionVerdict.TOUCH:
            await self._touch(secret, now)
        account = session.account
        return Principal(
            actor=account.name, via=Via.SESSION, scopes=account.role.scopes, subject_id=account.id
        )

    async def _touch(self, secret: str, now: datetime) -> None:
        """Keep that it is used; nobody fails because that cannot be written now."""
        with suppress(StoreUnavailableError):
            async with self._store.write() as tx:
                await touch_session(tx, secret, now=now)


def cookie_name(request: web.Request) -> str:
    """Return the name of the cookie at the address that the browser asked."""
    return LOOPBACK_COOKIE if is_loopback_host(request.headers.get(hdrs.HOST)) else SECURE_COOKIE


def read_cookie(request: web.Request, suffix: str = "") -> str | None:
    """Return what the browser's cookie holds.

    Raises:
        DoubledCookieError: there are two by that name.
    """
    name = cookie_name(request) + suffix
    pairs = [
        pair.strip().partition("=")
        for header in request.headers.getall(hdrs.COOKIE, ())
        for pair in header.split(";")
    ]
    found = [value.strip() for key, _, value in pairs if key.strip() == name]
    if len(found) > 1:
        raise DoubledCookieError(name)
    return found[0] if found and 0 < len(found[0]) <= _SECRET_CHARACTERS_MAX else None


def set_cookie(
    request: web.Request, response: web.StreamResponse, secret: str, *, life: timedelta, suffix: str = ""
) -> None:
    """Have the browser keep a secret, which no script can read and no other site's form sends along."""
    name = cookie_name(request)
    response.set_cookie(
        name + suffix,
        secret,
        max_age=round(life.total_seconds()),
        path="/",
        secure=name == SECURE_COOKIE,
        httponly=True,
        samesite="Lax",
    )


def clear_cookie(request: web.Request, response: web.StreamResponse, suffix: str = "") -> None:
    """Have the browser forget it."""
    name = cookie_name(request)
    response.del_cookie(name + suffix, path="/", secure=name == SECURE_COOKIE, httponly=True, samesite="Lax")
