"""Which of a URL's hosts a connection goes to: the first that answers and is what was asked for.

asyncpg takes a list of hosts too, but one time for all of them: a host that swallows everything, as a
machine does that lost its power, would take the whole of it, and the next one would never be asked.
"""

from collections.abc import Callable, Sequence
from typing import Any, Final

import asyncpg

CONNECT_SECONDS: Final = 60.0
"""asyncpg's own, where nothing else is said."""

_NO: Final = (
    OSError,
    TimeoutError,
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
)

Connect = Callable[..., Any]
"""``asyncpg.connect``, or what stands for it."""


class HostChooser:
    """Opens connections, and begins with the host that served last.

    SQLAlchemy calls it in the place of ``asyncpg.connect``, with the arguments of the URL.
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
        """A connection to the first host that takes one.

        Raises:
            ConnectionError: none of several does; the text says why of each.
        """
        if isinstance(host, str) or isinstance(port, int) or host is None or port is None:
            return await self._connect(host=host, port=port, timeout=timeout, **rest)
        failures = []
        for place in self._in_order(list(zip(host, port, strict=True))):
            try:
                connection = await self._connect(host=place[0], port=place[1], timeout=timeout, **rest)
            except _NO as error:
                failures.append(f"{place[0]}:{place[1]}: {_why(error)}")
            else:
                self._last = place
                return connection
        raise ConnectionError(f"no host will do: {'; '.join(failures)}")

    def _in_order(self, places: list[tuple[str, int]]) -> list[tuple[str, int]]:
        return sorted(places, key=lambda place: place != self._last)


def _why(error: BaseException) -> str:
    if isinstance(error, asyncpg.TargetServerAttributeNotMatched):
        return "it is not what target_session_attrs asks for"
    return str(error).partition("\n")[0][:120] or type(error).__name__
