"""What every layer of tests shares: servers, a clock, and a watch over the event loop."""

import asyncio
import gc
import itertools
import os
from collections.abc import Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final, NoReturn

import pytest
from aiohttp import web_app
from blockbuster import BlockBuster
from hypothesis import HealthCheck, settings
from tests.servers import postgresql as postgresql_servers
from tests.servers import rabbitmq as rabbitmq_servers
from tests.servers.cluster import Cluster, cluster, vhost_in
from tests.servers.postgresql import PostgreSQL, PrivatePostgreSQL
from tests.servers.rabbitmq import PrivateRabbitMQ, RabbitMQ
from tests.servers.replication import ReplicatedPostgreSQL, replicated
from tests.tools.clock import FixedClock
from tests.tools.database_roles import prepare_apart
from tests.tools.fake_transport import FakeTransport
from tests.tools.publisher import declare
from tests.tools.retrying import Sink

from faultwire.capture import scope
from faultwire.client import Client
from faultwire_consumer.store.migrations import migrate
from faultwire_shared import amqp

# How long an example takes says more of the machine than of what is tested.
settings.register_profile(
    "quick", max_examples=20, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.register_profile("thorough", settings.get_profile("quick"), max_examples=30)
settings.load_profile("quick")  # `make test` asks for the other by --hypothesis-profile

_skipped_for_servers = pytest.StashKey[set[str]]()

LONG_SECONDS: Final = 600
"""A test that may take longer begins first."""
PATIENCE_SECONDS: Final = 60.0
"""How long a test waits for what a service would have given up sooner: a machine may be busy with others."""
PACKAGES: Final = ("faultwire", "faultwire_consumer", "faultwire_shared")


@pytest.fixture
def clock() -> FixedClock:
    """Noon of 23 November 2026 in UTC, until ``advance``."""
    return FixedClock()


@pytest.fixture
def rabbitmq(_rabbitmq_nodes: rabbitmq_servers.Nodes) -> Iterator[RabbitMQ]:
    """A fresh vhost, without topology, on the node that the session's tests share."""
    with _rabbitmq_nodes.shared() as broker:
        yield broker


@pytest.fixture
def private_rabbitmq(_rabbitmq_nodes: rabbitmq_servers.Nodes) -> Iterator[PrivateRabbitMQ]:
    """A fresh vhost on a node of the test's own, to kill, freeze and starve."""
    with _rabbitmq_nodes.private() as broker:
        yield broker


@pytest.fixture
async def broker(rabbitmq: RabbitMQ) -> RabbitMQ:
    """A vhost on the shared node, with the topology."""
    await declare(rabbitmq.url)
    return rabbitmq


@pytest.fixture
async def private_broker(private_rabbitmq: PrivateRabbitMQ) -> PrivateRabbitMQ:
    """A vhost on a node of the test's own, with the topology."""
    await declare(private_rabbitmq.url)
    return private_rabbitmq


@pytest.fixture
def transport() -> FakeTransport:
    """A broker's stand-in that confirms at once."""
    return FakeTransport()


@pytest.fixture
def sink() -> Sink:
    """Takes the errors of what is given up."""
    return Sink()


@pytest.fixture
def rabbitmq_cluster(_rabbitmq_cluster: Cluster) -> Iterator[Cluster]:
    """A fresh vhost, without topology, on three nodes; killed ones are started again at the end."""
    with vhost_in(_rabbitmq_cluster) as whole:
        yield whole


@pytest.fixture
def postgresql(_postgresql_servers: postgresql_servers.Servers) -> Iterator[PostgreSQL]:
    """An empty database on the server that the session's tests share."""
    with _postgresql_servers.shared() as database:
        yield database


@pytest.fixture
def current_postgresql(_postgresql_servers: postgresql_servers.Servers) -> Iterator[PostgreSQL]:
    """The same with a current schema: a copy of one that was upgraded once, as upgrading takes long."""
    with _postgresql_servers.shared(_upgrade) as database:
        yield database


@pytest.fixture
def apart_postgresql(_postgresql_servers: postgresql_servers.Servers) -> Iterator[PostgreSQL]:
    """The same whose roles are apart, as ``faultwire db roles`` says."""
    with _postgresql_servers.shared(prepare_apart) as database:
        yield database


def _upgrade(url: str) -> None:
    with ThreadPoolExecutor(1) as thread:  # the asking fixture may run in a loop
        thread.submit(lambda: asyncio.run(migrate.upgrade(url))).result()


@pytest.fixture
def private_postgresql(_postgresql_servers: postgresql_servers.Servers) -> Iterator[PrivatePostgreSQL]:
    """An empty database on a server of the test's own, to stop, freeze and start again."""
    with _postgresql_servers.private() as database:
        yield database


@pytest.fixture
def replicated_postgresql(_postgresql_servers: postgresql_servers.Servers) -> Iterator[ReplicatedPostgreSQL]:
    """An empty database on a primary with a streaming standby, both the test's own."""
    with replicated(_postgresql_servers) as pair:
        yield pair


@pytest.fixture(scope="session")
def _rabbitmq_nodes(pytestconfig: pytest.Config) -> Iterator[rabbitmq_servers.Nodes]:
    if not rabbitmq_servers.is_installed():
        _without(pytestconfig, "RabbitMQ")
    nodes = rabbitmq_servers.Nodes()
    try:
        yield nodes
    finally:
        nodes.stop()


@pytest.fixture(scope="session")
def _rabbitmq_cluster(_rabbitmq_nodes: rabbitmq_servers.Nodes) -> Iterator[Cluster]:
    with cluster() as whole:
        yield whole


@pytest.fixture(scope="session")
def _postgresql_servers(pytestconfig: pytest.Config) -> Iterator[postgresql_servers.Servers]:
    if not postgresql_servers.is_installed():
        _without(pytestconfig, "PostgreSQL")
    servers = postgresql_servers.Servers()
    try:
        yield servers
    finally:
        servers.stop()


def _without(config: pytest.Config, server: str) -> NoReturn:
    """Skip on somebody's own machine; fail where everything has to run."""
    if os.environ.get("CI"):
        pytest.fail(f"{server} is not installed: CI runs every test (tests/servers/install)", pytrace=False)
    config.stash.setdefault(_skipped_for_servers, set()).add(server)
    pytest.skip(f"{server} is not installed; `make test` installs it")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    missing = config.stash.get(_skipped_for_servers, set())
    if missing:
        names = " and ".join(sorted(missing))
        line = (
            f"NOT TESTED: all that needs {names}. `make test` installs what is missing and runs everything."
        )
        terminalreporter.write_line(line, red=True, bold=True)


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Spare the garbage collector what is collected: it stays to the end, and is a million objects."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


@pytest.hookimpl(wrapper=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> Generator[None, object, object]:
    """Mark what needs a server, so that `-m "not rabbitmq"` needs no one's diligence; deal out the rest."""
    for item in items:
        for fixture in getattr(item, "fixturenames", ()):
            if fixture in ("_rabbitmq_nodes", "_postgresql_servers"):
                item.add_marker(fixture.removeprefix("_").partition("_")[0])
    done = yield
    items[:] = dealt_out(items, int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1")))
    return done


def dealt_out(items: list[pytest.Item], sessions: int) -> list[pytest.Item]:
    """Put the tests that may take longest in front of each session's share of them.

    Of three sessions one began a test of five minutes when the others had nothing left to do.
    """
    long = sorted((one for one in items if _bound(one) >= LONG_SECONDS), key=_bound, reverse=True)
    others = iter([one for one in items if _bound(one) < LONG_SECONDS])
    dealt: list[pytest.Item] = []
    for session in range(sessions):
        own = long[session::sessions]
        dealt += own + list(itertools.islice(others, max(0, len(items) // sessions - len(own))))
    return dealt + list(others)


def _bound(item: pytest.Item) -> float:
    """The seconds after which a test is ended, where it says so itself."""
    marker = item.get_closest_marker("timeout")
    return float(marker.args[0]) if marker is not None and marker.args else 0.0


@pytest.fixture(autouse=True)
def _own_state(_states: Iterator[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    """A state directory for each test: what one leaves in a spool, the next one's producers would adopt.

    Not beneath ``tmp_path``: pytest looks for its number among those of all tests before, and most need none.
    """
    monkeypatch.setenv("XDG_STATE_HOME", str(next(_states)))


@pytest.fixture(scope="session")
def _states(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    directory = tmp_path_factory.mktemp("states")
    return (directory / str(number) for number in itertools.count())


@pytest.fixture(scope="session", autouse=True)
def _patience() -> Iterator[None]:
    """Wait for a broker that a busy machine keeps from answering: neither is what a test is about.

    A node that had just started took longer for a connection than the client's five seconds.
    """
    defaults = Client.__init__.__kwdefaults__
    assert defaults is not None
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(defaults, "confirm_timeout", PATIENCE_SECONDS)
        patch.setattr(amqp, "CONNECT_SECONDS", PATIENCE_SECONDS / 2)
        yield


@pytest.fixture(autouse=True)
def _own_scope() -> Iterator[None]:
    """An empty scope for each test: what one binds, or logs, would surround the next one's errors."""
    with scope.resume(scope.EMPTY):
        yield


@pytest.fixture(autouse=True)
def _no_application_left() -> Iterator[None]:
    """Let go of a test's applications: aiohttp keeps the last thousand handlers, each with its own.

    An application is 1.6 MB, and four sessions at once took 5 GB.
    """
    yield
    web_app._cached_build_middleware.cache_clear()


@pytest.fixture(autouse=True)
def _loop_watch(request: pytest.FixtureRequest, _watch: BlockBuster) -> Iterator[None]:
    """Fail a test in which one of our packages blocks the event loop.

    ``@pytest.mark.may_block("why")`` takes a test out.
    """
    if request.node.get_closest_marker("may_block"):
        yield
        return
    _watch.activate()
    yield
    _watch.deactivate()


@pytest.fixture(scope="session")
def _watch() -> BlockBuster:
    """Made once: that takes longer than most unit tests."""
    watch = BlockBuster(list(PACKAGES))
    _allow(watch)
    return watch


def _allow(watch: BlockBuster) -> None:
    # A handler of logging writes where its user pointed it, here to pytest's own capture;
    # ours goes through a queue and another thread.
    for name in ("io.TextIOWrapper.write", "io.BufferedWriter.write", "os.write"):
        watch.functions[name].can_block_in("logging/__init__.py", {"emit", "flush"})
    # Source lines are read once per file and then come from its cache.
    for name in ("io.BufferedReader.read", "io.TextIOWrapper.read"):
        watch.functions[name].can_block_in("linecache.py", {"updatecache"})
    # What lies beside a module says whether it is a library's, once per folder of packages.
    for function in watch.functions.values():
        function.can_block_in("capture/installed.py", {"place_at", "_read"})
    # A first import of a library that is loaded lazily, once per process.
    for function in watch.functions.values():
        function.can_block_in("<frozen importlib._bootstrap>", {"_find_and_load"})
    # The schema is brought up to date before a worker takes anything in: its steps are files.
    for function in watch.functions.values():
        function.can_block_in("store/migrations/migrate.py", {"upgrade_checked"})
        function.can_block_in("store/migrations/schema_version.py", {"head", "current_of"})
    # A thread's start waits for the thread's first step, once for each pool.
    watch.functions["threading.Lock.acquire"].can_block_in("threading.py", {"start"})
    # A tenth of a millisecond, in a flood, so that the spool's thread gets on.
    watch.functions["time.sleep"].can_block_in("queue/spool.py", {"_give_way"})
    # It asks the process where it stands, and no disk.
    del watch.functions["os.path.abspath"]
    # asyncpg looks for a password file at each connect, once in a pool connection's life.
    for function in watch.functions.values():
        function.can_block_in("asyncpg/connect_utils.py", {"_parse_connect_arguments"})
