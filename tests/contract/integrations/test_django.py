"""A Django project behind a WSGI server with threads, and behind uvicorn."""

import contextlib
from collections.abc import Iterator
from typing import Any

import aiohttp
import pytest
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.core.handlers.asgi import ASGIHandler
from django.core.handlers.wsgi import WSGIHandler
from django.http import HttpResponse
from django.test import Client, override_settings
from tests.contract.integrations import django_shop
from tests.contract.integrations.recording import HEADERS, SyncRecorded, assert_unhandled
from tests.tools.serving import ask, get, uvicorn_serving, wsgi_serving

from faultwire.integrations.django import ErrorMiddleware

ROUTE = "/orders/<int:order>/pay"


class TidyHandler(ASGIHandler):  # type: ignore[misc]  # Django has no types
    """Remembers the request's body, which Django itself leaves open when a response breaks."""

    async def read_body(self, receive: Any) -> Any:
        self.body = await super().read_body(receive)
        return self.body


@pytest.fixture(autouse=True)
def _errors(sync_shop: SyncRecorded, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(django_shop, "errors", sync_shop.errors)


@pytest.fixture
def url() -> Iterator[str]:
    with wsgi_serving(WSGIHandler()) as url:
        yield url


def test_an_unhandled_error_is_one_event_and_the_standard_answer(url: str, sync_shop: SyncRecorded) -> None:
    status, _, body = ask(f"{url}/orders/17/pay?page=2&tag=a&tag=b", **HEADERS)
    event = sync_shop.event()
    assert_unhandled(event, body, route=ROUTE, function="pay")
    assert (status, event.request["url"], event.tags) == (500, f"{url}/orders/17/pay", {"order": 17})


@pytest.mark.parametrize(("prefix", "function"), [("", "pay"), ("/async", "pay_async")])
async def test_under_asgi_it_is_the_same_for_views_of_both_kinds(
    sync_shop: SyncRecorded, prefix: str, function: str
) -> None:
    async with uvicorn_serving(ASGIHandler()) as url:
        response, body = await get(f"{url}{prefix}/orders/17/pay?page=2&tag=a&tag=b", **HEADERS)
    event = sync_shop.event()
    assert_unhandled(event, body, route=prefix + ROUTE, function=function)
    assert (response.status, event.tags) == (500, {"order": 17})


def test_a_route_by_a_regular_expression_is_told_without_its_anchors(
    url: str, sync_shop: SyncRecorded
) -> None:
    ask(f"{url}/old/17")
    assert sync_shop.event().transaction == r"/old/(?P<order>\d+)"


def test_what_a_view_handed_over_before_is_the_same_event(url: str, sync_shop: SyncRecorded) -> None:
    body = ask(f"{url}/note")[2]
    event = sync_shop.event()
    assert (event.id, event.context) == (body["error"]["id"], {"basket": 3})


def test_what_one_request_binds_the_next_one_does_not_know(sync_shop: SyncRecorded) -> None:
    client = Client(raise_request_exception=False)
    client.get("/orders/17/pay")
    client.get("/fail")
    first, second = sync_shop.events()
    assert (first.tags, second.tags, second.transaction) == ({"order": 17}, {}, "/fail")


def test_our_own_kinds_of_error_are_answered_as_handled(url: str, sync_shop: SyncRecorded) -> None:
    status, headers, body = ask(f"{url}/conflict", Accept="application/problem+json")
    assert (status, headers["Content-Type"], body["detail"]) == (409, "application/problem+json", "taken")
    assert sync_shop.event().handled is True


@pytest.mark.parametrize("status", [400, 403, 404])
def test_django_s_own_answers_pass(url: str, sync_shop: SyncRecorded, status: int) -> None:
    assert ask(f"{url}/passes/{status}")[0] == status
    assert sync_shop.events() == []


def test_an_error_of_a_middleware_is_answered_too(url: str, sync_shop: SyncRecorded) -> None:
    body = ask(f"{url}/fail?tenant=none")[2]
    event = sync_shop.event()
    assert (event.id, event.message) == (body["error"]["id"], "no tenant")


def test_a_host_that_is_not_allowed_is_no_event(sync_shop: SyncRecorded) -> None:
    asking = [*settings.MIDDLEWARE, "django.middleware.common.CommonMiddleware"]
    with override_settings(MIDDLEWARE=asking), wsgi_serving(WSGIHandler()) as url:
        assert ask(f"{url}/fine", Host="elsewhere")[0] == 400
    assert sync_shop.events() == []


def test_a_page_of_the_project_s_own_answers_who_asks_for_one(url: str, sync_shop: SyncRecorded) -> None:
    assert ask(f"{url}/fail", Accept="text/html,*/*;q=0.8")[2] == "the project's page"
    assert sync_shop.event().handled is False


def test_a_handler_of_the_project_s_own_answers_and_knows_the_event(
    url: str, sync_shop: SyncRecorded, monkeypatch: pytest.MonkeyPatch
) -> None:
    def handler500(request: Any) -> HttpResponse:
        return HttpResponse(f"tell us {request.faultwire_response.error_id}", status=500)

    monkeypatch.setattr(django_shop, "handler500", handler500, raising=False)
    assert ask(f"{url}/fail")[2] == f"tell us {sync_shop.event().id}"


def test_in_debug_mode_the_page_is_django_s_and_the_error_is_still_an_event(sync_shop: SyncRecorded) -> None:
    with override_settings(DEBUG=True):
        response = Client(raise_request_exception=False).get("/fail")
    assert b"LookupError" in response.content
    assert sync_shop.event().transaction == "/fail"


@pytest.mark.parametrize("propagate", [True, False])
def test_where_django_lets_errors_go_on_they_do_and_are_one_event(
    sync_shop: SyncRecorded, *, propagate: bool
) -> None:
    with override_settings(DEBUG_PROPAGATE_EXCEPTIONS=propagate), pytest.raises(LookupError):
        Client().get("/fail")
    assert sync_shop.event().transaction == "/fail"


def test_a_stream_that_breaks_is_an_event_with_all_that_is_bound(url: str, sync_shop: SyncRecorded) -> None:
    with contextlib.suppress(OSError):
        ask(f"{url}/stream")
    event = sync_shop.event()
    assert (event.message, event.transaction, event.tags) == ("no other half", "/stream", {"part": 1})


async def test_an_asynchronous_stream_that_breaks_is_broken_off_and_is_an_event(
    sync_shop: SyncRecorded,
) -> None:
    handler = TidyHandler()
    async with uvicorn_serving(handler) as url:
        with pytest.raises(aiohttp.ClientPayloadError):
            await get(f"{url}/async/stream")
    handler.body.close()
    event = sync_shop.event()
    assert (event.message, event.transaction, event.tags) == ("no other half", "/async/stream", {"part": 1})


def test_without_a_manager_it_says_what_is_missing() -> None:
    with (
        override_settings(FAULTWIRE_ERRORS=None),
        pytest.raises(ImproperlyConfigured, match="FAULTWIRE_ERRORS"),
    ):
        ErrorMiddleware(lambda request: None)
