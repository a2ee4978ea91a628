"""The doors of Sentry's SDKs: envelopes, the stores of old clients, and reports of browsers."""

import hashlib
from typing import Final

from aiohttp import web

from faultwire_consumer.gateway.door.body import BodyBounds, held_by, read_pieces, read_whole
from faultwire_consumer.gateway.door.refusal import RefusedRequestError, full
from faultwire_consumer.gateway.door.sender import auth_of, find_sender, library_of, project_in
from faultwire_consumer.gateway.door.sentry_answer import taken
from faultwire_consumer.gateway.door.supplies import DoorSupplies
from faultwire_consumer.gateway.keeping.keeper import Keeping
from faultwire_consumer.gateway.reading import Reading, ReadingContext
from faultwire_consumer.gateway.reports.observer import GatewayProtocol
from faultwire_consumer.gateway.sentry.auth import SentryAuth, find_auth_of_dsn
from faultwire_consumer.gateway.sentry.envelope_header import EnvelopeHeader
from faultwire_consumer.gateway.sentry.header_line import UnreadableEnvelopeError
from faultwire_consumer.gateway.sentry.request import EnvelopeReading, ReadRequest, is_envelope, read_store
from faultwire_consumer.gateway.sentry.security import UnreadableReportsError, count_reports
from faultwire_consumer.gateway.sentry.store_body import StoreTooLargeError, UnreadableStoreError

ENVELOPE: Final = BodyBounds(sent=20 * 1024 * 1024, inflated=100 * 1024 * 1024, seconds=60.0)
STORE: Final = BodyBounds(sent=1024 * 1024, inflated=1024 * 1024, seconds=20.0)


class SentryDoors:
    """Takes what Sentry's SDKs send. Whoever asks is found before the body is read, if the headers say it."""

    def __init__(self, supplies: DoorSupplies) -> None:
        self._supplies = supplies

    async def take_envelope(self, request: web.Request) -> web.StreamResponse:
        """Take an envelope.

        Raises:
            RefusedRequestError: nothing of it is taken.
            ClientGoneError: the client hung up.
        """
        auth, seen = auth_of(request), hashlib.blake2b()
        context = await self._context_of(request, auth, project_in(request)) if auth is not None else None
        with held_by(request) as held:
            reading, size = EnvelopeReading(context), 0
            try:
                async for piece in read_pieces(request, ENVELOPE):
                    seen.update(piece)
                    size += len(piece)
                    await self._supplies.threads.read(size, reading.feed, piece)
                    held.take_up_to(reading.event_bytes)
                    if context is None and reading.header is not None:
                        context = await self._context_by_dsn(request, reading.header)
                        reading.begin(context)
                context = context or await self._context_by_dsn(request, reading.header or EnvelopeHeader())
                reading.begin(context)
                found = await self._supplies.threads.read(size, reading.finish)
            except UnreadableEnvelopeError as error:
                raise _unreadable("the body is no envelope", error) from None
            return await self._keep(found, context, seen.digest())

    async def take_store(self, request: web.Request) -> web.StreamResponse:
        """Take one event, as old clients send it; a new one may send an envelope here.

        Raises:
            RefusedRequestError: it is not taken.
            ClientGoneError: the client hung up.
        """
        if is_envelope(request.content_type):
            return await self.take_envelope(request)
        context = await self._context_of(request, auth_of(request), project_in(request))
        with held_by(request) as held:
            body = await read_whole(request, STORE, held)
            try:
                found = await self._supplies.threads.read(len(body), read_store, body, context)
            except UnreadableStoreError as error:
                raise _unreadable("the body is no event", error) from None
            except StoreTooLargeError as error:
                raise RefusedRequestError(413, str(error), reason="too_large") from None
            return await self._keep(found, context)

    async def take_reports(self, request: web.Request) -> web.StreamResponse:
        """Count what browsers report of themselves, as a page's Content-Security-Policy tells them to.

        Raises:
            RefusedRequestError: it is not taken.
            ClientGoneError: the client hung up.
        """
        context = await self._context_of(request, auth_of(request), project_in(request))
        with held_by(request) as held:
            body = await read_whole(request, STORE, held)
            try:
                reading = Reading(dropped=count_reports(body), sdk=context.sdk)
            except UnreadableReportsError as error:
                raise _unreadable("the body is no report", error) from None
        return await self._keep(ReadRequest(reading=reading, header=EnvelopeHeader(), ids=()), context)

    async def _context_of(
        self, request: web.Request, auth: SentryAuth | None, project: int | None
    ) -> ReadingContext:
        supplies = self._supplies
        key = await find_sender(request, supplies.keys, auth, project, is_open=supplies.is_open)
        return ReadingContext(
            service=key.service,
            received_at=supplies.clock(),
            sdk=library_of(request, auth),
            address=supplies.address_of(request),
        )

    async def _context_by_dsn(self, request: web.Request, header: EnvelopeHeader) -> ReadingContext:
        """A tunnel passes the body alone: it says by itself whose it is, wherever it was sent to."""
        auth = find_auth_of_dsn(header.dsn)
        project = auth.project if auth is not None else project_in(request)
        return await self._context_of(request, auth, project)

    async def _keep(self, found: ReadRequest, context: ReadingContext, seen: bytes = b"") -> web.Response:
        supplies = self._supplies
        if await supplies.keeper.keep(found.reading.events) is Keeping.FULL:
            raise full()
        supplies.observer.saw(
            service=context.service,
            reading=found.reading,
            sdk=context.sdk,
            protocol=GatewayProtocol.SENTRY,
            body=seen,
        )
        return taken(found.ids[0] if found.ids else found.header.event_id)


def _unreadable(detail: str, error: Exception) -> RefusedRequestError:
    return RefusedRequestError(400, detail, reason="not_readable", causes=(str(error),))
