"""``POST /mcp``: the tools of coding agents, under the worker's own access."""

from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from secrets import token_urlsafe
from typing import Any, Final
from urllib.parse import quote

from aiohttp import ClientError, ClientResponse, ClientSession, ClientTimeout, hdrs, web

from faultwire_consumer.agents.acting import ACTING
from faultwire_consumer.agents.door import DoorError, Parameters, as_path
from faultwire_consumer.agents.reading import READING
from faultwire_consumer.agents.tool import Tool
from faultwire_consumer.domain.access.principal import Via
from faultwire_consumer.domain.access.scope import AccessScope
from faultwire_consumer.serving.body import read_whole_body
from faultwire_consumer.serving.principal import PRINCIPAL
from faultwire_consumer.web.access.declared import AccessRoutes
from faultwire_consumer.web.access.visitor import BEHALVES, ON_BEHALF, address_of
from faultwire_consumer.web.state import REQUEST_ID

MCP_PATH: Final = "/mcp"
_SECONDS: Final = 200.0
"""A rehearsal of rules takes three minutes at most, anything else a second."""

routes = AccessRoutes()


class LoopbackDoor:
    """The worker's own API, asked through its own port: what holds for a program holds for an agent."""

    def __init__(self, session: ClientSession, address: str) -> None:
        self._session = session
        self._address = address

    async def read(self, *path: str, parameters: Parameters) -> Any:
        """Return a document of the API."""
        async with self._ask("GET", path, params=_given(parameters)) as answer:
            return await answer.json()

    async def report(self, *path: str, parameters: Parameters) -> str:
        """Return a report of the API."""
        async with self._ask("GET", path, params=_given(parameters)) as answer:
            return await answer.text()

    async def act(self, *path: str, body: Mapping[str, Any]) -> Any:
        """Ask for a change."""
        async with self._ask("POST", path, json=body) as answer:
            return await answer.json()

    @asynccontextmanager
    async def _ask(
        self, method: str, path: tuple[str, ...], **arguments: Any
    ) -> AsyncIterator[ClientResponse]:
        below = "/".join(quote(part, safe="") for part in as_path(path))
        url = f"{self._address}/{below}"
        try:
            async with self._session.request(method, url, allow_redirects=False, **arguments) as answer:
                if answer.status >= 300:
                    raise DoorError(await _refusal(answer))
                yield answer
        except (ClientError, TimeoutError) as error:
            raise DoorError(f"the worker does not answer: {error}") from None


@routes.post(MCP_PATH, access=AccessScope.READ)
async def serve_agent(request: web.Request) -> web.Response:
    """Answer a coding agent by the Model Context Protocol (streamable HTTP, without a session)."""
    try:
        from faultwire_consumer.agents.endpoint import answer_request  # noqa: PLC0415 - mcp is an extra
    except ImportError:
        raise web.HTTPNotImplemented(text="This needs the extra: pip install 'faultwire[mcp]'") from None
    body = await read_whole_body(request)
    named = {name.lower(): value for name, value in request.headers.items()}
    with _on_behalf(request) as behalf:
        passed_on = _passed_on(request) | behalf
        async with ClientSession(headers=passed_on, timeout=ClientTimeout(total=_SECONDS)) as session:
            door = LoopbackDoor(session, _own_address(request))
            answer = await answer_request(body, named, tools=_tools_of(request), door=door)
    return web.Response(body=answer.body, status=answer.status, headers=answer.headers)


@contextmanager
def _on_behalf(request: web.Request) -> Iterator[dict[str, str]]:
    """Give the headers by which the worker knows whose request it asks itself, for the audit."""
    behalves, word = request.app[BEHALVES], token_urlsafe()
    behalves[word] = address_of(request)
    try:
        yield {ON_BEHALF: word, "X-Request-ID": request[REQUEST_ID]}
    finally:
        del behalves[word]


def _tools_of(request: web.Request) -> Sequence[Tool]:
    """Return what is offered: a token that may act is given the verbs, an open door is not."""
    principal = request[PRINCIPAL]
    acts = principal.via is Via.TOKEN and principal.may(AccessScope.ACT)
    return (*READING, *ACTING) if acts else READING


def _passed_on(request: web.Request) -> dict[str, str]:
    """Return who asks and by which name, for the request that is asked in their name."""
    names = (hdrs.AUTHORIZATION, hdrs.HOST)
    return {name: request.headers[name] for name in names if name in request.headers}


def _own_address(request: web.Request) -> str:
    """Return the address that this request came in by."""
    assert request.transport is not None  # noqa: S101 - for mypy: its body has just been read
    host, port = request.transport.get_extra_info("sockname")[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _given(parameters: Parameters) -> dict[str, str]:
    return {name: str(value) for name, value in parameters.items() if value is not None}


async def _refusal(answer: ClientResponse) -> str:
    """Return the API's own sentence on why it says no."""
    try:
        error = (await answer.json())["error"]
        details = "; ".join(
            f"{each['field']}: {each['message']}" for each in error["details"].get("errors", ())
        )
        return f"{error['message']} {details}".strip()
    except (ClientError, ValueError, KeyError, TypeError):
        return f"the worker answered {answer.status}"
