"""The doors of OpenTelemetry's exporters: logs, traces, and metrics that are only counted."""

from collections.abc import Callable
from typing import Final
from urllib.parse import unquote

from aiohttp import hdrs, web

from faultwire_consumer.domain.access.dsn import KeyRefusal
from faultwire_consumer.domain.access.scope import AccessScope
from faultwire_consumer.domain.access.token import TOKEN_PREFIX, AccessToken
from faultwire_consumer.gateway.door.body import BodyBounds, held_by, read_whole
from faultwire_consumer.gateway.door.otlp_answer import taken
from faultwire_consumer.gateway.door.refusal import RefusedRequestError, full
from faultwire_consumer.gateway.door.sender import auth_of, find_sender, library_of, project_in
from faultwire_consumer.gateway.door.supplies import DoorSupplies
from faultwire_consumer.gateway.keeping.keeper import Keeping
from faultwire_consumer.gateway.otlp.kind import BodyKind, body_kind
from faultwire_consumer.gateway.otlp.request import count_metrics, read_logs, read_traces
from faultwire_consumer.gateway.otlp.result import OtlpContext, OtlpReading, UnreadableOtlpError
from faultwire_consumer.gateway.reading import Reading
from faultwire_consumer.gateway.reports.observer import GatewayProtocol
from faultwire_consumer.store.contract.store import StoreUnavailableError
from faultwire_shared.event import Sdk
from faultwire_shared.taxonomy import AuthenticationError

BATCH: Final = BodyBounds(sent=16 * 1024 * 1024, inflated=16 * 1024 * 1024, seconds=20.0)
"""A batch has to be read as a whole. One of 512 records with long stacks takes a quarter of that."""
UNNAMED: Final = "opentelemetry"
"""The service of resources that name none, where no token is needed that would have a name."""

Read = Callable[[bytes, BodyKind, OtlpContext], OtlpReading]


def read_metrics(body: bytes, kind: BodyKind, _: OtlpContext) -> OtlpReading:
    """Count metrics, see `count_metrics`."""
    return count_metrics(body, kind)


class OtlpDoors:
    """Takes what exporters send. Whoever asks is found before the body is read."""

    def __init__(self, supplies: DoorSupplies) -> None:
        self._supplies = supplies

    async def take_logs(self, request: web.Request) -> web.StreamResponse:
        """Take a batch of log records.

        Raises:
            RefusedRequestError: nothing of it is taken.
            ClientGoneError: the client hung up.
        """
        return await self._take(request, read_logs)

    async def take_traces(self, request: web.Request) -> web.StreamResponse:
        """Take a batch of spans; it raises as `take_logs` does."""
        return await self._take(request, read_traces)

    async def take_metrics(self, request: web.Request) -> web.StreamResponse:
        """Take a batch of metrics; it raises as `take_logs` does."""
        return await self._take(request, read_metrics)

    async def _take(self, request: web.Request, read: Read) -> web.StreamResponse:
        context = await self._find_sender(request)
        kind = body_kind(request.headers.get(hdrs.CONTENT_TYPE, ""))
        if kind is None:
            raise RefusedRequestError(
                415, "send application/x-protobuf or application/json", reason="unknown_type"
            )
        with held_by(request) as held:
            body = await read_whole(request, BATCH, held)
            found = await self._read(read, body, kind, context)
            held.take(sum(len(event.body) for event in found.reading.events))
            if await self._supplies.keeper.keep(found.reading.events) is Keeping.FULL:
                raise full()
        self._tell(found, context, library_of(request, None))
        return taken(kind, found.answer)

    async def _read(self, read: Read, body: bytes, kind: BodyKind, context: OtlpContext) -> OtlpReading:
        try:
            return await self._supplies.threads.read(len(body), read, body, kind, context)
        except UnreadableOtlpError as error:
            raise RefusedRequestError(
                400, "the batch cannot be read", reason="not_readable", causes=(str(error),)
            ) from None

    async def _find_sender(self, request: web.Request) -> OtlpContext:
        shown = token_in(request)
        if shown:
            return self._by_token(await self._check(shown))
        auth, now = auth_of(request), self._supplies.clock()
        if auth is None and self._supplies.is_open and hdrs.ORIGIN not in request.headers:
            return OtlpContext(received_at=now, service=UNNAMED)
        if auth is None:
            detail = "send Authorization: Bearer and a token of the scope ingest, or a DSN's key"
            raise RefusedRequestError(401, detail, reason=KeyRefusal.MISSING.value, key_start="")
        project, is_open = project_in(request), self._supplies.is_open
        key = await find_sender(request, self._supplies.keys, auth, project, is_open=is_open)
        return OtlpContext(received_at=now, service=key.service, is_fixed=True)

    async def _check(self, shown: str) -> AccessToken:
        try:
            token = await self._supplies.check_token(shown)
        except AuthenticationError as error:
            raise RefusedRequestError(401, str(error), reason="token", key_start=shown) from None
        except StoreUnavailableError:
            raise RefusedRequestError(503, "no token can be looked up now", reason="keys_unknown") from None
        if AccessScope.INGEST not in token.scopes:
            detail = f"this token may not send events: it takes the scope {AccessScope.INGEST}"
            raise RefusedRequestError(403, detail, reason="scope", key_start=shown)
        return token

    def _by_token(self, token: AccessToken) -> OtlpContext:
        """Name resources without a name after the one service that the token is for, or else after it."""
        only = token.services[0] if len(token.services) == 1 else ""
        name = only if only and not set("*?[") & set(only) else token.name
        return OtlpContext(received_at=self._supplies.clock(), service=name, patterns=token.services)

    def _tell(self, found: OtlpReading, context: OtlpContext, library: Sdk | None) -> None:
        """Tell what was kept of each service; what was not, under the name of the sender."""
        reading = found.reading
        by_service: dict[str, Reading] = {
            context.service: Reading(dropped=reading.dropped, broken=reading.broken, sdk=reading.sdk)
        }
        for event in reading.events:
            one = by_service.setdefault(event.service or context.service, Reading(sdk=reading.sdk))
            one.events.append(event)
        for service, part in by_service.items():
            self._supplies.observer.saw(
                service=service, reading=part, sdk=library, protocol=GatewayProtocol.OTLP
            )


def token_in(request: web.Request) -> str:
    """Return the token that a request shows; empty where it shows none.

    Values of ``OTEL_EXPORTER_OTLP_HEADERS`` are encoded as in an address; not every exporter decodes them.
    """
    scheme, _, text = unquote(request.headers.get(hdrs.AUTHORIZATION, "")).strip().partition(" ")
    text = text.strip()
    return text if scheme.lower() == "bearer" and text.startswith(TOKEN_PREFIX) else ""
