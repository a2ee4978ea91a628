"""Recorded traffic of real SDKs, see ``tests/traffic/README.md``."""

import base64
import lzma
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

import msgspec

RECORDINGS: Final = Path(__file__).parents[1] / "traffic" / "recordings.jsonl.xz"
KEY: Final = "a94a8fe5ccb19ba61c4c0873d391e987"
PROJECT: Final = 1


class RecordedRequest(msgspec.Struct, frozen=True, kw_only=True):
    """A request as it was sent; its body still compressed, without chunked framing."""

    at: float
    method: str
    path: str
    query: str
    headers: list[tuple[str, str]]
    body: str = ""

    @property
    def content(self) -> bytes:
        """The body's bytes."""
        return base64.b64decode(self.body)

    def header(self, name: str) -> str | None:
        """The value of a header, found in any spelling."""
        return next((value for key, value in self.headers if key.lower() == name.lower()), None)


class Recording(msgspec.Struct, frozen=True, kw_only=True):
    """One scenario of one version of an SDK."""

    name: str
    sdk: str
    version: str
    scenario: str
    behaviour: str
    dsn: str | None = None
    expect: dict[str, Any] = msgspec.field(default_factory=dict)
    requests: list[RecordedRequest]
    ideal: list[str]
    """The events that an ideal receiver stores, a line each."""


@lru_cache(maxsize=1)
def recordings() -> tuple[Recording, ...]:
    """Every recording, in the order of their names."""
    lines = lzma.decompress(RECORDINGS.read_bytes()).splitlines()
    return tuple(msgspec.json.decode(line, type=Recording) for line in lines)


def recording(name: str) -> Recording:
    """The recording of this name, as in ``sentry-node-11/hostile``."""
    return next(one for one in recordings() if one.name == name)
