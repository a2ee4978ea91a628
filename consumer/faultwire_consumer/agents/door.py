"""The API as an agent's tools ask it, whichever way they reach it."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

Parameters = Mapping[str, str | int | None]
"""Of a request, by name; None is left out."""


class DoorError(Exception):
    """The API said no, or does not answer; the text is for the agent."""


class Door(Protocol):
    """The worker's API under ``/api/v1``, in the name of whoever asks."""

    async def read(self, *path: str, parameters: Parameters) -> Any:
        """Return a document of the API.

        Raises:
            DoorError: the worker says no, or does not answer.
        """
        ...

    async def report(self, *path: str, parameters: Parameters) -> str:
        """Return a report of the API, as Markdown.

        Raises:
            DoorError: the worker says no, or does not answer.
        """
        ...

    async def act(self, *path: str, body: Mapping[str, Any]) -> Any:
        """Ask for a change, and return the document that answers.

        Raises:
            DoorError: the worker says no, or does not answer.
        """
        ...


def as_path(path: Sequence[str]) -> tuple[str, ...]:
    """Return the whole path of something under the API."""
    return ("api", "v1", *path)
