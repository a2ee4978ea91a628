"""Strict stand-ins for services that nobody can run at home: they take what is documented, and no more.

Each checks a request as its documentation states it (method, path, login, schema, lengths), answers 400 with
what is wrong otherwise, and keeps what a user would see.
"""

import html
import json
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import unquote

from aiohttp import web
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]  # ships no types

Document = dict[str, Any]

TOKEN: Final = "T0KEN-of-the-tests"  # noqa: S105 - made up


def _text(maximum: int, minimum: int = 1) -> Document:
    return {"type": "string", "minLength": minimum, "maxLength": maximum}


def _strict(required: list[str], **properties: Document) -> Document:
    return {
        "type": "object",
        "required": required,
        "properties": properties,
        "additionalProperties": False,
    }


_ADDRESS: Final = {"type": "string", "pattern": "^https?://", "maxLength": 3000}
_COLOUR: Final = {"type": "string", "pattern": "^#[0-9a-f]{6}$"}


def _plain_text(maximum: int) -> Document:
    return _strict(
        ["type", "text"],
        type={"const": "plain_text"},
        text=_text(maximum),
        emoji={"type": "boolean"},
    )


_BUTTON: Final = _strict(
    ["type", "text"],
    type={"const": "button"},
    text=_plain_text(75),
    url=_ADDRESS,
    action_id=_text(255),
)
_SECTION: Final = _strict(
    ["type", "text"],
    type={"const": "section"},
    text=_plain_text(3000),
    fields={"type": "array", "minItems": 1, "maxItems": 10, "items": _plain_text(2000)},
    accessory=_BUTTON,
)
_HEADER: Final = _strict(["type", "text"], type={"const": "header"}, text=_plain_text(150))
_CONTEXT: Final = _strict(
    ["type", "elements"],
    type={"const": "context"},
    elements={"type": "array", "minItems": 1, "maxItems": 10, "items": _plain_text(3000)},
)
_ACTIONS: Final = _strict(
    ["type", "elements"],
    type={"const": "actions"},
    elements={"type": "array", "minItems": 1, "maxItems": 25, "items": _BUTTON},
)
_BLOCKS: Final = {
    "type": "array",
    "minItems": 1,
    "maxItems": 50,
    "items": {"oneOf": [_SECTION, _HEADER, _CONTEXT, _ACTIONS]},
}
SLACK: Final = Draft202012Validator(
    _strict(
        ["text", "blocks", "attachments"],
        text=_text(3000),
        blocks=_BLOCKS,
        attachments={
            "type": "array",
            "minItems": 1,
            "maxItems": 20,
            "items": _strict(["color", "blocks"], color=_COLOUR, blocks=_BLOCKS),
        },
    )
)
# Of Slack's older form, what Mattermost and Discord's Slack route document both, by Discord's lengths.
ATTACHMENTS: Final = Draft202012Validator(
    _strict(
        ["text", "attachments"],
        text=_text(2000),
        attachments={
            "type": "array",
            "minItems": 1,
            "maxItems": 10,
            "items": _strict(
                ["color", "fallback", "text"],
                color=_COLOUR,
                fallback=_text(1000),
                title=_text(256),
                title_link=_ADDRESS,
                text=_text(4096),
                footer=_text(2048),
                fields={
                    "type": "array",
                    "maxItems": 25,
                    "items": _strict(
                        ["title", "value", "short"],
                        title=_text(256),
                        value=_text(1024),
                        short={"type": "boolean"},
                    ),
                },
            ),
        },
    )
)
PAGERDUTY: Final = Draft202012Validator(
    {
        **_strict(
            ["routing_key", "event_action", "dedup_key"],
            routing_key=_text(32, 32),
            event_action={"enum": ["trigger", "acknowledge", "resolve"]},
            dedup_key=_text(255),
            client=_text(500),
            client_url=_ADDRESS,
            links={
                "type": "array",
                "items": _strict(["href", "text"], href=_ADDRESS, text=_text(500)),
            },
            payload=_strict(
                ["summary", "source", "severity"],
                summary=_text(1024),
                source=_text(1024),
                severity={"enum": ["critical", "error", "warning", "info"]},
                timestamp={"type": "string", "pattern": r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d"},
                component=_text(1024),
                group=_text(1024),
                custom_details={"type": "object"},
                **{"class": _text(1024)},
            ),
        ),
        "if": {"properties": {"event_action": {"const": "trigger"}}},
        "then": {"required": ["payload"]},
    }
)
OPSGENIE_ALERT: Final = Draft202012Validator(
    _strict(
        ["message"],
        message=_text(130),
        alias=_text(512),
        description=_text(15_000),
        entity=_text(512),
        source=_text(100),
        priority={"enum": ["P1", "P2", "P3", "P4", "P5"]},
        tags={"type": "array", "maxItems": 20, "items": {**_text(50), "pattern": "^[^,]*$"}},
        details={"type": "object", "additionalProperties": {"type": "string"}},
        user=_text(100),
        note=_text(25_000),
    )
)
OPSGENIE_CHANGE: Final = Draft202012Validator(
    _strict([], user=_text(100), source=_text(100), note=_text(25_000))
)
NTFY: Final = Draft202012Validator(
    _strict(
        ["topic"],
        topic={"type": "string", "pattern": "^[-_A-Za-z0-9]{1,64}$"},
        message={"type": "string"},
        title={"type": "string"},
        tags={"type": "array", "items": _text(100)},
        priority={"type": "integer", "minimum": 1, "maximum": 5},
        click=_ADDRESS,
    )
)


@dataclass
class Vendor:
    """What has been taken, in order, and the alerts that stand open by their keys."""

    url: str = ""
    taken: list[Document] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    open: dict[str, Document] = field(default_factory=dict)
    acknowledged: set[str] = field(default_factory=set)
    keys: list[str] = field(default_factory=list)
    """The ``Idempotency-Key`` of each request."""

    def change(self, action: str, key: str, document: Document) -> None:
        """Do with an alert what every such service does."""
        if action == "trigger":
            self.open[key] = document
        elif action == "acknowledge" and key in self.open:
            self.acknowledged.add(key)
        elif action == "resolve":
            self.open.pop(key, None)
            self.acknowledged.discard(key)


class RefusedError(Exception):
    """The request is not what the documentation states."""


Handler = Callable[[Vendor, web.Request, Document], None]


def slack(vendor: Vendor, request: web.Request, document: Document) -> None:
    _is(request.path == f"/services/{TOKEN}", "no_service")
    _valid(SLACK, document)
    vendor.taken.append(document)


def slack_like(vendor: Vendor, request: web.Request, document: Document) -> None:
    _is(request.path == f"/hooks/{TOKEN}", "no such hook")
    _valid(ATTACHMENTS, document)
    _is(len("".join(strings_of(document))) <= 6000, "more than 6,000 characters in all")
    vendor.taken.append(document)


def pagerduty(vendor: Vendor, request: web.Request, document: Document) -> None:
    _is(request.path == "/v2/enqueue", "no such path")
    _valid(PAGERDUTY, document)
    vendor.taken.append(document)
    vendor.change(document["event_action"], document["dedup_key"], document)


def opsgenie(vendor: Vendor, request: web.Request, document: Document) -> None:
    _is(request.headers.get("Authorization") == f"GenieKey {TOKEN}", "key format is not valid")
    path = request.raw_path.partition("?")[0]
    if path == "/v2/alerts":
        _valid(OPSGENIE_ALERT, document)
        _is(sum(map(len, document["details"].values())) <= 8000, "details are too long")
        vendor.change("trigger", document["alias"], document)
    else:
        match = re.fullmatch(r"/v2/alerts/([^/]+)/(acknowledge|close)", path)
        _is(match is not None and request.query.get("identifierType") == "alias", "no such path")
        _valid(OPSGENIE_CHANGE, document)
        if match is not None:
            alias, verb = unquote(match.group(1)), match.group(2)
            vendor.change({"close": "resolve"}.get(verb, verb), alias, document)
    vendor.taken.append(document)


def ntfy(vendor: Vendor, request: web.Request, document: Document) -> None:
    _is(request.path == "/", "JSON goes to the root")
    _is(request.headers.get("Authorization") == f"Bearer {TOKEN}", "forbidden")
    _valid(NTFY, document)
    _is(len(document.get("message", "").encode()) <= 4096, "it would become an attachment")
    vendor.taken.append(document)


def strings_of(value: Any) -> Iterator[str]:
    """Every text in a document."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for inner in value.values():
            yield from strings_of(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from strings_of(inner)


def seen_in_slack(value: Any) -> str:
    """What a person reads of a message of Slack's: entities are decoded, once."""
    return html.unescape("\n".join(strings_of(value)))


@asynccontextmanager
async def standing_in(handler: Handler, *, status: int) -> AsyncIterator[Vendor]:
    """A stand-in on a free port of the loopback network; ``status`` is the answer to what it takes."""
    vendor = Vendor()
    application = web.Application()
    application.router.add_route("*", "/{path:.*}", _answering(vendor, handler, status))
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    vendor.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield vendor
    finally:
        await runner.cleanup()


def _answering(
    vendor: Vendor, handler: Handler, status: int
) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    async def answer(request: web.Request) -> web.StreamResponse:
        vendor.keys.append(request.headers.get("Idempotency-Key", ""))
        try:
            _is(request.method == "POST", f"{request.method} is not allowed")
            _is(request.content_type == "application/json", "no JSON")
            handler(vendor, request, json.loads(await request.read()))
        except RefusedError as refused:
            vendor.refused.append(str(refused))
            return web.Response(status=400, text=str(refused))
        return web.json_response({"status": "success"}, status=status)

    return answer


def _is(condition: bool, what: str) -> None:
    if not condition:
        raise RefusedError(what)


def _valid(validator: Draft202012Validator, document: Document) -> None:
    for error in validator.iter_errors(document):
        raise RefusedError(f"{error.json_path}: {error.message[:300]}")
