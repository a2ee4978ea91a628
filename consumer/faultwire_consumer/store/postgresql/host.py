"""Choice among a URL's hosts: the first that answers and is the kind of server that was asked for.

asyncpg takes a list of hosts too, but with one timeout for all of them: a host that drops every
packet, such as a machine without power, would use it up, and the next one would never be tried.
"""

from collections.abc import Callable, Sequence
from typing import Any, Final

import asyncpg

from faultwire_consumer.store.contract.failure import refuses_login
from faultwire_consumer.store.contract.store import StoreRefusedError

CONNECT_SECONDS: Final = 60.0
"""asyncpg's own timeout, unless another one is given."""

_REFUSALS: Final = (
    OSError,
    TimeoutError,
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
)

Connect = Callable[..., Any]
"""``asyncpg.connect``, or a function in its place."""


class HostChooser:
    """Opener of connections that tries the last host that worked first.

    Called in place of ``asyncpg.connect``, with its arguments.
    """

    def __init__(self, connect: Connect = asyncpg.connect) -> None:
        self._connect = connect
        self._last: tuple[str, int] | None = None

    async def __call__(
        self,
        *,
        host: str | Sequence[str] | None = None,
        port: int | Sequence[int] | None = None,
        timeout: float = CONNECT_SECONDS,  # noqa: ASYNC109 - asyncpg's own argument
        **rest: Any,
    ) -> Any:
        """Open a connection to the first host that accepts it.

        Raises:
            StoreRefusedError: none of several hosts does, and one of them refuses the login.
            ConnectionError: none of several hosts does; the text says why for each.
        """
        if isinstance(host, str) or isinstance(port, int) or host is None or port is None:
            return await self._connect(host=host, port=port, timeout=timeout, **rest)
        failures, is_refused = [], False
        for place in self._in_order(list(zip(host, port, strict=True))):
            try:
                connection = await self._connect(host=place[0], port=place[1], timeout=timeout, **rest)
            except _REFUSALS as error:
                failures.append(f"{place[0]}:{place[1]}: {_why(error)}")
                is_refused = is_refused or refuses_login(error)
            else:
                self._last = place
                return connection
        kind = StoreRefusedError if is_refused else ConnectionError
        raise kind(f"no host will do: {'; '.join(failures)}")

    def _in_order(self, places: list[tuple[str, int]]) -> list[tuple[str, int]]:
        return sorted(places, key=lambda place: place != self._last)


def _why(error: BaseException) -> str:
    if isinstance(error, asyncpg.TargetServerAttributeNotMatched):
        return "it is not what target_session_attrs asks for"
    return str(error).partition("\n")[0][:120] or type(error).__name__
