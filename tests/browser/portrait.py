"""``python -m tests.browser.portrait DIR``: the README's pictures, of a shop after three days.

Everything is sent over the intake and done by the API, as services and operators do.
"""

import asyncio
import random
import sys
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from msgspec import Struct
from playwright.async_api import Browser, async_playwright
from tests.browser.conftest import CHROMIUM
from tests.browser.filling import Site, ask
from tests.servers.process import temporary_home, wait_until
from tests.servers.worker import Worker
from tests.tools.factories import wire_event

_HOURS: Final = 72
_BATCH: Final = 50
_RELEASES: Final = ("2.3.0", "2.4.0", "2.4.1")


class Bug(Struct, frozen=True, kw_only=True):
    """A bug of the shop: what it says, where, and how often it happened."""

    severity: str
    service: str
    kind: str
    text: str
    place: str
    since_hours: int = _HOURS
    until_hours: int = 0
    an_hour: float = 0.4
    burst: int = 0
    """Events within the last hour."""
    category: str = "system"


_BUGS: Final = (
    Bug(
        severity="critical",
        service="ledger",
        kind="LedgerUnbalancedError",
        text="the books of {day} are off by 0.10",
        place="ledger.closing:close_day",
        since_hours=1,
        burst=4,
    ),
    Bug(
        severity="high",
        service="billing",
        kind="CardGatewayDown",
        text="gateway refused order {order} after 3 tries",
        place="billing.gateway:charge_card",
        an_hour=2.5,
        burst=61,
        category="external",
    ),
    Bug(
        severity="high",
        service="billing",
        kind="ArithmeticError",
        text="invoice of order {order} does not round",
        place="billing.invoice:round_total",
        until_hours=30,
    ),
    Bug(
        severity="high",
        service="catalog",
        kind="JSONDecodeError",
        text="Expecting value: line 1 column 7 (char 6)",
        place="catalog.feed:parse_feed",
        since_hours=2,
        burst=140,
    ),
    Bug(
        severity="high",
        service="stock",
        kind="IntegrityError",
        text="UNIQUE constraint failed: items.number",
        place="stock.items:add_item",
        an_hour=1.4,
        category="system",
    ),
    Bug(
        severity="high",
        service="checkout",
        kind="KeyError",
        text="'currency'",
        place="checkout.total:total_of",
        since_hours=20,
        an_hour=1.2,
    ),
    Bug(
        severity="high",
        service="warehouse",
        kind="TimeoutError",
        text="shard 4 did not answer within 2 s",
        place="warehouse.shards:read_shard",
        since_hours=50,
        an_hour=0.6,
        category="external",
    ),
    Bug(
        severity="medium",
        service="orders",
        kind="OrderClosedError",
        text="order {order} takes no more items",
        place="orders.basket:add_item",
        an_hour=3.1,
        category="business",
    ),
    Bug(
        severity="medium",
        service="orders",
        kind="RefundForbiddenError",
        text="a customer may not refund order {order}",
        place="orders.refund:refund",
        an_hour=0.7,
        category="business",
    ),
    Bug(
        severity="medium",
        service="search",
        kind="UnicodeEncodeError",
        text="'ascii' codec can't encode character",
        place="search.index:tokenise",
        since_hours=44,
        an_hour=0.8,
    ),
    Bug(
        severity="low",
        service="orders",
        kind="ValidationError",
        text="quantity: must be 1 or more",
        place="orders.basket:check",
        an_hour=4.4,
        category="validation",
    ),
)


def events_of(now: datetime) -> Iterator[dict[str, Any]]:
    """Every event of three days, the oldest first."""
    rng = random.Random(17)
    found: list[tuple[float, int]] = []
    for number, bug in enumerate(_BUGS):
        for back in range(bug.since_hours, bug.until_hours, -1):
            busy = 1.6 if 8 <= (now - timedelta(hours=back)).hour <= 20 else 0.5
            found += [
                (back - rng.random(), number) for _ in range(round(bug.an_hour * busy + rng.random() * 0.7))
            ]
        found += [(rng.random() * 0.8, number) for _ in range(bug.burst)]
    for order, (ago, number) in enumerate(sorted(found, reverse=True)):
        yield _event(_BUGS[number], now - timedelta(hours=ago), 90_000 + order, ago, rng)


