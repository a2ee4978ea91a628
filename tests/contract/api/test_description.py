"""The API's description: complete, true, and readable by tools that know nothing of us."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import hdrs, web
from openapi_spec_validator import OpenAPIV31SpecValidator
from tests.contract.api.conftest import Site, serve
from tests.tools.clock import FixedClock

from faultwire_consumer.domain.access.principal import Principal, Via
from faultwire_consumer.domain.access.scope import ALL_SCOPES
from faultwire_consumer.store.contract.store import Store
from faultwire_consumer.web.openapi.document import (
    DESCRIBED,
    UndescribedRouteError,
    make_document,
    path_of,
)

METHODS = {"get", "post", "put", "patch", "delete"}


@pytest.fixture
async def site(store: Store, clock: FixedClock) -> AsyncIterator[Site]:
    """A site to whose every route one may go."""
    somebody = Principal(actor="ada", via=Via.SESSION, scopes=ALL_SCOPES)

    async def recognise(_: web.Request) -> Principal:
        return somebody

    async with serve(store, clock, recognisers=(recognise,)) as site:
        yield site


@pytest.fixture
async def document(site: Site) -> Any:
    status, document = await site.get("/api/v1/openapi.json")
    assert status == 200
    return document


def operations(document: Any) -> list[tuple[str, str, Any]]:
    return [
        (method, path, operation)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    ]


def routes_of(site: Site) -> set[tuple[str, str]]:
    return {
        (route.method.lower(), path_of(route))
        for route in site.client.app.router.routes()
        if route.method != hdrs.METH_HEAD and path_of(route).startswith(DESCRIBED)
    }


async def test_every_route_is_described_and_nothing_else_is(site: Site, document: Any) -> None:
    described = {(method, path) for method, path, _ in operations(document)}
    assert described == routes_of(site)
    assert ("post", "/ingest/v1/events") in described
    assert {method for method, _ in described} <= METHODS


async def test_the_description_keeps_to_the_specification(document: Any) -> None:
    assert document["openapi"].startswith("3.1.")
    assert list(OpenAPIV31SpecValidator(document).iter_errors()) == []


async def test_an_operation_says_what_it_is_for_and_what_its_path_may_miss(document: Any) -> None:
    ids = [operation["operationId"] for _, _, operation in operations(document)]
    assert len(ids) == len(set(ids))
    for _, path, operation in operations(document):
        assert operation["summary"], path
        assert "{" not in path or "404" in operation["responses"], path
        queries = [one for one in operation["parameters"] if one["in"] == "query"]
        assert all(one["description"] for one in queries), path


async def test_a_route_that_says_nothing_of_itself_is_found_and_told_how() -> None:
    async def silent(_: web.Request) -> web.Response:
        return web.Response()

    app = web.Application()
    app.router.add_get("/api/v1/silent/{id}", silent)
    with pytest.raises(UndescribedRouteError, match=r"GET /api/v1/silent/\{id\} .*@describe"):
        make_document(app)


async def test_a_parameter_is_described_as_it_is_read(site: Site, document: Any) -> None:
    """Each described parameter is taken where it stands, and the same one elsewhere is refused."""
    for method, path, operation in operations(document):
        if method != "get" or "{" in path or not path.startswith("/api/"):
            continue
        known = [one["name"] for one in operation["parameters"] if one["in"] == "query"]
        for name in known if path != "/api/v1/find" else ():  # which has to be given something to find
            async with site.client.get(f"{path}?{name}=") as taken:
                assert taken.status == 200, (path, name, await taken.text())
        status, answer = await site.get(f"{path}?unknown_one=1")
        assert status == 400
        (error,) = answer["error"]["details"]["errors"]
        assert error["field"] == "unknown_one"


async def test_choices_in_the_description_are_those_that_are_taken(site: Site, document: Any) -> None:
    for method, path, operation in operations(document):
        for parameter in operation["parameters"]:
            choices = parameter["schema"].get("items", {}).get("enum", ())
            for choice in choices if method == "get" and "{" not in path else ():
                async with site.client.get(f"{path}?{parameter['name']}={choice}") as taken:
                    assert taken.status == 200, (path, parameter["name"], await taken.text())


async def test_the_docs_page_names_every_route_and_document_and_needs_no_inline_script(
    site: Site, document: Any
) -> None:
    async with site.client.get("/api/docs", headers={"Accept": "text/html"}) as answer:
        page = await answer.text()
        assert answer.status == 200
        assert "unsafe" not in answer.headers["Content-Security-Policy"]
        assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
    for method, path, operation in operations(document):
        assert f'id="{operation["operationId"]}"' in page
        assert f"{method.upper()}</span> <code>{path}</code>" in page
    for name in document["components"]["schemas"]:
        assert f'id="{name}"' in page
    assert "<script>" not in page
    assert "style=" not in page
    assert "http://" not in page
