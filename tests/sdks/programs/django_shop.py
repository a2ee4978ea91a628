"""A shop in Django that reports by Sentry's SDK: ``gunicorn tests.sdks.programs.django_shop:wsgi``."""

import os
from typing import Any

import django
import sentry_sdk
from django.conf import settings
from django.core.handlers.wsgi import WSGIHandler
from django.http import HttpResponse
from django.urls import path

sentry_sdk.init(os.environ["SENTRY_DSN"], release="shop@1.4.2", environment="staging", traces_sample_rate=1.0)


def price_of(order: int) -> int:
    raise LookupError(f"no price for order {order}")


def pay(request: Any, order: int) -> HttpResponse:
    sentry_sdk.set_user({"id": str(order)})
    sentry_sdk.add_breadcrumb(category="cart", message="paying")
    return HttpResponse(price_of(order))


def send(request: Any, order: int) -> HttpResponse:
    return HttpResponse(order // 0)


def fine(request: Any) -> HttpResponse:
    return HttpResponse("fine")


urlpatterns = [
    path("orders/<int:order>/pay", pay),
    path("orders/<int:order>/send", send),
    path("fine", fine),
]
settings.configure(ALLOWED_HOSTS=["127.0.0.1"], ROOT_URLCONF=__name__, MIDDLEWARE=[])
django.setup()
wsgi = WSGIHandler()
