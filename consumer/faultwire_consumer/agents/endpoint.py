"""The tools over streamable HTTP: one request, one answer, nothing kept in between."""

import asyncio
from collections.abc import Mapping, MutableMapping, Sequence
from typing import Any, Final

from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
from msgspec import Struct, field

from faultwire_consumer.agents.door import Door
from faultwire_consumer.agents.server import build_server
from faultwire_consumer.agents.tool import Tool

Message = MutableMapping[str, Any]
"""A message of ASGI, which the SDK speaks (https://asgi.readthedocs.io, HTTP connection scope)."""
_HEADERS: Final = ("accept", "content-type", "mcp-protocol-version", "mcp-method", "mcp-name")
"""The protocol's own headers: credentials are the worker's matter, and end there."""


class AgentAnswer(Struct):
    """The answer to one request."""

    status: int = 500
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""


async def answer_request(
    body: bytes, headers: Mapping[str, str], *, tools: Sequence[Tool], door: Door
) -> AgentAnswer:
    """AgentAnswer one message of the protocol, which a client posted.

    Args:
        body: the message as it came.
        headers: of the request; names in small letters.
        tools: what is offered to whoever asks.
        door: the API in their name.
    """
    answer, finished = AgentAnswer(), asyncio.Event()
    left = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive() -> Message:
        if left:
            return left.pop()
        await finished.wait()
        return {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        if message["type"] == "http.response.start":
            answer.status = message["status"]
            answer.headers = {name.decode(): value.decode() for name, value in message.get("headers", ())}
        else:
            answer.body += message.get("body", b"")
            if not message.get("more_body", False):
                finished.set()

    server = build_server(tools, lambda: door)
    # One for each request: it can be run once, and there is no session for it to keep.
    manager = StreamableHTTPSessionManager(server, json_response=True, stateless=True)
    async with manager.run():
        await manager.handle_request(_scope(headers), receive, send)
    return answer


def _scope(headers: Mapping[str, str]) -> dict[str, Any]:
    given = [(name.encode(), headers[name].encode()) for name in _HEADERS if name in headers]
    return {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "POST",
        "scheme": "http",
        "path": "/mcp",
        "raw_path": b"/mcp",
        "root_path": "",
        "query_string": b"",
        "headers": given,
        "client": None,
        "server": None,
        "state": {},
    }
