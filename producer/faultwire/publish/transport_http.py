"""To a worker's own intake: one POST per message, and 202 is the confirm."""

import asyncio
from http import HTTPStatus
from typing import Final

import aiohttp

from faultwire.publish.credential import Credential
from faultwire.publish.transport import Busy, Denied, Outgoing, Refused, TransportDown, publish_seconds
from faultwire_shared.codec import CONTENT_TYPE
from faultwire_shared.redact import redact_url
from faultwire_shared.tls.context import TlsFileError, make_context
from faultwire_shared.tls.files import secured_of
from faultwire_shared.tls.refusal import why_refused

INTAKE: Final = "/ingest/v1/events"
CLOSE_SECONDS: Final = 3.0
DENIED_SECONDS: Final = 10.0
"""Until the next attempt of a client that is not let in."""

_REFUSED: Final = (
    HTTPStatus.BAD_REQUEST,
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    HTTPStatus.UNPROCESSABLE_ENTITY,
)
_NO_TIMEOUT: Final = aiohttp.ClientTimeout(total=None)
"""The whole of a publish has one."""
_DENIED: Final = (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN)


class HttpTransport:
    """One keep-alive session to ``<base>/ingest/v1/events``; its token goes nowhere else."""

    def __init__(self, url: str, credential: Credential | None = None) -> None:
        """Take the intake's address.

        Raises:
            ValueError: what stands behind its ``?`` is not about TLS.
        """
        self._secured = secured_of(url)
        self._url = self._secured.address.rstrip("/") + INTAKE
        self._credential = credential
        self._session: aiohttp.ClientSession | None = None

    async def open(self) -> None:
        """Make the session, with the files of TLS as they are now; the first publish connects.

        Raises:
            TransportDown: a file of TLS cannot be used.
        """
        await self._read_credential()
        self._session = aiohttp.ClientSession(
            connector=await self._connector(),
            cookie_jar=aiohttp.DummyCookieJar(),
            headers={"Content-Type": CONTENT_TYPE},
        )

    async def _connector(self) -> aiohttp.TCPConnector | None:
        """Return a connector that trusts whom the files name; None where there are none."""
        _, files, verifies = self._secured
        if verifies and not any(files):
            return None
        try:
            context = await asyncio.to_thread(make_context, files, verifies=verifies)
        except TlsFileError as error:
            raise TransportDown(f"post to {redact_url(self._url)}: {error}") from None
        return aiohttp.TCPConnector(ssl=context)

    async def publish(self, message: Outgoing) -> None:
        """Post the body; 202 says that the worker has every event, if only as a dead letter.

        Raises:
            TransportDown: no answer within the time, or no connection; the message may have arrived.
            Busy: the worker is there and takes nothing now, with its ``Retry-After``.
            Denied: it wants a token, or another one.
            Refused: the worker will never take this body.
        """
        session = self._session
        if session is None:
            raise TransportDown("not connected")
        try:
            async with asyncio.timeout(publish_seconds(message)):
                status = await self._post(session, message)
                if status in _DENIED and await self._read_credential():
                    status = await self._post(session, message)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            text = why_refused(error, "broker_ca_file") or str(error) or type(error).__name__
            raise TransportDown(f"post to {redact_url(self._url)}: {text}") from None
        if status in _DENIED:
            raise Denied(self._why_denied(status), after_seconds=DENIED_SECONDS)

    async def _post(self, session: aiohttp.ClientSession, message: Outgoing) -> int:
        header = self._credential.header if self._credential is not None else None
        headers = {} if header is None else {"Authorization": header}
        async with session.post(
            self._url, data=message.body, headers=headers, allow_redirects=False, timeout=_NO_TIMEOUT
        ) as answer:
            if answer.status not in _DENIED:
                _judge(answer)
            return answer.status

    async def _read_credential(self) -> bool:
        """Read the token's file again; True if it holds another one."""
        credential = self._credential
        if credential is None or not credential.is_file:
            return False
        try:
            return await asyncio.to_thread(credential.read)
        except RuntimeError:  # no thread is to be had, as at the interpreter's end
            return False

    def _why_denied(self, status: int) -> str:
        credential = self._credential
        if credential is None:
            hint = "it wants a token: FAULTWIRE_TOKEN, FAULTWIRE_TOKEN_FILE or token="
        elif credential.fault:
            hint = f"the token's file gives none: {credential.fault}"
        elif status == HTTPStatus.UNAUTHORIZED:
            hint = "the token is unknown, expired or revoked"
        else:
            hint = "the token lacks the scope ingest"
        return f"the intake answered {status}; {hint}"

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
