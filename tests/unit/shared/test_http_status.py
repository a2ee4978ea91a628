"""The words for HTTP's failures: our own, whatever this Python's library calls them."""

from http import HTTPStatus

import pytest

from faultwire_shared.http_status import code_of, title_of

RENAMED = {
    413: ("REQUEST_ENTITY_TOO_LARGE", "Request Entity Too Large"),
    414: ("REQUEST_URI_TOO_LONG", "Request-URI Too Long"),
    416: ("REQUESTED_RANGE_NOT_SATISFIABLE", "Requested Range Not Satisfiable"),
    422: ("UNPROCESSABLE_ENTITY", "Unprocessable Entity"),
}
OTHERS = [status for status in HTTPStatus if status >= 400 and status not in RENAMED]


@pytest.mark.parametrize("status", RENAMED)
def test_what_python_renamed_keeps_its_words(status: int) -> None:
    assert (code_of(status), title_of(status)) == RENAMED[status]


@pytest.mark.parametrize("status", OTHERS)
def test_every_other_failure_has_the_words_of_the_standard_library(status: HTTPStatus) -> None:
    assert (code_of(status), title_of(status).lower()) == (status.name, status.phrase.lower())


def test_a_status_without_words_is_an_error() -> None:
    assert (code_of(599), title_of(599)) == ("ERROR", "Error")
