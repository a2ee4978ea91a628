"""Payments: a gateway that is down, a carrier that hangs, nonsense from a price list, a chain of causes."""

import asyncio
from decimal import Decimal, InvalidOperation
from typing import Any

import aiohttp
from aiohttp import web

from faultwire import ErrorSeverity, ExternalError, InternalError
from faultwire_consumer.demo.shop.partner import Partners

routes = web.RouteTableDef()
PARTNERS: web.AppKey[Partners] = web.AppKey("partners")
SESSION: web.AppKey[aiohttp.ClientSession] = web.AppKey("session")


class CarrierTimeoutError(ExternalError):
    """The carrier did not answer in time."""

    code = "CARRIER_TIMEOUT"
    status = 504


class LedgerUnbalancedError(InternalError):
    """The books do not balance: somebody must look into it at once."""

    code = "LEDGER_UNBALANCED"
    severity = ErrorSeverity.CRITICAL


@routes.post("/orders/{number}/pay")
async def pay(request: web.Request) -> web.Response:
    """Charge the card, at a gateway that does not answer."""
    receipt = await _charge(request.app, int(request.match_info["number"]))
    return web.json_response(receipt)


@routes.post("/orders/{number}/ship")
async def ship(request: web.Request) -> web.Response:
    """Ask the carrier for a label; it keeps the shop waiting."""
    try:
        async with asyncio.timeout(0.3), request.app[SESSION].post(request.app[PARTNERS].carrier) as answer:
            return web.json_response(await answer.json())
    except TimeoutError as error:
        raise CarrierTimeoutError("the carrier did not answer within 0.3 s") from error


@routes.get("/prices")
async def prices(request: web.Request) -> web.Response:
    """Show the price list, as far as it arrived."""
    async with request.app[SESSION].get(request.app[PARTNERS].price_list) as answer:
        return web.json_response(await answer.json())


@routes.get("/invoices/{number}")
async def invoice(request: web.Request) -> web.Response:
    """Write an invoice, with an amount that somebody typed."""
    total = _read_amount("12,50 EUR")
    return web.json_response({"number": request.match_info["number"], "total": str(total)})


@routes.post("/ledger/close")
async def close_ledger(_: web.Request) -> web.Response:
    """Close the books of the day."""
    difference = sum((Decimal(amount) for amount in ("19.90", "5.00", "-24.80")), Decimal(0))
    if difference:
        raise LedgerUnbalancedError(f"the day's books are off by {difference}")
    return web.json_response({})


async def _charge(app: web.Application, number: int) -> Any:
    async with app[SESSION].post(f"{app[PARTNERS].card_gateway}/charge", json={"order": number}) as answer:
        return await answer.json()


def _read_amount(text: str) -> Decimal:
    try:
        return Decimal(text)
    except InvalidOperation as error:
        raise ValueError("an amount cannot be read") from error
