"""The shop in FastAPI: ``uvicorn tests.acceptance.web.fastapi_shop:app``."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from faultwire import ErrorManager
from faultwire.integrations.starlette import install

errors = ErrorManager.from_env(service="shop", collapse_storms=False)


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    async with errors, errors.guard(severity="critical"):
        yield


app = FastAPI(lifespan=lifespan)
install(app, errors)


def price_of(order: int) -> int:
    """What fails in this shop."""
    raise LookupError(f"no price for order {order}")


@app.get("/orders/{order}/pay")
async def pay(order: int) -> int:
    try:
        return price_of(order)
    except LookupError as error:
        await errors.handle_error(error, durability="spooled")
        raise


@app.get("/fine")
async def fine() -> str:
    return "fine"