def _event(bug: Bug, at: datetime, order: int, back: float, rng: random.Random) -> dict[str, Any]:
    module, function = bug.place.split(":")
    text = bug.text.format(order=order, day=f"{at:%Y-%m-%d}")
    user = rng.randrange(60)
    return wire_event(
        now=at,
        severity=bug.severity,
        category=bug.category,
        service=bug.service,
        environment="production" if rng.random() < 0.85 else "staging",
        release=_RELEASES[0 if back > 50 else 1 if back > 17 else 2],
        message=text,
        exceptions=[_exception(bug, module, function, text)],
        user={"id": str(1000 + user), "name": f"customer {user}"},
        tags={
            "region": rng.choice(("eu-central", "us-east", "eu-west")),
            "tenant": rng.choice(("acme", "globex")),
        },
        context={"order": order, "amount": rng.randrange(5, 400), "currency": "EUR"},
        request={"method": "POST", "url": f"https://shop.example/orders/{order}/pay"},
        breadcrumbs=[
            _crumb(at, 0.9, "query", "read the cart", rows=2),
            _crumb(at, 0.7, "http", "GET /prices", status=200),
        ],
        trace_id=f"{rng.getrandbits(128):032x}",
        host=f"web-{rng.randrange(3)}",
        transaction="POST /orders/{id}/pay",
    )


def _exception(bug: Bug, module: str, function: str, text: str) -> dict[str, Any]:
    own = [
        f"def {function}(order):",
        "    retries = 3",
        f'    raise {bug.kind}(f"{bug.text}")',
        "",
        "",
    ]
    route = [
        "async def pay(request):",
        "    order = await load_order(request)",
        f"    return {function}(order)",
        "",
        "",
    ]
    frames = [
        _frame(f"{bug.service}.web", "pay", 22, route, in_app=True),
        _frame(
            "aiohttp.web_app", "Application._handle", 573, ["resp = await handler(request)"], in_app=False
        ),
        _frame(module, function, 24, own, in_app=True),
    ]
    return {"type": bug.kind, "module": module, "value": text, "frames": frames}


def _frame(module: str, name: str, line: int, context: Sequence[str], *, in_app: bool) -> dict[str, Any]:
    return {
        "file": f"{module.replace('.', '/')}.py",
        "module": module,
        "qualname": name,
        "line": line,
        "in_app": in_app,
        "context": list(context),
    }


def _crumb(at: datetime, before: float, category: str, message: str, **data: Any) -> dict[str, Any]:
    when = (at - timedelta(seconds=before)).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return {"timestamp": when, "category": category, "message": message, "data": data}


def fill(site: Site) -> str:
    """Fill a worker's store, act as operators do, and return the name of the incident to show."""
    now = datetime.now(UTC)
    events = list(events_of(now))
    for start in range(0, len(events), _BATCH):
        ask(site, "/ingest/v1/events", events[start : start + _BATCH])
    ask(
        site,
        f"/api/v1/incidents/{_named(site, 'ArithmeticError')}/resolve",
        {"actor": "ada", "release": "2.4.1"},
    )
    again = next(bug for bug in _BUGS if bug.kind == "ArithmeticError")
    rng = random.Random(3)
    ask(site, "/ingest/v1/events", [_event(again, datetime.now(UTC), 95_000 + n, 0, rng) for n in range(7)])
    for kind, verb, body in (
        ("KeyError", "assign", {"actor": "lin", "to": "lin"}),
        ("KeyError", "acknowledge", {"actor": "lin"}),
        ("TimeoutError", "assign", {"actor": "ada", "to": "ada"}),
        (
            "CardGatewayDown",
            "comment",
            {"actor": "ada", "note": "The gateway's status page says: degraded in eu-central."},
        ),
    ):
        ask(site, f"/api/v1/incidents/{_named(site, kind)}/{verb}", body)
    wait_until(lambda: _is_worse(site), "growth is counted")
    return _named(site, "CardGatewayDown")


def _is_worse(site: Site) -> bool:
    return bool(site.read("/api/v1/incidents?query=is:worse")["incidents"])


def _named(site: Site, kind: str) -> str:
    found = site.read("/api/v1/incidents?limit=100")["incidents"]
    return next(str(one["id"]) for one in found if one["title"].startswith(kind))


async def take(browser: Browser, site: Site, shown: str, folder: Path) -> None:
    """Take list and incident, light and dark."""
    for scheme in ("light", "dark"):
        context = await browser.new_context(
            viewport={"width": 1280, "height": 860},
            base_url=site.worker.url,
            color_scheme="dark" if scheme == "dark" else "light",
        )
        page = await context.new_page()
        for name, path in (("incidents", "/"), ("incident", f"/incidents/{shown}")):
            await page.goto(path)
            await page.wait_for_function("document.fonts.status === 'loaded'")
            await page.screenshot(path=folder / f"{name}-{scheme}.png")
        await context.close()


async def _main(folder: Path) -> None:
    with temporary_home("portrait") as home:
        worker = Worker(home)
        worker.start()
        try:
            site = Site(worker)
            shown = fill(site)
            async with async_playwright() as playwright:
                browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
                await take(browser, site, shown, folder)
                await browser.close()
        finally:
            worker.terminate()


if __name__ == "__main__":
    asyncio.run(_main(Path(sys.argv[1])))
