"""A Django project with an error of each kind; ``errors`` is put in place by whoever serves it."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import django
from django.conf import settings
from django.core.exceptions import PermissionDenied, SuspiciousOperation
from django.http import Http404, HttpResponse, StreamingHttpResponse
from django.urls import path, re_path

from faultwire import ConflictError, SyncErrorManager

Request = Any
Response = Any

errors = SyncErrorManager(service="shop")

settings.configure(
    DEBUG=False,
    ALLOWED_HOSTS=["127.0.0.1", "testserver"],
    SECRET_KEY="not one",  # noqa: S106 - nothing is signed here
    ROOT_URLCONF=__name__,
    MIDDLEWARE=[
        "faultwire.integrations.django.ErrorMiddleware",
        f"{__name__}.passing",
        f"{__name__}.TenantMiddleware",
    ],
    FAULTWIRE_ERRORS=f"{__name__}.errors",
    LOGGING_CONFIG=None,
    TEMPLATES=[
        {
            "BACKEND": "django.template.backends.django.DjangoTemplates",
            "OPTIONS": {
                "loaders": [("django.template.loaders.locmem.Loader", {"500.html": "the project's page"})]
            },
        }
    ],
)


class TenantMiddleware:
    """As most are written: for synchronous views alone. It fails for those who ask it to."""

    def __init__(self, get_response: Callable[[Request], Response]) -> None:
        self._get_response = get_response

    def __call__(self, request: Request) -> Response:
        if request.GET.get("tenant") == "none":
            raise LookupError("no tenant")
        return self._get_response(request)


def passing(get_response: Callable[[Request], Response]) -> Callable[[Request], Response]:
    """A middleware that does nothing."""
    return get_response


def pay(request: Request, order: int) -> Response:
    errors.bind(order=order)
    raise LookupError(f"no price for order {order}")


async def pay_async(request: Request, order: int) -> Response:
    errors.bind(order=order)
    await asyncio.sleep(0)
    raise LookupError(f"no price for order {order}")


def note(request: Request) -> Response:
    error = LookupError("noted")
    errors.handle_error(error, context={"basket": 3})
    raise error


def fail(request: Request) -> Response:
    raise LookupError("no price")


def conflict(request: Request) -> Response:
    raise ConflictError("taken")


def passes(request: Request, kind: str) -> Response:
    kinds = {"404": Http404, "403": PermissionDenied, "400": SuspiciousOperation}
    raise kinds[kind]("mine")


def stream(request: Request) -> Response:
    def halves() -> Iterator[str]:
        errors.bind(part=1)
        yield "half"
        raise LookupError("no other half")

    return StreamingHttpResponse(halves())


async def stream_async(request: Request) -> Response:
    async def halves() -> AsyncIterator[str]:
        errors.bind(part=1)
        yield "half"
        raise LookupError("no other half")

    return StreamingHttpResponse(halves())


def fine(request: Request) -> Response:
    return HttpResponse("fine")


def end(request: Request) -> Response:
    raise SystemExit(1)


class Deadline(BaseException):
    """A library's; an exit would end the loop, where Django runs a view in a task of its own."""


async def end_async(request: Request) -> Response:
    raise Deadline("10 s are over")


urlpatterns = [
    path("end", end),
    path("async/end", end_async),
    path("orders/<int:order>/pay", pay),
    path("async/orders/<int:order>/pay", pay_async),
    re_path(r"^old/(?P<order>\d+)$", pay),
    path("note", note),
    path("fail", fail),
    path("conflict", conflict),
    path("passes/<str:kind>", passes),
    path("stream", stream),
    path("async/stream", stream_async),
    path("fine", fine),
]
django.setup()
