"""What a caller is told, by category."""

import asyncio
import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any, ClassVar

import msgspec
import pydantic
import pytest
from tests.tools.accept import ACCEPTS
from tests.tools.clock import FixedClock

from faultwire import (
    AuthenticationError,
    AuthorizationError,
    BusinessError,
    Category,
    ConflictError,
    ErrorManager,
    ErrorResponse,
    ErrorSeverity,
    ExternalError,
    FieldError,
    InternalError,
    NotFoundError,
    ValidationError,
    register_exception,
)
from faultwire.response.response import SENTENCES
from faultwire_shared.taxonomy import DEFAULTS


def answer(error: object, **arguments: Any) -> ErrorResponse:
    return ErrorManager(service="shop", clock=FixedClock()).handle_error_nowait(error, **arguments)


def test_a_response_is_a_mapping_of_its_four_keys(clock: FixedClock) -> None:
    clock.now = datetime(2026, 11, 23, 10, 0, 0, 123_999, tzinfo=UTC)
    response = ErrorManager(service="shop", clock=clock).handle_error_nowait(ValueError("x"))
    assert dict(response) == {
        "error_id": response.error_id,
        "message": SENTENCES[ErrorSeverity.HIGH],
        "severity": "high",
        "timestamp": "2026-11-23T10:00:00.123Z",
    }
    assert response.error_id.startswith("error_20261123_")


@pytest.mark.parametrize(
    ("error", "status", "headers"),
    [
        (ValidationError("x"), 400, {}),
        (AuthenticationError("x"), 401, {"WWW-Authenticate": "Bearer"}),
        (AuthorizationError("x"), 403, {}),
        (BusinessError("x"), 422, {}),
        (NotFoundError("x"), 404, {}),
        (ConflictError("x"), 409, {}),
        (ExternalError("x"), 503, {"Retry-After": "30"}),
        (ConnectionResetError("x"), 503, {"Retry-After": "30"}),
        (InternalError("x"), 500, {}),
        (ZeroDivisionError("x"), 500, {}),
    ],
)
def test_each_category_has_its_status_and_headers(
    error: Exception, status: int, headers: dict[str, str]
) -> None:
    response = answer(error)
    assert (response.status, dict(response.headers)) == (status, headers)


def test_a_challenge_cannot_smuggle_a_header_in() -> None:
    class BasicError(AuthenticationError):
        challenge = 'Basic realm="a"\r\nSet-Cookie: x=1'

    assert answer(BasicError("x")).headers == {"WWW-Authenticate": 'Basic realm="a"Set-Cookie: x=1'}


@pytest.mark.parametrize("error", [ValidationError("age: negative"), BusinessError("the order is closed")])
def test_validation_and_business_speak_for_themselves(error: Exception) -> None:
    assert answer(error).message == str(error)


@pytest.mark.parametrize("error", [AuthenticationError("s3cret"), ExternalError("s3cret"), OSError("s3cret")])
def test_the_other_categories_never_show_their_text(error: Exception) -> None:
    response = answer(error)
    assert b"s3cret" not in response.negotiate(None)[1] + response.negotiate("application/problem+json")[1]


class Account(pydantic.BaseModel):
    balance: int


class Row(msgspec.Struct):
    balance: int


def read_upstream(read: Callable[[Any], object]) -> Exception:
    try:
        read({"balance": "limit 90000 EUR, case 4711"})
    except Exception as error:  # noqa: BLE001 - it is what the test is about
        return error
    raise AssertionError


@pytest.mark.parametrize("read", [Account.model_validate, lambda given: msgspec.convert(given, Row)])
def test_data_that_a_library_refuses_is_our_failure_and_shown_to_nobody(
    read: Callable[[Any], object],
) -> None:
    response = answer(read_upstream(read))
    assert (response.status, response.code, response.severity) == (500, "INTERNAL_ERROR", "high")
    assert b"4711" not in response.negotiate(None)[1] + response.negotiate("application/problem+json")[1]


class FormError(Exception):
    """A library's, of somebody's input."""

    details: ClassVar = {"row": "4711"}
    challenge = 'Basic realm="upstream"'


