"""The page below a path of a host that others share, behind a proxy that takes the path off."""

import re
from collections.abc import AsyncIterator
from urllib.parse import urljoin

import pytest
from tests.contract.api.conftest import Site, serve
from tests.tools.clock import FixedClock

from faultwire_consumer.store.contract.store import Store

# Nothing here depends on the database.
pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

PUBLIC = "https://tools.example.com/errors"
HERE = "/errors"


@pytest.fixture
async def below(store: Store, clock: FixedClock) -> AsyncIterator[Site]:
    async with serve(store, clock, public_url=PUBLIC) as site:
        for number in range(51):
            await site.send(kind=f"Kind{number}")
        await site.send_body(b"no event")
        yield site


@pytest.mark.e2e
async def test_every_link_of_every_page_leads_somewhere_below_the_path(below: Site) -> None:
    to_do, seen, buttons = ["/errors/"], set(), set()
    while to_do:
        address = to_do.pop()
        seen.add(address)
        async with below.client.get(address.removeprefix(HERE), headers={"Accept": "text/html"}) as answer:
            assert answer.status == 200, address
            is_page = answer.content_type == "text/html"
            text = await answer.text() if is_page else ""
        for kind, link in re.findall(r' (href|src|action)="([^"#]+)"', text):
            target = urljoin(address, link.replace("&amp;", "&"))
            assert target.startswith("/errors/"), (address, link)
            if kind == "action" and target not in ("/errors/", "/errors/dead-letters"):
                buttons.add(target)
            elif target not in seen and len(seen) < 40:
                to_do.append(target)
    assert any("/static/page.css" in address for address in seen)
    assert any("/e/" in address for address in seen)
    assert "/errors/incidents/INC-51/resolve" in buttons


async def test_a_button_and_a_next_page_lead_below_it_too(below: Site) -> None:
    pressed = "/incidents/INC-1/resolve"
    async with below.client.post(pressed, allow_redirects=False) as answer:
        assert urljoin(HERE + pressed, answer.headers["Location"]) == "/errors/incidents/INC-1"
    async with below.client.get("/api/v1/incidents?limit=1") as answer:
        link = answer.headers["Link"].partition(">")[0].removeprefix("<")
        assert urljoin("/errors/api/v1/incidents", link).startswith(
            "/errors/api/v1/incidents?limit=1&cursor="
        )
    status, page = await below.page("/nowhere/at/all")
    assert status == 404
    assert 'href="../../">Back to the incidents' in page
