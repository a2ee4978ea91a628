"""The tools over standard input and output, as an agent on the same machine starts them."""

from collections.abc import Sequence

from mcp.server.stdio import stdio_server

from faultwire_consumer.agents.door import Door
from faultwire_consumer.agents.server import build_server
from faultwire_consumer.agents.tool import Tool


async def serve_standard(tools: Sequence[Tool], door: Door) -> None:
    """Serve until standard input ends."""
    server = build_server(tools, lambda: door)
    async with stdio_server() as (read, write):
        await server.run(read, write, server.create_initialization_options())
