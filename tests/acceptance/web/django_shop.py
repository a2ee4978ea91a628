"""The shop in Django: gunicorn serves ``wsgi``, uvicorn ``asgi``."""

from typing import Any

import django
from django.conf import settings
from django.core.handlers.asgi import ASGIHandler
from django.core.handlers.wsgi import WSGIHandler
from django.http import HttpResponse
from django.urls import path

from faultwire import SyncErrorManager

errors = SyncErrorManager.from_env(service="shop", collapse_storms=False)


def price_of(order: int) -> int:
    """What fails in this shop."""
    raise LookupError(f"no price for order {order}")


def pay(request: Any, order: int) -> HttpResponse:
    try:
        return HttpResponse(price_of(order))
    except LookupError as error:
        errors.handle_error(error, durability="spooled")
        raise


def fine(request: Any) -> HttpResponse:
    return HttpResponse("fine")


urlpatterns = [path("orders/<int:order>/pay", pay), path("fine", fine)]

settings.configure(
    ALLOWED_HOSTS=["127.0.0.1"],
    ROOT_URLCONF=__name__,
    MIDDLEWARE=["faultwire.integrations.django.ErrorMiddleware"],
    FAULTWIRE_ERRORS=errors,
)
django.setup()
wsgi = WSGIHandler()
asgi = ASGIHandler()
