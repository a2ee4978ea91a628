"""The few requests to a provider: bounded in time and size, and never led elsewhere."""

import asyncio
from collections.abc import Mapping
from typing import Any, Final

import aiohttp
import msgspec

from faultwire_shared.json_text import UNREADABLE
from faultwire_shared.taxonomy import ExternalError

FETCH_SECONDS: Final = 10.0
ANSWER_BYTES_MAX: Final = 64 * 1024
_decoder: Final = msgspec.json.Decoder(dict[str, Any])


class ProviderUnreachableError(ExternalError):
    """The provider does not answer, or not with what it should."""

    code = "PROVIDER_UNREACHABLE"


async def fetch_json(
    url: str, *, form: Mapping[str, str] | None = None, headers: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """Return the document at an address.

    Args:
        url: whole, from the configuration or from a document of its server.
        form: what is sent; without it, the address is only asked.
        headers: sent along.

    Raises:
        ProviderUnreachableError: no document came.
    """
    method = "GET" if form is None else "POST"
    sent = {"Accept": "application/json"} | dict(headers or {})
    try:
        async with (
            asyncio.timeout(FETCH_SECONDS),
            aiohttp.ClientSession(trust_env=False) as session,
            session.request(method, url, data=form, headers=sent, allow_redirects=False) as answer,
        ):
            body = await _read(answer.content)
            if answer.status != 200:
                raise ProviderUnreachableError(f"{_shown(url)} answered {answer.status}")
    except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as error:
        raise ProviderUnreachableError(f"{_shown(url)}: {str(error) or type(error).__name__}") from None
    try:
        return _decoder.decode(body)
    except (*UNREADABLE, RecursionError):
        raise ProviderUnreachableError(f"{_shown(url)} answered with no JSON document") from None


async def _read(content: aiohttp.StreamReader) -> bytes:
    parts, size = [], 0
    async for part in content.iter_chunked(ANSWER_BYTES_MAX):
        size += len(part)
        if size > ANSWER_BYTES_MAX:
            raise ValueError(f"more than {ANSWER_BYTES_MAX:,} bytes")
        parts.append(part)
    return b"".join(parts)


def _shown(url: str) -> str:
    return url.partition("?")[0][:200]
