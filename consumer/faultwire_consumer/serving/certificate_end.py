"""The end of a certificate in a file, as RFC 5280 writes it: Python's ssl reads only what a peer showed."""

import ssl
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

_VERSION: Final = 0xA0
_UTC_TIME: Final = 0x17
_BEFORE_VALIDITY: Final = 3
"""Serial number, algorithm and issuer; a version may stand before them."""
_HEADER: Final = "-----BEGIN CERTIFICATE-----"
_FOOTER: Final = "-----END CERTIFICATE-----"


def end_of_file(path: str) -> float:
    """Return when the first certificate of a PEM file ends, in seconds of Unix time.

    The first is the server's own, and those between it and its authority stand behind it.

    Raises:
        OSError: it cannot be read.
        ValueError: it holds no certificate.
    """
    text = Path(path).read_text(encoding="ascii", errors="replace")
    start = text.index(_HEADER)
    return _end_of(ssl.PEM_cert_to_DER_cert(text[start : text.index(_FOOTER, start) + len(_FOOTER)]))


def _end_of(certificate: bytes) -> float:
    (_, whole), *_ = _parts(certificate)
    (_, signed), *_ = _parts(whole)
    fields = [content for tag, content in _parts(signed) if tag != _VERSION]
    _, (tag, text) = _parts(fields[_BEFORE_VALIDITY])
    return _time(tag, text.decode("ascii")).timestamp()


def _time(tag: int, text: str) -> datetime:
    """Read a UTCTime, whose years are those from 1950 to 2049, or a GeneralizedTime."""
    if tag == _UTC_TIME:
        text = ("19" if text >= "50" else "20") + text
    return datetime.strptime(text, "%Y%m%d%H%M%SZ").replace(tzinfo=UTC)


def _parts(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Split DER into tags and contents; a length has one byte, or as many as its first byte says."""
    at = 0
    while at + 1 < len(data):
        tag, length = data[at], data[at + 1]
        at += 2
        if length & 0x80:
            size = length & 0x7F
            length, at = int.from_bytes(data[at : at + size], "big"), at + size
        yield tag, data[at : at + length]
        at += length
