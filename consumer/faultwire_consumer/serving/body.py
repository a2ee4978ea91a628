"""The one door by which a request's body comes in: bounded in bytes, in time, and over all requests."""

import asyncio
from typing import Final

from aiohttp import hdrs, web

from faultwire_consumer.serving.inflate import DamagedError, InflatedTooLargeError, Inflater
from faultwire_consumer.serving.refusal import (
    BodyTooLargeError,
    BodyTooSlowError,
    ClientGoneError,
    MalformedBodyError,
    UnsupportedMediaTypeError,
)
from faultwire_consumer.serving.traffic import TRAFFIC
from faultwire_shared.event import MESSAGE_BYTES

BODY_SECONDS: Final = 20.0
"""256 KiB take so long at 100 kbit/s."""
_ENCODINGS: Final = {"gzip": "gzip", "x-gzip": "gzip", "deflate": "deflate"}


async def read_whole_body(request: web.Request, *, may_be_encoded: bool = False) -> bytes:
    """Read a body to its end, inflated.

    Args:
        request: served with its body as it was sent, not inflated by the server.
        may_be_encoded: take gzip and deflate too.

    Raises:
        ClientGoneError: the client hung up.
        BodyTooLargeError: above the message limit, as it was sent or inflated.
        BodyTooSlowError: it did not arrive in time.
        UnsupportedMediaTypeError: in an encoding that is not taken here.
        MalformedBodyError: cut off, or not in the encoding that it names.
        WorkerBusyError: other bodies take all the room that there is.
    """
    encoding = encoding_of(request)
    if encoding and not (may_be_encoded and encoding in _ENCODINGS):
        kinds = "uncompressed, or by gzip or deflate" if may_be_encoded else "uncompressed"
        raise UnsupportedMediaTypeError(f"send the body {kinds}")
    if (request.content_length or 0) > MESSAGE_BYTES:
        raise _too_large()
    payload = request.content
    is_here = payload.is_eof() and payload.exception() is None  # nearly always
    body = payload.read_nowait() if is_here else await _wait_for(request)
    if len(body) > MESSAGE_BYTES:
        raise _too_large()
    return _inflate(body, encoding) if encoding else body


def encoding_of(request: web.Request) -> str:
    """Return the encoding of a request's body in small letters; empty for none."""
    encoding = ",".join(request.headers.getall(hdrs.CONTENT_ENCODING, ())).strip().lower()
    return "" if encoding == "identity" else encoding


def _inflate(body: bytes, encoding: str) -> bytes:
    """Inflate a body: within its bound that takes a millisecond or two, whatever it holds."""
    inflater = Inflater(_ENCODINGS[encoding], most=MESSAGE_BYTES)
    try:
        content = b"".join(inflater.feed(body))
        inflater.finish()
    except InflatedTooLargeError:
        raise _too_large() from None
    except DamagedError as error:
        raise MalformedBodyError(f"the body is not in the encoding that it names: {error}") from None
    return content


async def _wait_for(request: web.Request) -> bytes:
    """Wait for a body to arrive; its bytes count among those of all requests until then."""
    traffic, parts, size = request.app[TRAFFIC], [], 0
    try:
        async with asyncio.timeout(BODY_SECONDS):
            while piece := await next_piece(request):
                traffic.take(len(piece))
                size += len(piece)
                parts.append(piece)
                if size > MESSAGE_BYTES:
                    raise _too_large()
    except TimeoutError:
        raise BodyTooSlowError(f"the body did not arrive within {BODY_SECONDS:g} s") from None
    finally:
        traffic.give_back(size)
    return b"".join(parts)


async def next_piece(request: web.Request) -> bytes:
    """Return the next piece of a body; empty at the end.

    Raises:
        ClientGoneError: the client hung up.
        MalformedBodyError: cut off, or not sent as its headers say.
    """
    try:
        return await request.content.readany()
    except OSError as error:  # however a connection ends: reset, timed out, no route
        raise ClientGoneError(str(error)) from None
    except RuntimeError as error:
        if request.transport is not None:
            raise
        raise ClientGoneError(str(error)) from None  # it was closed before the first look
    except web.RequestPayloadError:
        raise MalformedBodyError("the body is cut off, or not sent as its headers say") from None


def _too_large() -> BodyTooLargeError:
    return BodyTooLargeError(
        f"a request carries {MESSAGE_BYTES:,} bytes at most; send fewer events at a time"
    )
