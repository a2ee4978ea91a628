"""The shop in Flask: ``gunicorn tests.acceptance.web.flask_shop:app``."""

from flask import Flask

from faultwire import SyncErrorManager
from faultwire.integrations.flask import install

errors = SyncErrorManager.from_env(service="shop", collapse_storms=False)
app = Flask("shop")
install(app, errors)


def price_of(order: int) -> int:
    """What fails in this shop."""
    raise LookupError(f"no price for order {order}")


@app.get("/orders/<int:order>/pay")
def pay(order: int) -> str:
    try:
        return str(price_of(order))
    except LookupError as error:
        errors.handle_error(error, durability="spooled")
        raise


@app.get("/fine")
def fine() -> str:
    return "fine"
