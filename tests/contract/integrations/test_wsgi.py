"""Plain WSGI applications, behind the standard library's server and its judge of the specification."""

import contextlib
from collections.abc import Iterable, Iterator
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment
from wsgiref.util import FileWrapper
from wsgiref.validate import validator

import pytest
from tests.contract.integrations.recording import HEADERS, SyncRecorded
from tests.tools.serving import ask, wsgi_serving

from faultwire import NotFoundError
from faultwire.integrations.wsgi import ErrorMiddleware

PLAIN = [("Content-Type", "text/plain")]


def pay(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    raise LookupError("no price")


def halves(environ: WSGIEnvironment, start_response: StartResponse) -> Iterator[bytes]:
    start_response("200 OK", PLAIN)
    yield b"half"
    raise LookupError("no other half")


def nothing(environ: WSGIEnvironment, start_response: StartResponse) -> Iterator[bytes]:
    start_response("200 OK", PLAIN)
    if environ:
        raise LookupError("not even half")
    yield b""


def test_an_unhandled_error_is_one_event_and_the_standard_answer(sync_shop: SyncRecorded) -> None:
    with wsgi_serving(validator(ErrorMiddleware(validator(pay), sync_shop.errors))) as url:
        status, headers, body = ask(f"{url}/orders/17?page=2", **HEADERS)
    event = sync_shop.event()
    assert (status, headers["Cache-Control"]) == (500, "no-store")
    assert (event.id, event.handled) == (body["error"]["id"], False)
    assert (event.request["url"], event.request["query"]) == (f"{url}/orders/17", {"page": "2"})
    assert (event.request["headers"]["x-tenant"], event.trace_id) == ("acme", HEADERS["traceparent"][3:35])
    assert "secret" not in str(event.request)


def test_a_question_for_the_head_alone_has_the_same_answer_without_a_body(sync_shop: SyncRecorded) -> None:
    def missing(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        raise NotFoundError("no order 17")

    with wsgi_serving(ErrorMiddleware(missing, sync_shop.errors)) as url:
        status, headers, body = ask(url, method="HEAD")
    assert (status, body) == (404, "")
    assert int(headers["Content-Length"]) > 100


def test_a_body_that_breaks_before_anything_was_sent_is_answered(sync_shop: SyncRecorded) -> None:
    with wsgi_serving(validator(ErrorMiddleware(nothing, sync_shop.errors))) as url:
        status, _, body = ask(url)
    assert (status, body["error"]["id"]) == (500, sync_shop.event().id)


def test_a_body_that_breaks_later_is_broken_off_and_is_an_event(sync_shop: SyncRecorded) -> None:
    with wsgi_serving(ErrorMiddleware(halves, sync_shop.errors)) as url, contextlib.suppress(OSError):
        assert ask(url)[2] == "half"
    event = sync_shop.event()
    assert (event.message, event.request["method"]) == ("no other half", "GET")


def test_what_a_body_binds_holds_for_it_and_for_nobody_else(sync_shop: SyncRecorded) -> None:
    def binding(environ: WSGIEnvironment, start_response: StartResponse) -> Iterator[bytes]:
        start_response("200 OK", PLAIN)
        sync_shop.errors.bind(part=1)
        yield b"half"
        raise LookupError("no other half")

    def answers(environ: WSGIEnvironment) -> Iterable[bytes]:
        return ErrorMiddleware(binding, sync_shop.errors)(environ, lambda *given: lambda part: None)

    first, second = (
        iter(answers({"PATH_INFO": path, "wsgi.url_scheme": "http", "HTTP_HOST": "shop"}))
        for path in ("/a", "/b")
    )
    assert next(first) == next(second) == b"half"
    for body in (first, second):
        next(body)
    a, b = sync_shop.events()
    assert (a.tags, a.request["url"], b.request["url"]) == ({"part": 1}, "http://shop/a", "http://shop/b")
    sync_shop.errors.handle_error(LookupError("elsewhere"))
    assert sync_shop.events()[-1].tags == {}


def test_an_error_while_it_cleans_up_is_an_event(sync_shop: SyncRecorded) -> None:
    class Body:
        def __iter__(self) -> Iterator[bytes]:
            return iter([b"whole"])

        def close(self) -> None:
            raise LookupError("cannot clean up")

    def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        start_response("200 OK", PLAIN)
        return Body()

    with wsgi_serving(ErrorMiddleware(app, sync_shop.errors)) as url, contextlib.suppress(OSError):
        ask(url)
    assert sync_shop.event().message == "cannot clean up"


def test_a_file_stays_one_that_the_server_may_send_itself(sync_shop: SyncRecorded) -> None:
    with open(__file__, "rb") as file:  # noqa: PTH123 - what an application hands over
        body = FileWrapper(file)
        app: WSGIApplication = lambda environ, start_response: body  # noqa: E731 - the shortest application
        environ = {"wsgi.file_wrapper": FileWrapper}
        assert ErrorMiddleware(app, sync_shop.errors)(environ, lambda *given: lambda part: None) is body


def test_an_error_goes_on_where_it_should(sync_shop: SyncRecorded) -> None:
    app = ErrorMiddleware(pay, sync_shop.errors, propagates=lambda: True)
    with pytest.raises(LookupError):
        app({}, lambda *given: lambda part: None)
    assert sync_shop.event().message == "no price"
