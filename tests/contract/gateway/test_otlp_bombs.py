"""Bodies that are made to take a worker's memory: each is refused or read in bounded room."""

import resource
import subprocess
import sys
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import pytest

from faultwire_consumer.gateway.otlp.kind import BodyKind
from faultwire_consumer.gateway.otlp.request import read_logs, read_traces
from faultwire_consumer.gateway.otlp.result import OtlpContext, UnreadableOtlpError

pytestmark = pytest.mark.e2e

ROOT: Final = Path(__file__).parents[3]
MEBIBYTE: Final = 1024 * 1024
MOST: Final = 100 * MEBIBYTE
"""That a body may take besides itself."""
ERROR: Final = b"\x10\x11"


def _varint(value: int) -> bytes:
    parts = bytearray()
    while value > 0x7F:
        parts.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*parts, value])


def field(number: int, content: bytes) -> bytes:
    return _varint(number << 3 | 2) + _varint(len(content)) + content


def attribute(number: int, key: bytes, value: bytes) -> bytes:
    return field(number, field(1, key) + field(2, field(1, value)))


def request(records: bytes, resource: bytes = b"") -> bytes:
    return field(1, field(1, resource) + field(2, records))


def wide_resource() -> bytes:
    return b"".join(attribute(1, b"k%d" % number, b"v" * 190) for number in range(5_000))


def many_keys() -> bytes:
    keys = b"".join(attribute(6, b"%d" % number, b"") for number in range(256))
    return request(field(2, ERROR + keys) * 6_000)


def many_events() -> bytes:
    events = b"".join(
        field(11, field(2, b"exception") + attribute(3, b"exception.type", b"E%d" % number))
        for number in range(250)
    )
    return request(field(2, events) * 2_000)


def deep() -> bytes:
    value = b""
    for _ in range(5_000):
        value = field(5, field(1, value))
    return request(field(2, ERROR + field(5, value)) * 500)


BOMBS: Final[Mapping[str, tuple[BodyKind, Callable[[], bytes]]]] = {
    "empty records": (BodyKind.PROTOBUF, lambda: request(b"\x12\x00" * (10 * MEBIBYTE))),
    "attributes by the million": (
        BodyKind.PROTOBUF,
        lambda: request(field(2, ERROR + b"\x32\x00" * 500_000) * 15),
    ),
    "many keys": (BodyKind.PROTOBUF, many_keys),
    "many events in spans": (BodyKind.PROTOBUF, many_events),
    "a resource that each event repeats": (
        BodyKind.PROTOBUF,
        lambda: request(field(2, ERROR) * 9_000, wide_resource()),
    ),
    "deep values": (BodyKind.PROTOBUF, deep),
    "objects in JSON": (
        BodyKind.JSON,
        lambda: b'{"resourceLogs":[' + b'{"":1},' * (2 * MEBIBYTE) + b"{}]}",
    ),
    "as many objects as are read": (
        BodyKind.JSON,
        lambda: b'{"resourceLogs":[' + b'{"":1},' * 240_000 + b"{}]}",
    ),
    "brackets": (BodyKind.JSON, lambda: b'{"resourceLogs":' + b"[" * (10 * MEBIBYTE)),
}


def measure(name: str) -> None:
    """Read one of the bodies, and print how many bytes that took at most."""
    context = OtlpContext(received_at=datetime(2026, 11, 30, tzinfo=UTC), service="token")
    read_logs(b"", BodyKind.PROTOBUF, context)
    kind, make = BOMBS[name]
    body = make()
    before = _resident_bytes()
    _forget_peak()
    for read in (read_logs, read_traces):
        try:
            read(body, kind, context)
        except UnreadableOtlpError:
            continue
    print(_peak_bytes() - before)


def _resident_bytes() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


def _forget_peak() -> None:
    Path("/proc/self/clear_refs").write_text("5")


def _peak_bytes() -> int:
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if "VmHWM" in line)
    return int(line.split()[1]) * 1024


@pytest.mark.parametrize("name", BOMBS)
def test_a_body_that_is_made_to_take_memory_takes_little(name: str) -> None:
    script = f"from tests.contract.gateway.test_otlp_bombs import measure; measure({name!r})"
    command = [sys.executable, "-c", script]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)

    assert int(done.stdout) < MOST
