"""To a worker's own intake: one POST per message, and 202 is the confirm."""

import asyncio
from http import HTTPStatus
from typing import Final

import aiohttp

from faultwire.publish.transport import Busy, Outgoing, Refused, TransportDown, publish_seconds
from faultwire_shared.codec import CONTENT_TYPE
from faultwire_shared.redact import redact_url

INTAKE: Final = "/ingest/v1/events"
CLOSE_SECONDS: Final = 3.0

_REFUSED: Final = (
    HTTPStatus.BAD_REQUEST,
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    HTTPStatus.UNPROCESSABLE_ENTITY,
)


class HttpTransport:
    """One keep-alive session to ``<base>/ingest/v1/events``."""

    def __init__(self, url: str) -> None:
        self._url = url.rstrip("/") + INTAKE
        self._session: aiohttp.ClientSession | None = None

    async def open(self) -> None:
        """Make the session; the first publish connects."""
        self._session = aiohttp.ClientSession(
            cookie_jar=aiohttp.DummyCookieJar(),
            headers={"Content-Type": CONTENT_TYPE},
        )

    async def publish(self, message: Outgoing) -> None:
        """Post the body; 202 says that the worker has every event, if only as a dead letter.

        Raises:
            TransportDown: no answer within the time, or no connection; the message may have arrived.
            Busy: the worker is there and takes nothing now, with its ``Retry-After``.
            Refused: the worker will never take this body.
        """
        session = self._session
        if session is None:
            raise TransportDown("not connected")
        try:
            timeout = aiohttp.ClientTimeout(total=publish_seconds(message))
            async with session.post(
                self._url, data=message.body, allow_redirects=False, timeout=timeout
            ) as answer:
                _judge(answer)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            text = str(error) or type(error).__name__
            raise TransportDown(f"post to {redact_url(self._url)}: {text}") from None

    async def watch(self) -> None:
        """Wait for ever: a session has no state to watch."""
        await asyncio.Event().wait()

    async def aclose(self) -> None:
        """Close the session."""
        session, self._session = self._session, None
        if session is None:
            return
        try:
            async with asyncio.timeout(CLOSE_SECONDS):
                await session.close()
        except TimeoutError:
            return


def _judge(answer: aiohttp.ClientResponse) -> None:
    if answer.status == HTTPStatus.ACCEPTED:
        return
    text = f"the intake answered {answer.status}"
    if answer.status in _REFUSED:
        raise Refused(text)
    raise Busy(text, after_seconds=_seconds(answer.headers.get("Retry-After")))


def _seconds(header: str | None) -> float | None:
    # The other form, a date, needs two clocks that agree; the usual wait is as good.
    return float(header) if header is not None and header.isascii() and header.isdigit() else None
