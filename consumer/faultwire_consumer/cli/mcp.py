"""``faultwire mcp``: tools for a coding agent, over standard input and output."""

import asyncio
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from cyclopts import App

from faultwire_consumer.agents.acting import ACTING
from faultwire_consumer.agents.door import DoorError, Parameters, as_path
from faultwire_consumer.agents.reading import READING
from faultwire_consumer.cli.client import ApiClient
from faultwire_consumer.cli.failure import USAGE, CommandError
from faultwire_consumer.cli.option import OUTPUT, Output
from faultwire_consumer.cli.rehearsal import TIMEOUT_SECONDS
from faultwire_consumer.domain.access.principal import Via
from faultwire_consumer.domain.access.scope import AccessScope

app = App(name="mcp")
T = TypeVar("T")


class ClientDoor:
    """The API of a worker, asked as every command asks it."""

    def __init__(self, client: ApiClient) -> None:
        self._client = client

    async def read(self, *path: str, parameters: Parameters) -> Any:
        """Return a document of the API."""
        return await _told(lambda: self._client.get(*as_path(path), **parameters))

    async def report(self, *path: str, parameters: Parameters) -> str:
        """Return a report of the API."""
        _, body = await _told(lambda: self._client.fetch(as_path(path), parameters))
        return str(body, "utf-8")

    async def act(self, *path: str, body: Mapping[str, Any]) -> Any:
        """Ask for a change."""
        return await _told(lambda: self._client.post(*as_path(path), body=body))


async def _told(ask: Callable[[], T]) -> T:
    """Ask in a thread; what a command would print of a failure is told to the agent."""
    try:
        return await asyncio.to_thread(ask)
    except CommandError as error:
        raise DoorError(str(error)) from None


@app.default
def serve(*, output: Output = OUTPUT) -> None:
    """Serve tools for a coding agent, by the Model Context Protocol over standard input and output.

    An agent's own configuration starts it, as in: claude mcp add faultwire -- faultwire mcp
    """
    try:
        from faultwire_consumer.agents.standard import serve_standard  # noqa: PLC0415 - mcp is an extra
    except ImportError:
        raise CommandError("this needs the extra: pip install 'faultwire[mcp]'", USAGE) from None
    client = ApiClient(output, timeout_seconds=TIMEOUT_SECONDS)
    me = client.get("api", "v1", "me")
    acts = me["via"] == Via.TOKEN and AccessScope.ACT in me["scopes"]
    asyncio.run(serve_standard((*READING, *ACTING) if acts else READING, ClientDoor(client)))
