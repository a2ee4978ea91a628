"""Unpacks a body that an older SDK sent to be stored: JSON, or base64 of JSON, compressed or not."""

import base64
import binascii
import zlib
from typing import Final

from faultwire_shared.json_text import BOM

EVENT_BYTES_MAX: Final = 1024 * 1024
"""Of one event's JSON as it is sent: Sentry's own bound. A deep recursion takes half of it."""
_BLANK: Final = b" \t\r\n"
_DIGITS: Final = (b"-_", b"+/")
"""Of base64 for addresses, and of the usual one."""


class UnreadableStoreError(Exception):
    """A body is neither JSON nor what older SDKs make of it."""


class StoreTooLargeError(Exception):
    """An event is larger than `EVENT_BYTES_MAX`."""


def unpack_store(body: bytes) -> bytes:
    """Return the JSON in a store's body, which begins with an object's bracket; it is not read yet.

    Clients before 2020 send base64 of JSON that zlib compressed, and some of them base64 of JSON alone.

    Raises:
        UnreadableStoreError: it is none of these.
        StoreTooLargeError: the JSON is too large; little more than the bound was made of it.
    """
    plain = body.removeprefix(BOM).lstrip(_BLANK)
    if not plain.startswith(b"{"):
        packed = _from_base64(plain)
        plain = packed if packed.startswith(b"{") else _inflated(packed)
    if len(plain) > EVENT_BYTES_MAX:
        raise StoreTooLargeError(f"an event has {EVENT_BYTES_MAX:,} bytes at most")
    return plain


def _from_base64(text: bytes) -> bytes:
    packed = b"".join(text.split()).translate(bytes.maketrans(*_DIGITS)).rstrip(b"=")
    try:
        return base64.b64decode(packed + b"=" * (-len(packed) % 4), validate=True)
    except binascii.Error as error:
        raise UnreadableStoreError(f"the body is neither JSON nor base64: {error}") from None


def _inflated(packed: bytes) -> bytes:
    engine = zlib.decompressobj()
    try:
        plain = engine.decompress(packed, EVENT_BYTES_MAX + 1)
    except zlib.error as error:
        raise UnreadableStoreError(
            f"the body's base64 holds neither JSON nor zlib's format: {error}"
        ) from None
    if len(plain) <= EVENT_BYTES_MAX and not engine.eof:
        raise UnreadableStoreError("the body is cut off")
    return plain
