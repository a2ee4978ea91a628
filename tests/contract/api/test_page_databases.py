"""The sections' pages over each database."""

import pytest
from tests.contract.api.conftest import Site
from tests.contract.api.test_figures_api import add_up
from tests.contract.api.test_pages import outline

from faultwire_shared.event import ErrorSeverity


@pytest.mark.may_block("the shipped policy is a file")
async def test_every_section_stands_on_either_database(site: Site) -> None:
    await site.send(severity=ErrorSeverity.CRITICAL, release="1.0", producer_id="p1", sequence=2)
    await site.send(release="1.1", producer_id="p1", sequence=3, kind="B")
    await add_up(site)
    site.clock.advance(200)
    for path, words in (
        ("/releases", "1 new"),
        ("/told", "waiting, goes out now"),
        ("/told/1", "Notification 1 to log"),
        ("/producers", "quiet, its process said no goodbye"),
        ("/producers/billing", "p1"),
        ("/health", "1 day, the oldest 2026-11-23"),
    ):
        status, page = await site.page(path)
        assert status == 200, path
        text = " ".join(outline(page).text.split())
        assert words in text, path
        assert "1 quiet" in text, path


async def test_an_incident_is_shown_whose_exception_has_a_nul_in_its_name(site: Site) -> None:
    event = await site.send(kind="Nul\x00Error")
    for path in (f"/e/{event.id}", "/incidents/INC-1", "/"):
        assert (await site.page(path))[0] == 200, path
