"""A tool: a name, what it is for, its arguments as a type, and what it does with them."""

from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
from msgspec import Struct

from faultwire_consumer.agents.door import Door


class BadArgumentsError(Exception):
    """The arguments do not fit the tool; the text says which and why."""


class Tool(Struct, frozen=True, kw_only=True):
    """One thing that an agent can ask for."""

    name: str
    title: str
    description: str
    arguments: type[Struct]
    run: Callable[[Door, Any], Awaitable[str]]
    acts: bool = False
    """It changes something, so it is offered only to a token with the scope ``act``."""

    @property
    def schema(self) -> dict[str, Any]:
        """Return the JSON Schema of its arguments, without references."""
        (schema,), components = msgspec.json.schema_components([self.arguments])
        name = str(schema["$ref"]).rpartition("/")[2]
        return {"type": "object", **components[name]}

    async def call(self, door: Door, arguments: dict[str, Any]) -> str:
        """Check the arguments, do it, and return Markdown.

        Raises:
            BadArgumentsError: they do not fit.
            DoorError: the worker says no, or does not answer.
        """
        try:
            given = msgspec.convert(arguments, self.arguments)
        except msgspec.ValidationError as error:
            raise BadArgumentsError(f"{self.name}: {error}") from None
        return await self.run(door, given)
