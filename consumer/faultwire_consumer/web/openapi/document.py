"""The API's description: one document, made of the routes and of what each declares."""

import re
from collections.abc import Iterator, Mapping
from inspect import cleandoc
from itertools import pairwise
from typing import Any, Final

import msgspec
from aiohttp import hdrs, web
from msgspec import Struct

from faultwire_consumer.domain.access.scope import AccessScope
from faultwire_consumer.serving.refusal import (
    BodyTooLargeError,
    BodyTooSlowError,
    UnsupportedMediaTypeError,
    WorkerBusyError,
)
from faultwire_consumer.web.access.declared import DECLARED, OPEN
from faultwire_consumer.web.access.guard import RECOGNISERS
from faultwire_consumer.web.access.open_door import open_door
from faultwire_consumer.web.access.refusal import (
    DoubledHeaderError,
    NotSignedInError,
    ScopeMissingError,
    TokenRefusedError,
)
from faultwire_consumer.web.openapi.answer import ErrorDocument, GivenAnswer, ProblemDocument
from faultwire_consumer.web.openapi.operation import Operation, operation_of
from faultwire_consumer.web.parameter import INCIDENT_ID_SCHEMA, ParameterNote
from faultwire_consumer.web.request import API_PREFIX
from faultwire_shared import __version__
from faultwire_shared.codec import json_schema
from faultwire_shared.error_body import JSON_TYPE, PROBLEM_TYPE
from faultwire_shared.http_status import code_of, title_of
from faultwire_shared.taxonomy import ExternalError, InternalError, ValidationError

DESCRIBED: Final = (f"{API_PREFIX}/", "/ingest/", "/livez", "/readyz", "/startupz")
"""The places below which each route has to be described."""
_EVENT_ID: Final = {"type": "string", "minLength": 1}
PATH_IDS: Final[Mapping[str, Mapping[str, Any]]] = {
    "incidents": INCIDENT_ID_SCHEMA,
    "events": _EVENT_ID,
    "compare": _EVENT_ID,
    "accounts": {"type": "string", "pattern": "^[A-Za-z0-9][A-Za-z0-9._@+-]{0,63}$"},
}
"""The schema of an id in a path, by the noun before it; a number otherwise."""
_NUMBER: Final = {"type": "string", "pattern": "^[1-9][0-9]{0,17}$"}
_COMPONENT: Final = "#/components/schemas/{name}"
_NAME_IN_PATH: Final = re.compile(r"\{(\w+)(?::[^}]*)?\}")
_ABOUT: Final = (
    "Incidents, events, alerts, producers and dead letters of a faultwire worker. A list comes in pages: its "
    "next_cursor asks for the page that follows. A parameter or field that is unknown is refused. What is "
    "wrong is told in one format, also as RFC 9457 problem details. Whatever answers GET answers HEAD too."
)
_GUARDS: Final = (403, 415, 421)
"""Refusals by the guards in front of every route, with HTTP's own codes."""
_REFUSED: Final = (NotSignedInError, TokenRefusedError, ScopeMissingError, DoubledHeaderError)
_IF_NONE_MATCH: Final = {
    "name": "If-None-Match",
    "in": "header",
    "description": "The ETag of an answer that is there already.",
    "schema": {"type": "string", "maxLength": 1000},
}
_ETAG: Final = {
    "description": "A weak validator; sent back as If-None-Match, it is answered 304 while nothing changed.",
    "schema": {"type": "string"},
}
SCHEME: Final = "token"
_TOKEN: Final = {
    "type": "http",
    "scheme": "bearer",
    "description": "A token with the scope that stands here; where nobody signs in, none is needed.",
}
_ANYWHERE: Final = (ValidationError, InternalError, ExternalError)
_BODY: Final = (BodyTooSlowError, BodyTooLargeError, UnsupportedMediaTypeError, WorkerBusyError)


class UndescribedRouteError(Exception):
    """A route that has to be described says nothing of itself."""


class DescribedRoute(Struct, frozen=True, kw_only=True):
    """A route with its description."""

    method: str
    path: str
    operation: Operation
    scope: AccessScope | None
    """The scope that it takes; None where anybody may ask."""


def described_routes(app: web.Application) -> Iterator[DescribedRoute]:
    """Give each route of the API with its description, in the order of their declaration.

    Raises:
        UndescribedRouteError: one has none; the text says how to give it one.
    """
    for route in app.router.routes():
        path = path_of(route)
        if route.method == hdrs.METH_HEAD or not path.startswith(DESCRIBED):
            continue
        operation = operation_of(route.handler)
        if operation is None:
            raise UndescribedRouteError(
                f"{route.method} {path} is not described: put @describe(answers=…), from web/openapi, "
                "between its @routes and its handler (deploy/docs/develop/architecture.md)"
            )
        access = app[DECLARED].get(route, OPEN)
        scope = access if isinstance(access, AccessScope) else None
        yield DescribedRoute(method=route.method.lower(), path=path, operation=operation, scope=scope)


def path_of(route: web.AbstractRoute) -> str:
    """Return a route's path as the description has it: names in braces, without their patterns."""
    return _NAME_IN_PATH.sub(r"{\1}", route.resource.canonical) if route.resource is not None else ""


