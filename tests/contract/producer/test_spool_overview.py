"""A machine's spools as its operator sees them, and all of them published by one call."""

import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from tests.tools.spool_bench import CRITICAL, LOW, spooling
from tests.tools.spool_reader import spooled_ids

from faultwire.publish.drain import Drain, DrainStoppedError, drain_all
from faultwire.publish.spool_overview import (
    SpoolUnreadableError,
    find_spools,
    orphans_of,
    services_in,
    summarize,
)
from faultwire.queue.directory import SpoolDirectory
from faultwire_shared.event import ErrorSeverity
from faultwire_shared.failure import ConfigurationError

pytestmark = pytest.mark.may_block("looks into directories")

NOBODY_LISTENS = "http://127.0.0.1:1"


@pytest.fixture
async def intake() -> AsyncIterator[str]:
    """The address of a worker that takes everything."""

    async def take(request: web.Request) -> web.Response:
        await request.read()
        return web.Response(status=202)

    application = web.Application()
    application.router.add_post("/ingest/v1/events", take)
    async with TestServer(application) as server:
        yield str(server.make_url("/"))


def silent(service: str, total: int, published: int) -> None:
    """Tell nobody."""


def test_a_directory_is_found_by_its_path_by_the_environment_or_as_the_users_own(
    spools: Path, tmp_path: Path
) -> None:
    (spools / "link").symlink_to(spools / "shop")
    everywhere = [str(spools), str(spools / "billing"), str(spools / "shop")]
    assert [found.path for found in find_spools(spools, {})] == everywhere
    assert [found.path for found in find_spools(None, {"FAULTWIRE_SPOOL_PATH": str(spools)})] == everywhere
    own = tmp_path / "state" / "faultwire" / "spool"
    assert find_spools(None, {"XDG_STATE_HOME": str(tmp_path / "state")}) == []
    own.mkdir(parents=True)
    assert [found.path for found in find_spools(None, {"XDG_STATE_HOME": str(tmp_path / "state")})] == [
        str(own)
    ]


def test_a_path_that_is_given_has_to_be_there(tmp_path: Path) -> None:
    with pytest.raises(SpoolUnreadableError, match="nowhere is not a directory"):
        find_spools(tmp_path / "nowhere", {})


def test_a_summary_counts_by_severity_and_tells_the_living_from_the_dead(
    spools: Path, tmp_path: Path
) -> None:
    (spools / "shop" / "shop-9-00000000.db.corrupt-17").write_bytes(b"")
    dead = SpoolDirectory(str(spools / "shop"))
    assert services_in(dead) == ["shop"]
    summary = summarize(dead, "shop")
    assert (summary.files, summary.owned, summary.quarantined, summary.path) == (1, 0, 1, dead.path)
    assert summary.events == dict.fromkeys(ErrorSeverity, 0) | {LOW: 1}
    assert summary.bytes > 8192
    with spooling(tmp_path / "living") as bench:
        bench.hand(CRITICAL)
        living = SpoolDirectory(str(tmp_path / "living"))
        assert (summarize(living, "shop").owned, list(orphans_of(living, "shop"))) == (1, [])


async def test_everything_that_was_left_is_published_and_told_by_service(spools: Path, intake: str) -> None:
    told: list[tuple[str, int, int]] = []

    def tell(service: str, total: int, published: int) -> None:
        told.append((service, total, published))

    results = await drain_all(find_spools(spools, {}), intake, tell=tell)
    assert results == {"billing": Drain(files=1, published=5), "shop": Drain(files=1, published=1)}
    assert told[0] == ("billing", 5, 0)
    assert told[-1] == ("shop", 1, 1)
    assert await drain_all(find_spools(spools, {}), intake, tell=silent) == {}


async def test_one_service_is_drained_and_the_other_keeps_its_own(spools: Path, intake: str) -> None:
    results = await drain_all(find_spools(spools, {}), intake, service="shop", tell=silent)
    assert list(results) == ["shop"]
    assert len(spooled_ids(spools / "billing")) == 5


async def test_where_nobody_listens_everything_stays(spools: Path) -> None:
    with pytest.raises(DrainStoppedError, match="published 0, the rest stays on disk"):
        await drain_all(find_spools(spools, {}), NOBODY_LISTENS, tell=silent)
    assert len(spooled_ids(spools / "billing")) == 5


async def test_an_address_that_nobody_can_publish_to_is_a_wrong_setting() -> None:
    with pytest.raises(ConfigurationError, match="broker_url must begin with"):
        await drain_all([], "redis://x", tell=silent)


def test_another_users_spool_is_not_passed_over(spools: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    owner = os.geteuid()
    monkeypatch.setattr(os, "geteuid", lambda: owner + 1)
    with pytest.raises(SpoolUnreadableError, match=f"belongs to user {owner}"):
        find_spools(spools, {})
