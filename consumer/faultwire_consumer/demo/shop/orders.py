"""Orders: a business rule, input that is refused, rights, a database's constraint, a missing key."""

import asyncio
import sqlite3
from typing import Any

from aiohttp import web

from faultwire import AuthorizationError, BusinessError, FieldError, NotFoundError, ValidationError

routes = web.RouteTableDef()
DATABASE: web.AppKey[sqlite3.Connection] = web.AppKey("database")

_CLOSED = range(100, 120)
_VOUCHERS = {"WELCOME": 10, "SUMMER": 0}


class OrderClosedError(BusinessError):
    """A closed order takes no more items."""

    code = "ORDER_CLOSED"
    status = 409


class OrderNotFoundError(NotFoundError):
    """There is no such order."""

    code = "ORDER_NOT_FOUND"


class RefundForbiddenError(AuthorizationError):
    """Only the cashier may refund."""

    code = "REFUND_FORBIDDEN"


def open_database() -> sqlite3.Connection:
    """Open the orders' own little database, which is gone with the process."""
    database = sqlite3.connect(":memory:")
    database.execute("CREATE TABLE orders (number INTEGER PRIMARY KEY, customer TEXT NOT NULL)")
    database.execute("INSERT INTO orders VALUES (17, 'ada')")
    return database


@routes.get("/orders/{number}")
async def show_order(request: web.Request) -> web.Response:
    """Show one order, if it exists."""
    number = int(request.match_info["number"])
    row = request.app[DATABASE].execute("SELECT customer FROM orders WHERE number = ?", (number,)).fetchone()
    if row is None:
        raise OrderNotFoundError(f"there is no order {number}")
    return web.json_response({"number": number, "customer": row[0]})


@routes.post("/orders")
async def place_order(request: web.Request) -> web.Response:
    """Place an order. The caller chooses the number, and sooner or later chooses one twice."""
    order = await request.json()
    check_order(order)
    request.app[DATABASE].execute("INSERT INTO orders VALUES (?, ?)", (order["number"], order["customer"]))
    return web.json_response(order, status=201)


@routes.post("/orders/{number}/items")
async def add_item(request: web.Request) -> web.Response:
    """Put something into an order that is still open."""
    number = int(request.match_info["number"])
    if number in _CLOSED:
        raise OrderClosedError(f"order {number} is closed and takes no more items")
    return web.json_response({"number": number})


@routes.post("/orders/{number}/refund")
async def refund(request: web.Request) -> web.Response:
    """Refund the money, if the cashier says so."""
    role = request.headers.get("X-Role", "customer")
    if role != "cashier":
        raise RefundForbiddenError(f"a {role} may not refund order {request.match_info['number']}")
    return web.json_response({})


@routes.get("/orders/{number}/voucher/{name}")
async def share_voucher(request: web.Request) -> web.Response:
    """Share what is left of a voucher; nobody thought of unknown and of used-up ones."""
    uses = _VOUCHERS[request.match_info["name"]]
    return web.json_response({"each": 100 / uses})


@routes.post("/checkout")
async def check_out(_: web.Request) -> web.Response:
    """Do everything at once, so that everything fails together."""
    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(_check_address("")).set_name("address")
            group.create_task(_check_age("seventeen")).set_name("age")
    except* ValueError as group_error:
        group_error.add_note("the customer was sent back to the form")
        raise
    return web.json_response({})


def check_order(order: dict[str, Any]) -> None:
    """Reject an impossible order, field by field."""
    errors = []
    if not str(order.get("customer", "")).strip():
        errors.append(FieldError("customer", "must not be empty", order.get("customer")))
    if int(order.get("quantity", 1)) <= 0:
        errors.append(FieldError("quantity", "must be positive", order["quantity"]))
    if errors:
        raise ValidationError(errors=errors)


async def _check_address(address: str) -> None:
    await asyncio.sleep(0)
    if not address:
        raise ValueError("the address is empty")


async def _check_age(age: str) -> None:
    await asyncio.sleep(0)
    if int(age) < 18:
        raise ValueError("too young")
