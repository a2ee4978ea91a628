"""Declarations of what a route takes and gives, made beside its handler; the handler is given what was read.

A parameter or body is described by what reads it, so description and reading cannot differ.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import wraps
from typing import Any, Final, TypeVar, overload

from aiohttp import web
from aiohttp.typedefs import Handler
from msgspec import Struct
from msgspec.structs import fields

from faultwire_consumer.web.openapi.answer import EVENT_STREAM, GivenAnswer, json_answer_of
from faultwire_consumer.web.openapi.validator import validate
from faultwire_consumer.web.parameter import ParameterNote, Parameters, no_filter, notes_of
from faultwire_consumer.web.request import read_change, read_parameters
from faultwire_shared.taxonomy import CategorizedError

P = TypeVar("P")
B = TypeVar("B", bound=Struct)
Reader = Callable[[Parameters], P]
Answering = Awaitable[web.StreamResponse]

_ATTRIBUTE: Final = "__faultwire_operation__"


class Operation(Struct, frozen=True, kw_only=True):
    """Description of what a route takes and gives."""

    summary: str
    parameters: Mapping[str, ParameterNote]
    body: tuple[Any, ...]
    """The type of the request's body, or the types of which it may be any; empty where it takes none."""
    body_required: bool
    answers: Sequence[GivenAnswer]
    raises: Sequence[type[CategorizedError]]
    has_validator: bool = False
    """An answer to GET has an ETag, and is not sent again to whoever names it."""


@overload
def describe(
    *, answers: Any, raises: Sequence[type[CategorizedError]] = ()
) -> Callable[[Callable[[web.Request], Answering]], Handler]: ...
@overload
def describe(
    *, reads: Reader[P], answers: Any, raises: Sequence[type[CategorizedError]] = (), lenient: bool = False
) -> Callable[[Callable[[web.Request, P], Answering]], Handler]: ...
@overload
def describe(
    *, takes: type[B], answers: Any, raises: Sequence[type[CategorizedError]] = ()
) -> Callable[[Callable[[web.Request, B], Answering]], Handler]: ...
@overload
def describe(
    *, reads: Reader[P], takes: type[B], answers: Any, raises: Sequence[type[CategorizedError]] = ()
) -> Callable[[Callable[[web.Request, P, B], Answering]], Handler]: ...
def describe(
    *,
    answers: Any,
    reads: Reader[Any] | None = None,
    takes: type[Any] | None = None,
    raises: Sequence[type[CategorizedError]] = (),
    lenient: bool = False,
) -> Callable[[Callable[..., Answering]], Handler]:
    """Declare a route, below its place in a table of routes; its docstring's first line says what it is for.

    Args:
        answers: the type of the JSON document, or one or several of `GivenAnswer`.
        reads: reads the query, and the handler is given what it returns; unknown parameters are refused.
        takes: the type of the JSON body, which the handler is given after that; it may be missing if each
            of its fields has a default.
        raises: errors of the handler's own; those of reading, and of the path's id, are known.
        lenient: parameters that are unknown or wrong are passed over: a probe must be answered.
    """

    def decorate(function: Callable[..., Answering]) -> Handler:
        @wraps(function)
        async def handle(request: web.Request) -> web.StreamResponse:
            given: list[Any] = []
            parameters = read_parameters(request)
            read = (reads or no_filter)(parameters)
            if not lenient:
                parameters.finish()
            if reads is not None:
                given.append(read)
            if takes is not None:
                given.append(await read_change(request, takes))
            response = await function(request, *given)
            return validate(request, response) if takes is None and not lenient else response

        given_answers = _answers_of(answers)
        is_stream = any(EVENT_STREAM in one.content for one in given_answers)
        operation = Operation(
            summary=_first_line(function),
            parameters=notes_of(reads) if reads is not None else {},
            body=() if takes is None else (takes,),
            body_required=takes is not None and _has_required(takes),
            answers=given_answers,
            raises=raises,
            has_validator=takes is None and not lenient and not is_stream,
        )
        return attach(handle, operation)

    return decorate


def attach(handler: Handler, operation: Operation) -> Handler:
    """Let a handler carry its description, also when a decorator with `functools.wraps` goes around it."""
    setattr(handler, _ATTRIBUTE, operation)
    return handler


def operation_of(handler: object) -> Operation | None:
    """Return the description that a handler carries; None for one that was never described."""
    found = getattr(handler, _ATTRIBUTE, None)
    return found if isinstance(found, Operation) else None


def _answers_of(answers: Any) -> tuple[GivenAnswer, ...]:
    given = answers if isinstance(answers, tuple) else (answers,)
    return tuple(one if isinstance(one, GivenAnswer) else json_answer_of(one) for one in given)


def _has_required(kind: type[Any]) -> bool:
    return any(field.required for field in fields(kind))


def _first_line(function: Callable[..., Any]) -> str:
    return (function.__doc__ or "").strip().partition("\n")[0]
