"""Flask: the standard response for what views, hooks and streams raise."""

from collections.abc import Callable
from typing import Any

from flask import Flask, Response, got_request_exception, request
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import HTTPException, InternalServerError

from faultwire.guard import Takes
from faultwire.integrations import host
from faultwire.integrations.wsgi import ErrorMiddleware
from faultwire.response.response import ErrorResponse
from faultwire_shared.taxonomy import CategorizedError

Handler = Callable[[Any], Any]


def install(app: Flask, errors: Takes) -> None:
    """Answer errors with the standard response, and make one event of each.

    An error handler of yours wins over the ones set here, and what it answers is yours alone; but an
    ``abort(500)`` and above is an event, no matter who answers it. Where Flask lets errors go on
    (``testing``, ``debug``, ``PROPAGATE_EXCEPTIONS``), they do, and are events all the same.

    Without an event loop, ``errors`` is a ``SyncErrorManager``.
    """
    answers = _FlaskAnswers(app, errors)
    got_request_exception.connect(answers.note, app, weak=False)
    app.teardown_request(answers.note_end)
    own = app.error_handler_spec[None]
    if not own[500]:
        app.register_error_handler(500, answers.answer_failure)
    if CategorizedError not in own[None]:
        app.register_error_handler(CategorizedError, answers.answer)
    answer_http = app.handle_http_exception

    def answer_counted(e: HTTPException) -> HTTPException | ResponseReturnValue:
        if (e.code or 0) >= 500:
            errors.handle_once(e)
        return answer_http(e)

    # A handler for HTTPException would take the place of one that the application has for Exception.
    app.handle_http_exception = answer_counted  # type: ignore[method-assign]
    app.wsgi_app = ErrorMiddleware(app.wsgi_app, errors, propagates=answers.propagates)  # type: ignore[method-assign]  # as Flask's guide does


class _FlaskAnswers:
    """Error handlers, as Flask calls them."""

    def __init__(self, app: Flask, errors: Takes) -> None:
        self._app = app
        self._errors = errors

    def note(self, sender: Flask, exception: Exception, **more: object) -> None:
        """Take what nothing in the application handled, before Flask lets it go on or answers it."""
        host.take(self._errors, exception)

    def note_end(self, error: BaseException | None) -> None:
        """Take what ends more than the request while its route is known; further out it is answered."""
        if error is not None and not isinstance(error, Exception) and host.is_failure(error):
            host.take(self._errors, error)

    def answer(self, error: CategorizedError) -> Response:
        """The standard response."""
        return _rendered(host.take(self._errors, error))

    def answer_failure(self, error: InternalServerError) -> Any:
        """The standard response for what nothing handled, unless the application has something to say."""
        own = self._own_handler()
        if own is not None:
            return self._app.ensure_sync(own)(error)
        if error.original_exception is None:
            return error.get_response()
        return _rendered(host.take(self._errors, error.original_exception))

    def propagates(self) -> bool:
        """True if errors propagate, by Flask's own rules."""
        said = self._app.config["PROPAGATE_EXCEPTIONS"]
        return bool(self._app.testing or self._app.debug if said is None else said)

    def _own_handler(self) -> Handler | None:
        """The application's handler for a class of errors that holds every failure."""
        for name in (*request.blueprints, None):
            handlers = self._app.error_handler_spec[name][None]
            for kind in InternalServerError.__mro__:
                if kind in handlers:
                    return handlers[kind]
        return None


def _rendered(response: ErrorResponse) -> Response:
    answer = host.answer_of(response, request.headers.get("Accept"))
    return Response(answer.body, status=answer.status, headers=answer.headers)
