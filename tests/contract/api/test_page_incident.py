"""One incident with its event in it: the page answers before a click, and every verb is there."""

import pytest
from tests.contract.api.conftest import Site
from tests.contract.api.test_pages import outline

# Nothing here depends on the database; the store's own functions have tests on both.
pytestmark = pytest.mark.parametrize("store", ["sqlite"], indirect=True)


async def test_an_incident_says_its_state_in_one_sentence(site: Site) -> None:
    await site.send(release="1.0")
    status, page = await site.page("/incidents/INC-1")
    assert status == 200
    text = " ".join(outline(page).text.split())
    assert "nobody has acknowledged it" in text