def make_document(app: web.Application) -> dict[str, Any]:
    """Return the description of an application that has all of its routes.

    Raises:
        UndescribedRouteError: a route says nothing of itself.
    """
    routes = list(described_routes(app))
    types = [ErrorDocument, ProblemDocument]
    for route in routes:
        found = [kind for answer in route.operation.answers for kind in answer.content.values()]
        types += [kind for kind in (*route.operation.body, *found) if kind is not None and kind not in types]
    schemas, components = msgspec.json.schema_components(types, ref_template=_COMPONENT)
    components |= _event_components()
    schema_of = list(zip(types, schemas, strict=True))
    paths: dict[str, dict[str, Any]] = {}
    writer = _Writer(schema_of, is_open=open_door in app[RECOGNISERS])
    for route in routes:
        paths.setdefault(route.path, {})[route.method] = writer.operation(route)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "faultwire",
            "version": __version__,
            "description": _ABOUT,
            "license": {"name": "Apache License 2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "../..", "description": "The worker that this document comes from."}],
        "paths": paths,
        "components": {
            "schemas": {name: _clean(components[name]) for name in sorted(components)},
            "securitySchemes": {SCHEME: _TOKEN},
        },
    }


class _Writer:
    """Writes operations as OpenAPI does."""

    def __init__(self, schemas: list[tuple[Any, dict[str, Any]]], *, is_open: bool) -> None:
        self._schemas = schemas
        self._without_token: list[dict[str, Any]] = [{}] if is_open else []

    def operation(self, route: DescribedRoute) -> dict[str, Any]:
        """Return one."""
        segments = [part.strip("{}") for part in route.path.removeprefix(API_PREFIX).split("/") if part]
        written: dict[str, Any] = {
            "operationId": "_".join([route.method, *segments]).replace("-", "_").replace(".", "_"),
            "summary": route.operation.summary,
            "tags": [segments[0]],
            "parameters": [
                *_path_parameters(route.path),
                *map(_parameter, route.operation.parameters.items()),
                *([_IF_NONE_MATCH] if route.operation.has_validator else []),
            ],
            "responses": self._responses(route),
        }
        bodies = [self._schema(kind) for kind in route.operation.body]
        if route.scope is not None:
            written["security"] = [{SCHEME: [route.scope.value]}, *self._without_token]
        if bodies:
            content = {JSON_TYPE: {"schema": bodies[0] if len(bodies) == 1 else {"anyOf": bodies}}}
            written["requestBody"] = {"required": route.operation.body_required, "content": content}
        return written

    def _responses(self, route: DescribedRoute) -> dict[str, Any]:
        declared = route.operation
        answers = {str(answer.status): self._answer(answer) for answer in declared.answers}
        codes: dict[int, set[str]] = {status: {code_of(status)} for status in _GUARDS}
        guards = _REFUSED if route.scope is not None else ()
        for error in (*_ANYWHERE, *guards, *(_BODY if declared.body else ()), *declared.raises):
            codes.setdefault(error.status, set()).add(error.code)
        errors = {str(status): self._error(status, codes[status]) for status in sorted(codes)}
        if declared.has_validator:
            answers["304"] = {"description": "The answer is still the one that If-None-Match names."}
            answers["200"].setdefault("headers", {})["ETag"] = _ETAG
        return errors | answers

    def _answer(self, answer: GivenAnswer) -> dict[str, Any]:
        written: dict[str, Any] = {"description": answer.about}
        if answer.content:
            written["content"] = {
                media: {"schema": {"type": "string"} if kind is None else self._schema(kind)}
                for media, kind in answer.content.items()
            }
        if answer.headers:
            written["headers"] = {
                name: {"description": about, "schema": {"type": "string"}}
                for name, about in answer.headers.items()
            }
        return written

    def _error(self, status: int, codes: set[str]) -> dict[str, Any]:
        content = {
            JSON_TYPE: {"schema": self._schema(ErrorDocument)},
            PROBLEM_TYPE: {"schema": self._schema(ProblemDocument)},
        }
        return {"description": f"{title_of(status)}: {', '.join(sorted(codes))}.", "content": content}

    def _schema(self, kind: Any) -> dict[str, Any]:
        return next(schema for known, schema in self._schemas if known is kind or known == kind)


def _event_components() -> dict[str, Any]:
    """Return the event's schema as it is published for other languages: what the wire takes, and not more."""
    published = msgspec.json.encode(json_schema()["$defs"])
    return msgspec.json.decode(  # type: ignore[no-any-return]
        published.replace(b"#/$defs/", _COMPONENT.removesuffix("{name}").encode())
    )


def _path_parameters(path: str) -> list[dict[str, Any]]:
    found = []
    for noun, part in pairwise(path.split("/")):
        if part.startswith("{"):
            schema = PATH_IDS.get(noun, _NUMBER)
            found.append({"name": part.strip("{}"), "in": "path", "required": True, "schema": schema})
    return found


def _parameter(named: tuple[str, ParameterNote]) -> dict[str, Any]:
    name, note = named
    return {"name": name, "in": "query", "description": note.about, "schema": note.schema}


def _clean(schema: dict[str, Any]) -> dict[str, Any]:
    """Return a schema whose descriptions, which are docstrings, are one text on every Python."""
    if "description" in schema:
        return schema | {"description": cleandoc(schema["description"])}
    return schema
