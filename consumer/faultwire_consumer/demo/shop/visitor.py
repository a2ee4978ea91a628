"""The shop's visitors: now and then a request, most of which fail."""

import asyncio
import random
from typing import Any, Final

import aiohttp

Wish = tuple[float, str, str, Any]

# Relative frequency, then the request.
WISHES: Final[tuple[Wish, ...]] = (
    (9, "POST", "/payments/orders/{n}/pay", None),
    (6, "GET", "/stock/stock/sku-{n}", None),
    (6, "POST", "/orders/orders/{closed}/items", {}),
    (5, "GET", "/orders/orders/{n}", None),
    (4, "POST", "/orders/orders", {"number": 1000, "customer": " ", "quantity": 0}),
    (4, "POST", "/orders/orders", {"number": 17, "customer": "ada"}),
    (3, "POST", "/payments/orders/{n}/ship", None),
    (3, "GET", "/payments/prices", None),
    (3, "POST", "/orders/orders/{n}/refund", None),
    (2, "GET", "/orders/orders/{n}/voucher/SUMMER", None),
    (2, "GET", "/orders/orders/{n}/voucher/WINTER", None),
    (2, "GET", "/stock/stock/sku-{n}/picture", None),
    (2, "POST", "/stock/stock/import", None),
    (2, "GET", "/payments/invoices/{n}", None),
    (1, "POST", "/orders/checkout", None),
    (1, "GET", "/stock/bundles/starter", None),
    (1, "GET", "/stock/stock/sku-1/manual", None),
    (1, "POST", "/stock/stock/sku-{n}/label", None),
    (1, "GET", "/stock/stock/sku-2", None),
    (1, "GET", "/stock/stock/sku-3", None),
    (0.5, "POST", "/payments/ledger/close", None),
)


async def visit(address: str, *, rng: random.Random, seconds_between: float) -> None:
    """Make every request once, so that each failure shows up soon; then at random, until cancelled."""
    first = sorted(WISHES, key=lambda wish: -wish[0])
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=10)) as session:
        for wish in first:
            await _ask(session, address, wish, rng)
            await asyncio.sleep(seconds_between / 10)
        while True:
            await _ask(session, address, rng.choices(WISHES, [wish[0] for wish in WISHES])[0], rng)
            await asyncio.sleep(rng.expovariate(1 / seconds_between))


async def _ask(session: aiohttp.ClientSession, address: str, wish: Wish, rng: random.Random) -> None:
    _, method, path, body = wish
    url = address + path.format(n=rng.randint(200, 99_999), closed=rng.randint(100, 119))
    headers = {"X-Customer": f"customer-{rng.randint(1, 500)}"}
    async with session.request(method, url, json=body, headers=headers) as answer:
        await answer.read()
