"""Recorded envelopes of Sentry's SDKs, multiplied: each with an id, a time and a project of its own."""

import gzip
import json
import uuid
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Final
from urllib.parse import urlencode

from msgspec import Struct
from tests.tools.traffic import Recording, recordings

from faultwire_consumer.gateway.reading import ReadingContext
from faultwire_consumer.gateway.sentry.envelope_header import EnvelopeHeader
from faultwire_consumer.gateway.sentry.event import read_event

SDKS: Final = ("sentry-python-2.75", "sentry-node-11", "sentry-browser-11")
# Not every receiver takes lone surrogates, prefixes or requests without a key, and few errors are a megabyte.
_LEFT_OUT: Final = {"hostile", "prefix", "tunnel", "tunnel-app", "big", "recursion", "offline"}


class Project(Struct, frozen=True):
    """Where a service's events go: what stands in its DSN."""

    id: str
    key: str


class Post(Struct, frozen=True):
    """A request as an SDK makes it."""

    event_id: str
    path: str
    headers: dict[str, str]
    body: bytes


class Template(Struct, frozen=True):
    """The event of one recorded envelope."""

    head: dict[str, Any]
    event: dict[str, Any]
    is_python: bool


@lru_cache(maxsize=1)
def templates() -> tuple[Template, ...]:
    """Every event that these SDKs were recorded with, but for what is left out."""
    chosen = (
        one
        for one in recordings()
        if one.name.startswith(tuple(f"{sdk}/" for sdk in SDKS))
        and one.behaviour == "ok"
        and one.scenario not in _LEFT_OUT
    )
    found = tuple(each for one in chosen for each in _events_of(one))
    assert len(found) > 80
    return found


def _events_of(recording: Recording) -> Iterator[Template]:
    for request in recording.requests:
        if request.method != "POST" or not request.path.endswith("/envelope/"):
            continue
        is_gzip = request.header("Content-Encoding") == "gzip"
        lines = (gzip.decompress(request.content) if is_gzip else request.content).split(b"\n")
        if b'"type":"event"' in lines[1]:
            yield Template(json.loads(lines[0]), json.loads(lines[2]), recording.sdk == "sentry-python")


def recorded_bodies() -> list[bytes]:
    """The same events as the gateway reads them and hands them on."""
    context = ReadingContext(service="shop", received_at=datetime.now(UTC), address="203.0.113.9")
    return [read_event(json.dumps(one.event).encode(), context, EnvelopeHeader()).body for one in templates()]


def posts(count: int, projects: Sequence[Project]) -> list[Post]:
    """So many requests, of all templates and projects by turns."""
    now, made = datetime.now(UTC), templates()
    return [_post(made[at % len(made)], projects[at % len(projects)], now) for at in range(count)]


def _post(template: Template, project: Project, now: datetime) -> Post:
    event_id = uuid.uuid4().hex
    head = template.head | {"event_id": event_id, "sent_at": now.isoformat()}
    event = template.event | {"event_id": event_id, "timestamp": now.timestamp()}
    head.pop("dsn", None)
    payload = json.dumps(event, separators=(",", ":")).encode()
    item = {"type": "event", "length": len(payload)} if template.is_python else {"type": "event"}
    body = b"\n".join((json.dumps(head).encode(), json.dumps(item).encode(), payload)) + b"\n"
    path = f"/api/{project.id}/envelope/"
    if not template.is_python:
        query = urlencode({"sentry_version": "7", "sentry_key": project.key})
        return Post(event_id, f"{path}?{query}", {"Content-Type": "text/plain;charset=UTF-8"}, body)
    headers = {
        "Content-Type": "application/x-sentry-envelope",
        "Content-Encoding": "gzip",
        "X-Sentry-Auth": f"Sentry sentry_key={project.key}, sentry_version=7",
    }
    return Post(event_id, path, headers, gzip.compress(body))