@pytest.mark.parametrize("category", [Category.VALIDATION, Category.BUSINESS, Category.AUTHENTICATION])
def test_what_a_service_registers_has_its_status_and_not_its_words(
    category: Category, registered: None
) -> None:
    register_exception(FormError, category)
    response = answer(FormError("case 4711"))
    assert response.status == DEFAULTS[category].status
    shown = f"{response.negotiate(None)[1].decode()} {dict(response.headers)}"
    assert not {"4711", "upstream"} & set(re.findall(r"\w+", shown))


def test_what_is_registered_as_written_for_callers_speaks_for_itself(registered: None) -> None:
    register_exception(FormError, Category.BUSINESS, frank=True)
    assert answer(FormError("sold out")).message == "sold out"


@pytest.fixture
def registered() -> Iterator[None]:
    yield
    register_exception(FormError, Category.SYSTEM)


def test_the_user_message_wins() -> None:
    assert answer(BusinessError("inner"), user_message="outer").message == "outer"


def test_each_severity_has_a_sentence_of_its_own() -> None:
    sentences = {answer(RuntimeError(""), severity=severity).message for severity in ErrorSeverity}
    assert sentences == set(SENTENCES.values())
    assert len(sentences) == 4


def test_one_refused_field_stands_at_the_top_of_the_details_too() -> None:
    response = answer(ValidationError(errors=[FieldError("age", "must be positive", -1)]))
    assert response.body()["error"]["details"] == {
        "errors": [{"field": "age", "message": "must be positive", "value": -1}],
        "field": "age",
        "value": -1,
    }


def test_several_refused_fields_are_a_list() -> None:
    response = answer(ValidationError(errors=[FieldError("a", "x"), FieldError("b", "y")]))
    assert set(response.body()["error"]["details"]) == {"errors"}


def test_details_that_cannot_be_encoded_are_made_so() -> None:
    response = answer(BusinessError("x", details={"raw": b"\xff", "far": 2**80, "bad": "\ud800"}))
    assert msgspec.json.decode(response.negotiate(None)[1])["error"]["details"]["bad"] == "?"


def test_the_body_has_the_standard_keys() -> None:
    response = answer(NotFoundError("no order 17"))
    assert response.body() == {
        "error": {
            "id": response.error_id,
            "message": "no order 17",
            "code": "RESOURCE_NOT_FOUND",
            "severity": "medium",
            "timestamp": "2026-11-23T12:00:00.000Z",
            "details": {},
        }
    }


def test_problem_details_carry_the_same_fields() -> None:
    response = answer(NotFoundError("no order 17"))
    problem = response.problem()
    assert problem.items() >= response.body()["error"].items()
    assert {key: problem[key] for key in ("type", "title", "status", "detail", "instance")} == {
        "type": "about:blank",
        "title": "Not Found",
        "status": 404,
        "detail": "no order 17",
        "instance": f"urn:faultwire:event:{response.error_id}",
    }


def test_a_problem_has_the_same_title_on_every_python() -> None:
    assert answer(BusinessError("the order is closed")).problem()["title"] == "Unprocessable Entity"


@pytest.mark.parametrize(("accept", "expected"), ACCEPTS)
def test_problem_details_go_to_whom_asks_for_them(accept: str | None, expected: str) -> None:
    assert answer(ValueError("x")).negotiate(accept)[0] == expected


async def test_without_a_broker_the_final_state_says_so() -> None:
    state = await answer(ValueError("x")).delivered()
    assert (state.state, state.reason) == ("refused", "disabled")


def test_a_code_that_raises_does_not_hinder_the_answer() -> None:
    class OddError(BusinessError):
        @property
        def code(self) -> str:  # type: ignore[override]  # that is the oddity
            raise RuntimeError

    assert answer(OddError("x")).status == 500


def test_waiting_for_a_state_works_in_every_loop() -> None:
    response = answer(ValueError("x"))
    assert asyncio.run(response.delivered(1)) == asyncio.run(response.delivered(1))
