"""Fixed seeds, played out: every promise is kept, and a loss is found. `make chaos` plays many."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from msgspec.structs import replace
from tests.chaos.order import Order
from tests.chaos.run import run
from tests.chaos.stage import Stage
from tests.chaos.world import WORLDS
from tests.servers.postgresql import Servers
from tests.servers.rabbitmq import Nodes

pytestmark = [
    pytest.mark.may_block("starts processes and kills them"),
    pytest.mark.timeout(600),
]


@pytest.fixture
def nodes() -> Iterator[Nodes]:
    """None is started before a world asks for one."""
    found = Nodes()
    yield found
    found.stop()


@pytest.fixture
def servers(request: pytest.FixtureRequest) -> Servers:
    """The session's, which skip their tests where PostgreSQL is not installed."""
    found: Servers = request.getfixturevalue("_postgresql_servers")
    return found


async def test_six_seconds_of_chaos_over_http_into_sqlite_break_no_promise(
    nodes: Nodes, tmp_path: Path
) -> None:
    world = replace(WORLDS["sqlite"], clients=("loop", "forks"))
    order = Order(seed=386, world=world, seconds=6, told=frozenset({"critical"}))
    result = await run(order, tmp_path, nodes=nodes, servers=Servers())
    assert result.violations == []
    assert result.kinds >= 4
    assert result.stored >= 20


@pytest.mark.e2e
async def test_ten_seconds_of_chaos_over_rabbitmq_into_postgresql_break_no_promise(
    nodes: Nodes, servers: Servers, tmp_path: Path
) -> None:
    order = Order(seed=2628, world=WORLDS["broker"], seconds=10)
    result = await run(order, tmp_path, nodes=nodes, servers=servers)
    assert result.violations == []
    assert result.kinds >= 6
    assert result.stored >= 100


async def delete_one_event(stage: Stage) -> None:
    """As a fault of the store would lose one."""
    (wanted, *_) = sorted(next(life for life in stage.book.lives.values() if life.figures).accepted)
    with closing(sqlite3.connect(stage.database.url.removeprefix("sqlite:///"))) as connection:
        deleted = connection.execute("DELETE FROM events WHERE event_id = ?", (wanted,)).rowcount
        connection.commit()
    assert deleted == 1


@pytest.mark.e2e
async def test_one_event_that_is_deleted_behind_the_worker_s_back_is_found(
    nodes: Nodes, tmp_path: Path
) -> None:
    world = replace(WORLDS["sqlite"], clients=("loop",))
    order = Order(seed=1, world=world, seconds=2, told=frozenset({"critical"}))
    result = await run(order, tmp_path, nodes=nodes, servers=Servers(), sabotage=delete_one_event)
    first, *rest = result.violations
    assert first.startswith("1 accepted and nowhere: error_")
    assert [line for line in rest if not line.startswith(("incident ", "the hours count"))] == []
    assert len(rest) == 2
