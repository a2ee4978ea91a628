"""The reason for a failure of TLS, in words."""

import ssl
from collections.abc import Iterator
from typing import Final

_UNKNOWN_AUTHORITY: Final = (18, 19, 20, 21)
"""OpenSSL's numbers for certificates that signed themselves, or whose authority is not at hand."""
_CHAIN: Final = 10


def why_refused(error: BaseException, setting: str) -> str | None:
    """Say in words why TLS failed; None where the error is of another kind.

    Args:
        error: what was raised, or what it was raised from.
        setting: the setting that names an authority's file.
    """
    for one in _chain_of(error):
        # aiohttp's error is one of these too, without its fields: the one it was raised from has them.
        if isinstance(one, ssl.SSLCertVerificationError) and hasattr(one, "verify_message"):
            why = one.verify_message.rstrip(".") or "nobody vouches for it"
            cure = f"; {setting} names the authority" if one.verify_code in _UNKNOWN_AUTHORITY else ""
            return f"its certificate is not trusted: {why}{cure}"
        if isinstance(one, ssl.SSLError) and not isinstance(one, ssl.SSLCertVerificationError):
            return _refused_by_them(one.reason or str(one))
    return None


def _refused_by_them(reason: str) -> str:
    if "WRONG_VERSION_NUMBER" in reason:
        return "it speaks no TLS there"
    if "CERTIFICATE_REQUIRED" in reason or "HANDSHAKE_FAILURE" in reason:
        return f"it wants a certificate of this side ({reason})"
    if "ALERT" in reason:
        return f"it does not trust this side's certificate ({reason})"
    return f"TLS failed ({reason})"


def _chain_of(error: BaseException | None) -> Iterator[BaseException]:
    for _ in range(_CHAIN):
        if error is None:
            return
        yield error
        error = error.__cause__ or error.__context__
