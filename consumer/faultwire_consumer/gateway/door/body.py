"""A foreign request's body in pieces: bounded as it came, as it is inflated, in time, and over all."""

import asyncio
from collections.abc import AsyncIterator

from aiohttp import web
from msgspec import Struct

from faultwire_consumer.gateway.door.refusal import RefusedRequestError, busy
from faultwire_consumer.serving.body import encoding_of, next_piece
from faultwire_consumer.serving.inflate import ENCODINGS, DamagedError, InflatedTooLargeError, Inflater
from faultwire_consumer.serving.refusal import MalformedBodyError, WorkerBusyError
from faultwire_consumer.serving.traffic import TRAFFIC, Traffic


class BodyBounds(Struct, frozen=True, kw_only=True):
    """Bounds of one body."""

    sent: int
    """Bytes as they came."""
    inflated: int
    seconds: float
    """From its first byte to its last."""


class HeldBytes:
    """The memory that a request holds until it is answered, counted among that of all requests."""

    def __init__(self, traffic: Traffic) -> None:
        self._traffic = traffic
        self._size = 0

    def __enter__(self) -> "HeldBytes":
        return self

    def __exit__(self, *_: object) -> None:
        self._traffic.give_back(self._size)

    def take(self, size: int) -> None:
        """Count so many bytes.

        Raises:
            RefusedRequestError: there is no room for them.
        """
        try:
            self._traffic.take(size)
        except WorkerBusyError:
            raise busy() from None
        self._size += size

    def take_up_to(self, size: int) -> None:
        """Count so many bytes in all.

        Raises:
            RefusedRequestError: there is no room for them.
        """
        self.take(size - self._size)


def held_by(request: web.Request) -> HeldBytes:
    """Return the count of what a request holds."""
    return HeldBytes(request.app[TRAFFIC])


async def read_pieces(request: web.Request, bounds: BodyBounds) -> AsyncIterator[bytes]:
    """Yield a body's content, inflated, as it comes; others have their turn between the pieces.

    Raises:
        ClientGoneError: the client hung up.
        RefusedRequestError: it is too large, too slow, damaged, or in an unknown encoding.
    """
    if (request.content_length or 0) > bounds.sent:
        raise _too_large(bounds.sent)
    encoding = encoding_of(request)
    if encoding and encoding not in ENCODINGS:
        raise RefusedRequestError(415, "this Content-Encoding is not known", reason="unknown_encoding")
    pieces = _sent_pieces(request, bounds)
    async for piece in _inflated(pieces, ENCODINGS[encoding], bounds) if encoding else pieces:
        yield piece


async def read_whole(request: web.Request, bounds: BodyBounds, held: HeldBytes) -> bytes:
    """Return a body's content, inflated.

    Raises:
        ClientGoneError: the client hung up.
        RefusedRequestError: it is too large, too slow, damaged, in an unknown encoding, or has no room.
    """
    parts, size = [], 0
    async for piece in read_pieces(request, bounds):
        size += len(piece)
        if size > bounds.inflated:
            raise _too_large(bounds.inflated)
        held.take(len(piece))
        parts.append(piece)
    return b"".join(parts)


async def _sent_pieces(request: web.Request, bounds: BodyBounds) -> AsyncIterator[bytes]:
    deadline, size = asyncio.get_running_loop().time() + bounds.seconds, 0
    while piece := await _piece_before(request, deadline):
        size += len(piece)
        if size > bounds.sent:
            raise _too_large(bounds.sent)
        yield piece


async def _piece_before(request: web.Request, deadline: float) -> bytes:
    try:
        async with asyncio.timeout_at(deadline):
            return await next_piece(request)
    except TimeoutError:
        raise RefusedRequestError(408, "the body did not arrive in time", reason="slow") from None
    except MalformedBodyError as error:
        raise _unreadable(str(error)) from None


async def _inflated(pieces: AsyncIterator[bytes], encoding: str, bounds: BodyBounds) -> AsyncIterator[bytes]:
    inflater = Inflater(encoding, most=bounds.inflated)
    try:
        async for piece in pieces:
            for content in inflater.feed(piece):
                yield content
                await asyncio.sleep(0)
        inflater.finish()
    except InflatedTooLargeError:
        raise _too_large(bounds.inflated) from None
    except DamagedError as error:
        raise _unreadable(f"the body is not in the encoding that it names: {error}") from None


def _too_large(most: int) -> RefusedRequestError:
    return RefusedRequestError(413, f"a request carries {most:,} bytes at most", reason="too_large")


def _unreadable(why: str) -> RefusedRequestError:
    return RefusedRequestError(400, "the body cannot be read", reason="not_readable", causes=(why,))
