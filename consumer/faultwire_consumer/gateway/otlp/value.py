"""Texts and numbers of records, each within its bounds, whatever the exporter wrote."""

import base64
import math
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from faultwire_consumer.gateway.otlp.limit import ID_DIGITS
from faultwire_shared.text import storable

NANOSECONDS: Final = 2**64
"""Protobuf's times are of 64 bits: they end in 2554."""
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_INTEGERS: Final = range(-(2**63), 2**63)
_DIGITS: Final = 20
_HEX: Final = frozenset("0123456789abcdef")


def plain_text(value: object) -> str:
    """Return a text that every store can hold; empty for what is none."""
    return storable(value) if isinstance(value, str) else ""


def plain_number(value: object) -> int:
    """Return a whole number of 64 bits, with a sign or not, also of a text; 0 for anything else."""
    if isinstance(value, str) and len(value) <= _DIGITS and value.removeprefix("-").isdecimal():
        value = int(value)
    if isinstance(value, float) and value.is_integer() and abs(value) < NANOSECONDS:
        value = int(value)
    if not isinstance(value, int) or isinstance(value, bool):
        return 0
    return value if -NANOSECONDS < value < NANOSECONDS else 0


def plain_integer(value: object) -> int | None:
    """Return an attribute's whole number; None for what is none of 64 bits with a sign."""
    number = plain_number(value)
    is_zero = value in (0, "0", "-0")
    return number if number in _INTEGERS and (number or is_zero) else None


def plain_float(value: object) -> float | str | None:
    """Return an attribute's number; NaN and infinity are texts, as in protobuf's JSON."""
    if isinstance(value, str):
        return plain_text(value)
    if not isinstance(value, int | float) or isinstance(value, bool):
        return None
    number = float(value) if abs(value) < 2**1000 else math.inf
    if math.isfinite(number):
        return number
    return "NaN" if math.isnan(number) else "Infinity" if number > 0 else "-Infinity"


def plain_bytes(value: bytes) -> str:
    """Return bytes as base64."""
    return base64.b64encode(value).decode()


def plain_id(value: object, digits: int = ID_DIGITS) -> str:
    """Return a trace's or span's id in small hex digits; empty if it is none, or of zeros alone."""
    text = value.hex() if isinstance(value, bytes) else value
    if not isinstance(text, str) or len(text) != digits:
        return ""
    text = text.lower()
    return text if _HEX.issuperset(text) and text.strip("0") else ""


def moment_of(nanoseconds: int) -> datetime | None:
    """Return a time; None where it is not known."""
    if not 0 < nanoseconds < NANOSECONDS:
        return None
    return _EPOCH + timedelta(microseconds=nanoseconds // 1000)


def text_of(value: Any) -> str:
    """Return an attribute's value where a text is wanted."""
    if isinstance(value, str):
        return value.strip()
    return "" if value is None or isinstance(value, dict | list) else str(value)
