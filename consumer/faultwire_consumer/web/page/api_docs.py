"""The API's description as a page for people: server-rendered, without a script."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from aiohttp import web
from msgspec import Struct

from faultwire_consumer.domain.access.scope import AccessScope
from faultwire_consumer.web.access.declared import AccessRoutes
from faultwire_consumer.web.openapi.document import SCHEME
from faultwire_consumer.web.openapi.served import OPEN_API
from faultwire_consumer.web.page.reader import reader_of
from faultwire_consumer.web.page.shell import show_bare
from faultwire_consumer.web.state import CLOCK

_COMPONENT: Final = "#/components/schemas/"

routes = AccessRoutes()


class ShownField(Struct, frozen=True, kw_only=True):
    """A parameter, or a field of a document."""

    name: str
    kind: str
    about: str
    required: bool


class ShownRoute(Struct, frozen=True, kw_only=True):
    """One route as people read it."""

    anchor: str
    method: str
    path: str
    summary: str
    scope: str
    parameters: tuple[ShownField, ...]
    body: tuple[str, ...]
    answers: tuple[tuple[str, str, tuple[str, ...]], ...]
    """Status, description, and the names of the documents or media types."""


class ShownType(Struct, frozen=True, kw_only=True):
    """A document's type with its fields."""

    name: str
    about: str
    fields: tuple[ShownField, ...]


@routes.get("/api/docs", access=AccessScope.READ)
async def show_docs(request: web.Request) -> web.Response:
    """Every route with what it takes and gives; it asks nothing of the store."""
    document = request.app[OPEN_API].document
    return show_bare(
        "section/api_docs.html",
        reader=reader_of(request),
        now=request.app[CLOCK](),
        about=document["info"]["description"],
        routes=tuple(routes_in(document)),
        types=tuple(types_in(document)),
    )


def routes_in(document: Mapping[str, Any]) -> Iterator[ShownRoute]:
    """Give every route of a description."""
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield ShownRoute(
                anchor=operation["operationId"],
                method=method.upper(),
                path=path,
                summary=operation["summary"],
                scope=", ".join(operation["security"][0][SCHEME]) if "security" in operation else "anybody",
                parameters=tuple(_parameter(one) for one in operation["parameters"]),
                body=_kinds(operation.get("requestBody", {}).get("content", {})),
                answers=tuple(
                    (status, answer["description"], _kinds(answer.get("content", {})))
                    for status, answer in sorted(operation["responses"].items())
                ),
            )


def types_in(document: Mapping[str, Any]) -> Iterator[ShownType]:
    """Give every type of document that has fields."""
    for name, schema in document["components"]["schemas"].items():
        required = schema.get("required", ())
        yield ShownType(
            name=name,
            about=schema.get("description", ""),
            fields=tuple(
                ShownField(
                    name=key, kind=kind_of(one), about=one.get("description", ""), required=key in required
                )
                for key, one in schema.get("properties", {}).items()
            ),
        )


def kind_of(schema: Mapping[str, Any]) -> str:
    """Return a schema in a few words, as people write types."""
    if "$ref" in schema:
        return str(schema["$ref"]).removeprefix(_COMPONENT)
    if "anyOf" in schema:
        return " or ".join(dict.fromkeys(kind_of(one) for one in schema["anyOf"]))
    if "enum" in schema:
        return ", ".join(str(one) for one in schema["enum"])
    kind = schema.get("type", "anything")
    if kind == "array":
        return f"array of {kind_of(schema['items'])}" if isinstance(schema.get("items"), dict) else "array"
    if isinstance(kind, list):
        return " or ".join(kind)
    bounds = [f"{schema[name]}" for name in ("minimum", "maximum") if name in schema]
    return f"{kind} {' to '.join(bounds)}".strip() if len(bounds) == 2 else str(kind)


def _parameter(parameter: Mapping[str, Any]) -> ShownField:
    return ShownField(
        name=parameter["name"],
        kind=kind_of(parameter["schema"]),
        about=parameter.get("description", f"in the {parameter['in']}"),
        required=parameter.get("required", False),
    )


def _kinds(content: Mapping[str, Any]) -> tuple[str, ...]:
    return tuple(
        kind if (kind := kind_of(one["schema"])) not in ("string", "object") else f"{kind} as {media}"
        for media, one in content.items()
    )
