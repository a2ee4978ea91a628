"""Jobs of a shop that report by Sentry's SDK: ``celery -A tests.sdks.programs.celery_jobs worker``."""

import os
from typing import Any

import sentry_sdk
from celery import Celery

sentry_sdk.init(os.environ["SENTRY_DSN"], release="shop@1.4.2", environment="staging", traces_sample_rate=1.0)
app: Any = Celery("jobs", broker=os.environ["CELERY_URL"])


def price_of(order: int) -> int:
    raise LookupError(f"no price for order {order}")


@app.task(name="jobs.pay")  # type: ignore[untyped-decorator] # Celery ships no types
def pay(order: int) -> int:
    sentry_sdk.set_user({"id": str(order)})
    sentry_sdk.add_breadcrumb(category="cart", message="paying")
    return price_of(order)


@app.task(name="jobs.send")  # type: ignore[untyped-decorator] # the same
def send(order: int) -> int:
    return order // 0
