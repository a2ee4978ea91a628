"""A shop in FastAPI that reports by Sentry's SDK: ``uvicorn tests.sdks.programs.fastapi_shop:app``."""

import os

import sentry_sdk
from fastapi import FastAPI

# What a service that traces sends besides: transactions, and a session for each request.
sentry_sdk.init(os.environ["SENTRY_DSN"], release="shop@1.4.2", environment="staging", traces_sample_rate=1.0)
app = FastAPI()


def price_of(order: int) -> int:
    raise LookupError(f"no price for order {order}")


@app.get("/orders/{order}/pay")
async def pay(order: int) -> int:
    sentry_sdk.set_user({"id": str(order)})
    sentry_sdk.add_breadcrumb(category="cart", message="paying")
    return price_of(order)


@app.get("/orders/{order}/send")
async def send(order: int) -> int:
    return order // 0


@app.get("/fine")
async def fine() -> str:
    return "fine"
