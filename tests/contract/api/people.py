"""People at a worker's pages: somebody's account, a browser of theirs, and what an answer has it keep."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import timedelta
from itertools import count
from typing import Any, Final

import aiohttp
from aiohttp import hdrs
from argon2 import PasswordHasher
from tests.contract.api.conftest import Site, serve
from tests.tools.clock import FixedClock

from faultwire_consumer.domain.access.scope import AccountRole
from faultwire_consumer.store.access.accounts import NewAccount, add_account
from faultwire_consumer.store.access.audit import AuditFilter, AuditRow, list_audit
from faultwire_consumer.store.contract.store import Store
from faultwire_consumer.web.access.password import PasswordKeeper
from faultwire_consumer.web.access.session import SessionRecogniser
from faultwire_consumer.web.access.sign_in import SignInDoor

PASSWORD: Final = "correct horse battery"  # noqa: S105 - a test's own
HASHER: Final = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
OWN: Final = {"Sec-Fetch-Site": "same-origin"}
DAY: Final = timedelta(days=1)
PUBLIC: Final = "https://errors.example.com"


@asynccontextmanager
async def serve_people(store: Store, clock: FixedClock, **settings: Any) -> AsyncIterator[Site]:
    """A worker at which people sign in."""
    numbers = count()
    door = SignInDoor(store, PasswordKeeper(HASHER), clock=clock, draw=lambda: f"secret-{next(numbers)}")
    known = {"recognisers": [SessionRecogniser(store, clock=clock)], "sign_in_door": door}
    async with serve(store, clock, **known | settings) as site:
        yield site


async def add_person(
    store: Store, name: str = "ada", role: AccountRole = AccountRole.OPERATOR, password: str = PASSWORD
) -> int:
    new = NewAccount(name=name, role=role, at=FixedClock()(), password_hash=HASHER.hash(password))
    async with store.write() as tx:
        added = await add_account(tx, new)
    assert added is not None
    return added


class Browser:
    """Keeps cookies as a browser does, by its own hand, so that a test sees them."""

    def __init__(self, site: Site, host: str | None = None) -> None:
        self._site = site
        self._host = host
        self.jar: dict[str, str] = {}

    async def ask(
        self, method: str, path: str, *, data: Any = None, json: Any = None, headers: Any = None
    ) -> aiohttp.ClientResponse:
        sent: dict[str, str] = {"Accept": "text/html"}
        if self._host is not None:
            sent["Host"] = self._host
        if self.jar:
            sent["Cookie"] = "; ".join(f"{name}={value}" for name, value in self.jar.items())
        if method != "GET":
            sent |= OWN
        answer = await self._site.client.request(
            method,
            path,
            data=data,
            json=json,
            headers=sent | dict(headers or {}),
            allow_redirects=False,
            cookies={},
        )
        await answer.read()
        self._site.client.session.cookie_jar.clear()
        for name, morsel in answer.cookies.items():
            if morsel["max-age"] == "0" or not morsel.value:
                self.jar.pop(name, None)
            else:
                self.jar[name] = morsel.value
        return answer

    async def sign_in(
        self, name: str = "ada", password: str = PASSWORD, *, following: str = "/", headers: Any = None
    ) -> aiohttp.ClientResponse:
        form = {"name": name, "password": password, "next": following}
        return await self.ask("POST", "/sign-in", data=form, headers=headers)

    async def status_of(self, path: str = "/", method: str = "GET", **given: Any) -> int:
        return (await self.ask(method, path, **given)).status


def cookie_line(answer: aiohttp.ClientResponse, name: str) -> Mapping[str, str]:
    """The attributes of a cookie as they were sent, by their small names."""
    lines = [line for line in answer.headers.getall(hdrs.SET_COOKIE) if line.startswith(f"{name}=")]
    assert len(lines) == 1
    parts = [part.strip().partition("=") for part in lines[0].split(";")[1:]]
    return {key.lower(): value for key, _, value in parts}


async def audit(store: Store, **wanted: Any) -> list[AuditRow]:
    """The audit, the oldest entry first."""
    return list((await list_audit(store, AuditFilter(**wanted), limit=1_000)).rows)[::-1]
