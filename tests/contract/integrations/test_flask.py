"""A Flask application behind a server with threads."""

import contextlib
from collections.abc import Iterator

import pytest
from flask import Blueprint, Flask, Response, abort, got_request_exception, stream_with_context
from tests.contract.integrations.recording import HEADERS, SyncRecorded, assert_unhandled
from tests.tools.serving import ask, wsgi_serving
from werkzeug.exceptions import HTTPException

from faultwire import ConflictError, ExternalError, SyncErrorManager
from faultwire.integrations.flask import install


def shop_of(errors: SyncErrorManager) -> Flask:
    """An application with an error of each kind."""
    app = Flask("shop")
    orders = Blueprint("orders", "orders", url_prefix="/orders")

    @orders.get("/<int:order>/pay")
    def pay(order: int) -> str:
        errors.bind(order=order)
        raise LookupError(f"no price for order {order}")

    @orders.get("/<int:order>/note")
    def note(order: int) -> str:
        error = LookupError("noted")
        errors.handle_error(error, context={"basket": 3})
        raise error

    @app.get("/fail")
    def fail() -> str:
        raise LookupError("no price")

    @app.get("/conflict")
    def conflict() -> str:
        raise ConflictError("taken")

    @app.get("/external")
    def external() -> str:
        raise ExternalError("gateway")

    @app.get("/abort/<int:status>")
    def stop(status: int) -> str:
        abort(status, "my words")

    @app.get("/stream")
    def stream() -> Response:
        def halves() -> Iterator[bytes]:
            yield b"half"
            raise LookupError("no other half")

        return Response(stream_with_context(halves()))

    app.register_blueprint(orders)
    return app


@pytest.fixture
def app(sync_shop: SyncRecorded) -> Flask:
    app = shop_of(sync_shop.errors)
    install(app, sync_shop.errors)
    return app


def test_an_unhandled_error_is_one_event_and_the_standard_answer(app: Flask, sync_shop: SyncRecorded) -> None:
    with wsgi_serving(app) as url:
        status, _, body = ask(f"{url}/orders/17/pay?page=2&tag=a&tag=b", **HEADERS)
    assert status == 500
    event = sync_shop.event()
    assert_unhandled(event, body, route="/orders/<int:order>/pay", function="shop_of.<locals>.pay")
    assert event.tags == {"order": 17}


def test_what_a_view_handed_over_before_is_the_same_event(app: Flask, sync_shop: SyncRecorded) -> None:
    with wsgi_serving(app) as url:
        body = ask(f"{url}/orders/17/note")[2]
    event = sync_shop.event()
    assert (event.id, event.context) == (body["error"]["id"], {"basket": 3})


def test_what_one_request_binds_the_next_one_does_not_know(app: Flask, sync_shop: SyncRecorded) -> None:
    environ = {"REMOTE_ADDR": "127.0.0.1"}
    client = app.test_client()
    client.get("/orders/17/pay", environ_base=environ).close()
    client.get("/fail", environ_base=environ).close()
    first, second = sync_shop.events()
    assert (first.tags, second.tags, second.transaction) == ({"order": 17}, {}, "/fail")


def test_our_own_kinds_of_error_have_their_status_and_headers(app: Flask, sync_shop: SyncRecorded) -> None:
    app.testing = True
    client = app.test_client()
    response = client.get("/conflict", headers={"Accept": "application/problem+json"})
    assert (response.status_code, response.mimetype) == (409, "application/problem+json")
    response = client.get("/external")
    assert (response.status_code, response.headers["Retry-After"]) == (503, "30")
    assert [event.handled for event in sync_shop.events()] == [True, False]


def test_the_application_s_own_answers_pass(app: Flask, sync_shop: SyncRecorded) -> None:
    client = app.test_client()
    assert "my words" in client.get("/abort/409").text
    assert client.get("/nowhere").status_code == 404
    assert sync_shop.events() == []


@pytest.mark.parametrize("status", [500, 503])
def test_an_abort_of_500_and_above_keeps_its_words_and_is_an_event(
    app: Flask, sync_shop: SyncRecorded, status: int
) -> None:
    response = app.test_client().get(f"/abort/{status}")
    assert (response.status_code, "my words" in response.text) == (status, True)
    event = sync_shop.event()
    assert (event.handled, event.transaction) == (True, "/abort/<int:status>")


@pytest.mark.parametrize("kind", [500, HTTPException])
def test_a_handler_of_the_application_s_own_answers_and_the_error_is_still_an_event(
    app: Flask, sync_shop: SyncRecorded, kind: int | type[HTTPException]
) -> None:
    app.register_error_handler(kind, lambda error: ("my page", 500))
    assert app.test_client().get("/fail").text == "my page"
    assert app.test_client().get("/abort/500").text == "my page"
    first, second = sync_shop.events()
    assert (first.handled, second.handled) == (False, True)


def test_what_a_handler_for_all_exceptions_answers_is_the_application_s(
    app: Flask, sync_shop: SyncRecorded
) -> None:
    app.register_error_handler(Exception, lambda error: ("mine", 418))
    client = app.test_client()
    assert (client.get("/fail").text, client.get("/nowhere").text) == ("mine", "mine")
    assert sync_shop.events() == []


def test_where_flask_lets_errors_go_on_they_do_and_are_one_event(app: Flask, sync_shop: SyncRecorded) -> None:
    app.testing = True
    with pytest.raises(LookupError):
        app.test_client().get("/fail")
    assert sync_shop.event().transaction == "/fail"


@pytest.mark.parametrize("hook", ["before_request", "after_request", "teardown_request"])
def test_an_error_of_a_hook_is_answered_too(app: Flask, sync_shop: SyncRecorded, hook: str) -> None:
    def fail(*given: object) -> None:
        raise LookupError("no tenant")

    @app.get("/fine")
    def fine() -> str:
        return "fine"

    getattr(app, hook)(fail)
    with wsgi_serving(app) as url:
        status, _, body = ask(f"{url}/fine")
    event = sync_shop.event()
    assert (status, event.id, event.message) == (500, body["error"]["id"], "no tenant")


def test_a_stream_that_breaks_is_an_event_with_its_route(app: Flask, sync_shop: SyncRecorded) -> None:
    with wsgi_serving(app) as url, contextlib.suppress(OSError):
        ask(f"{url}/stream")
    event = sync_shop.event()
    assert (event.message, event.transaction) == ("no other half", "/stream")


def test_a_middleware_below_is_answered_too(sync_shop: SyncRecorded) -> None:
    app = shop_of(sync_shop.errors)

    def failing(environ: object, start_response: object) -> list[bytes]:
        raise LookupError("no tenant")

    app.wsgi_app = failing  # type: ignore[method-assign]  # as Flask's guide does
    install(app, sync_shop.errors)
    with wsgi_serving(app) as url:
        body = ask(f"{url}/fail")[2]
    assert sync_shop.event().id == body["error"]["id"]


def test_others_who_listen_to_flask_hear_of_the_error_too(app: Flask, sync_shop: SyncRecorded) -> None:
    heard: list[BaseException] = []

    def hear(sender: Flask, exception: BaseException) -> None:
        heard.append(exception)

    with got_request_exception.connected_to(hear, app):
        app.test_client().get("/fail")
    assert [str(error) for error in heard] == ["no price"]
