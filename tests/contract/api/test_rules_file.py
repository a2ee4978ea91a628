"""The state of the rules' file, and what is a receiver's own, as API and page show them."""

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
from aiohttp.test_utils import TestClient, TestServer
from tests.contract.api.conftest import Site, make_parts
from tests.contract.api.test_pages import outline
from tests.tools.clock import FixedClock

from faultwire_consumer.domain.policy.status import PolicyStatus
from faultwire_consumer.domain.policy.text import parse_policy
from faultwire_consumer.store.contract.store import Store

POLICY = parse_policy(
    """
[receivers.team]
type = "log"
quiet_hours = ["mon-fri 22:00-07:00", "sat-sun"]
quiet_zone = "Europe/Berlin"
digest_hour = 7
owners = ["ada", "team-<b>*"]
[rules.a]
on = "new"
send = "now"
owner_first = true
"""
)

pytestmark = [
    # Nothing here depends on the database.
    pytest.mark.parametrize("database_url", ["sqlite"], indirect=True),
    pytest.mark.may_block("a zone's file is read once"),
]


@pytest.fixture
async def site(store: Store, clock: FixedClock) -> AsyncIterator[Site]:
    """A worker whose file was broken an hour ago."""
    status = PolicyStatus(
        file="/etc/faultwire/rules.toml",
        read_at=clock() - timedelta(days=1),
        wrong="/etc/faultwire/rules.toml:3: rules.<i>: unknown key 'sned'; did you mean send?",
        wrong_since=clock() - timedelta(hours=1),
    )
    parts = make_parts(store, clock, POLICY, policy_status=lambda: status)
    async with parts.report, TestClient(TestServer(parts.app)) as client:
        yield Site(client, store, parts.pipeline, clock, parts.failures)


async def test_the_api_says_what_is_wrong_with_the_file_and_what_is_a_receiver_s_own(site: Site) -> None:
    status, policy = await site.get("/api/v1/rules")
    assert status == 200
    assert "did you mean send?" in policy["wrong"]
    assert (policy["wrong_since"], policy["read_at"]) == ("2026-11-23T11:00:00Z", "2026-11-22T12:00:00Z")
    (team,) = policy["receivers"]
    assert team["quiet_hours"] == [
        "Mon, Tue, Wed, Thu, Fri 22:00 to 07:00 Europe/Berlin",
        "Sat, Sun all day Europe/Berlin",
    ]
    assert (team["digest"], team["owners"]) == ("at 07:00", ["ada", "team-<b>*"])
    assert policy["rules"][0]["owner_first"] is True


async def test_the_page_says_the_same_and_shows_no_markup_of_strangers(site: Site) -> None:
    status, page = await site.page("/rules")
    assert status == 200
    text = " ".join(outline(page).text.split())
    for words in (
        "cannot be used since",
        "did you mean send?",
        "quiet Mon, Tue",
        "digests at 07:00",
        "of ada, team-<b>*",
        "who has the incident, else team",
    ):
        assert words in text
    assert "<i>" not in page
    assert "<b>*" not in page
