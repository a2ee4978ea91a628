"""The API as commands ask it: one request, one document, failures as one line."""

import json
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from http.client import HTTPException
from typing import Any, Final
from urllib.error import HTTPError, URLError
from urllib.parse import quote, urlencode
from urllib.request import (
    HTTPRedirectHandler,
    HTTPSHandler,
    OpenerDirector,
    ProxyHandler,
    Request,
    build_opener,
)

from faultwire_consumer.cli.address import log_in, trust, worker_url
from faultwire_consumer.cli.failure import FAILED, USAGE, CommandError
from faultwire_consumer.cli.option import Output
from faultwire_consumer.cli.output import say
from faultwire_shared.redact import redact_url
from faultwire_shared.tls.refusal import why_refused

TIMEOUT_SECONDS: Final = 30.0
_REDIRECTS: Final = (301, 302, 303, 307, 308)
_REMEDY: Final = " (FAULTWIRE_TOKEN, or FAULTWIRE_TOKEN_FILE, from `faultwire access token create`)"
_NOT_HERE: Final = (403, 404)
Values = Mapping[str, str | int | Sequence[str] | None]


class _NoRedirects(HTTPRedirectHandler):
    """Follows no redirect: the token, or the password, would go along to wherever it leads."""

    def redirect_request(self, *_: Any) -> None:
        """Have a redirect told as the answer that it is."""


class ApiClient:
    """Asks the worker at ``--url``, else at ``FAULTWIRE_URL``."""

    def __init__(self, output: Output, *, timeout_seconds: float = TIMEOUT_SECONDS) -> None:
        self._timeout_seconds = timeout_seconds
        self._root = worker_url(output.url)
        self._output = output
        # A proxy of the environment is for the world outside, not for a worker next to us.
        self._opener: OpenerDirector = build_opener(
            ProxyHandler({}), _NoRedirects(), HTTPSHandler(context=trust(output.ca_file))
        )

    @property
    def url(self) -> str:
        """The worker's address."""
        return self._root

    def log_in(self) -> tuple[str, dict[str, str]]:
        """The worker's address without its user, and the header that lets the command in."""
        return log_in(self._root)

    def get(self, *path: str, **parameters: str | int | Sequence[str] | None) -> Any:
        """One document.

        Raises:
            CommandError: the worker does not answer, or says no.
        """
        _, document = self.ask("GET", path, parameters)
        return document

    def find(self, *path: str, **parameters: str | int | Sequence[str] | None) -> Any:
        """One document, or None where the worker has none there or does not show it to this user.

        Raises:
            CommandError: the worker does not answer, or fails.
        """
        status, document = self.ask("GET", path, parameters, accepted=_NOT_HERE)
        return None if status in _NOT_HERE else document

    def post(self, *path: str, body: Mapping[str, Any]) -> Any:
        """Ask for a change, and give the document that answers.

        Raises:
            CommandError: the worker does not answer, or says no.
        """
        _, document = self.ask("POST", path, {}, body=body)
        return document

    def ask(
        self,
        method: str,
        path: Sequence[str],
        parameters: Values,
        *,
        body: Mapping[str, Any] | None = None,
        accepted: Sequence[int] = (),
    ) -> tuple[int, Any]:
        """One request; statuses in ``accepted`` are answers too and not failures."""
        try:
            with self._open(method, path, parameters, body) as answer:
                return answer.status, json.loads(answer.read())
        except HTTPError as error:
            document = _read(error)
            if error.code in accepted:
                return error.code, document
            raise _refused(error, document, parameters) from None
        except (URLError, OSError, HTTPException, ValueError) as error:
            raise self._unreachable(error) from None

    def fetch(self, path: Sequence[str], parameters: Values) -> tuple[Mapping[str, str], bytes]:
        """One answer as it came: its headers and its body.

        Raises:
            CommandError: the worker does not answer, or says no.
        """
        try:
            with self._open("GET", path, parameters, None) as answer:
                return answer.headers, answer.read()
        except HTTPError as error:
            raise _refused(error, _read(error), parameters) from None
        except (URLError, OSError, HTTPException) as error:
            raise self._unreachable(error) from None

    def _open(
        self, method: str, path: Sequence[str], parameters: Values, body: Mapping[str, Any] | None
    ) -> Any:
        given = {name: value for name, value in parameters.items() if value not in (None, (), [])}
        query = f"?{urlencode(given, doseq=True)}" if given else ""
        root, login = log_in(self._root)
        url = f"{root}/{'/'.join(quote(part, safe='') for part in path)}{query}"
        if self._output.verbose:
            say(f"{method} {redact_url(url.partition('?')[0])}{query}")
        request = Request(  # noqa: S310 - the scheme was checked
            url,
            method=method,
            data=json.dumps(body).encode() if body is not None else None,
            headers={"Content-Type": "application/json", "Accept": "application/json", **login},
        )
        return self._opener.open(request, timeout=self._timeout_seconds)

    def _unreachable(self, error: Exception) -> CommandError:
        shown = redact_url(self._root)
        reason = error.reason if isinstance(error, URLError) else error
        if isinstance(reason, ConnectionRefusedError):
            return CommandError(
                f"no worker answers at {shown}; start one with `faultwire worker`, or set FAULTWIRE_URL"
            )
        if isinstance(reason, Exception) and (told := why_refused(reason, "--ca-file or FAULTWIRE_CA_FILE")):
            return CommandError(f"no answer from {shown}: {told}")
        return CommandError(f"no answer from {shown}: {reason}; is it a faultwire worker? (FAULTWIRE_URL)")


def _read(error: HTTPError) -> Any:
    with error:  # it holds the connection
        try:
            return json.loads(error.read())
        except (OSError, ValueError, HTTPException):
            return None


def _refused(error: HTTPError, document: Any, given: Values) -> CommandError:
    told = document.get("error") if isinstance(document, dict) else None
    if error.code in _REDIRECTS:
        place = redact_url(str(error.headers.get("Location"))[:200])
        return CommandError(f"the worker's address leads elsewhere: if {place} is right, name it instead")
    if not isinstance(told, dict):
        return CommandError(f"the worker answered {error.code} {error.reason}")
    code = USAGE if error.code == 400 else FAILED
    reference = f" (error {told.get('id')})" if error.code >= 500 else ""
    remedy = _REMEDY if error.code == HTTPStatus.UNAUTHORIZED else ""
    return CommandError(
        f"{told.get('message')}{reference}{remedy}", code, mark=_mark(told.get("details"), given)
    )


def _mark(details: Any, given: Values) -> tuple[str, int, int] | None:
    """The query that was refused, and which of its characters are wrong: the first and how many."""
    query = given.get("query")
    if not isinstance(query, str) or not isinstance(details, dict):
        return None
    column, length = details.get("column"), details.get("length")
    return (query, column - 1, length) if isinstance(column, int) and isinstance(length, int) else None
