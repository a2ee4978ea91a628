"""Signatures of Standard Webhooks 1.0 (standardwebhooks.com), so that any of its libraries can check them."""

import base64
import binascii
import hashlib
import hmac
from typing import Final

SECRET_PREFIX: Final = "whsec_"  # noqa: S105 - how every secret begins, and none itself
_BYTES_MIN: Final = 24
_BYTES_MAX: Final = 64


def parse_secret(text: str) -> bytes:
    """Decode the key in ``whsec_<base64>``; the prefix may be left out.

    Raises:
        ValueError: the text is not such a secret; the error's text does not hold it.
    """
    try:
        key = base64.b64decode(text.strip().removeprefix(SECRET_PREFIX), validate=True)
    except (binascii.Error, ValueError):
        raise ValueError(f"a webhook's secret is {SECRET_PREFIX} and base64") from None
    if not _BYTES_MIN <= len(key) <= _BYTES_MAX:
        raise ValueError(f"a webhook's secret holds {_BYTES_MIN} to {_BYTES_MAX} bytes, not {len(key)}")
    return key


def sign(key: bytes, *, message_id: str, timestamp: int, payload: bytes) -> str:
    """Return ``v1,<base64>``: HMAC-SHA256 over ``id.timestamp.payload``, the time in seconds since 1970."""
    content = f"{message_id}.{timestamp}.".encode() + payload
    return f"v1,{base64.b64encode(hmac.digest(key, content, hashlib.sha256)).decode()}"
