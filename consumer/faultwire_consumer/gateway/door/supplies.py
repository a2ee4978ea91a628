"""Material of every door of the gateway."""

from collections.abc import Awaitable, Callable
from typing import Protocol

from aiohttp import web
from msgspec import Struct, field

from faultwire_consumer.domain.access.dsn import DsnKey, KeyRefusal
from faultwire_consumer.domain.access.token import AccessToken
from faultwire_consumer.gateway.door.reading_thread import ReadingThreads
from faultwire_consumer.gateway.keeping.keeper import Keeper
from faultwire_consumer.gateway.reports.observer import Observer
from faultwire_shared.clock import Clock

CheckToken = Callable[[str], Awaitable[AccessToken]]
"""Returns the token that a program shows.

It raises an ``AuthenticationError`` where it is none, and `StoreUnavailableError`.
"""


class FindKey(Protocol):
    """The book of keys, see `KeyBook`."""

    async def find(self, public_key: str | None, project: int | None) -> DsnKey | KeyRefusal:
        """Return the key that an SDK shows, or why it is none."""
        ...


class DoorSupplies(Struct, frozen=True, kw_only=True):
    """Material of each door."""

    keys: FindKey
    check_token: CheckToken
    keeper: Keeper
    observer: Observer
    clock: Clock
    address_of: Callable[[web.Request], str | None]
    """Of whoever sent a request; None where it may not be taken for a user's."""
    threads: ReadingThreads = field(default_factory=ReadingThreads)
    is_open: bool = False
    """Programs of this machine need no token."""
