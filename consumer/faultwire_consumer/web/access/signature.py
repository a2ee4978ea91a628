"""The interface of what reads signatures; only a worker that needs it loads the library for that."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Protocol

Fetch = Callable[[], Awaitable[Mapping[str, Any]]]
"""Asks for the document with a signer's public keys."""


class SignedReader(Protocol):
    """Reads what one signer signed."""

    async def read(self, text: str) -> dict[str, Any]:
        """Return the claims of a token.

        Raises:
            SignatureRefusedError: the signer did not sign it.
            ProviderUnreachableError: its keys cannot be asked for.
        """
        ...
