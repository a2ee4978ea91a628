"""A wheel installed by pip in an empty environment: what comes along, and that every door of it opens."""

import signal
from collections.abc import Iterator
from importlib.metadata import metadata
from pathlib import Path
from typing import Final

import pytest
from tests.release.environment import Environment
from tests.servers.process import ServerProcess, reserve_port, run_status, temporary_home

import faultwire

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.timeout(900),
    pytest.mark.may_block("builds, installs and asks other interpreters"),
]

MOST_OF_THE_CLIENT: Final = 18
"""Distributions that `pip install faultwire` may bring, itself included. Every service carries them."""
MOST_OF_A_WORKER: Final = 50
LOADED: Final = """
import sys
import faultwire
from importlib.metadata import packages_distributions
tops = {name.partition(".")[0] for name in sys.modules}
owners = packages_distributions()
print(*{owner.lower() for top in tops for owner in owners.get(top, ())})
"""


@pytest.fixture(scope="module")
def client(wheel: Path) -> Iterator[Environment]:
    with temporary_home("client") as home:
        environment = Environment(home)
        environment.install(wheel)
        yield environment


@pytest.fixture(scope="module")
def worker(wheel: Path) -> Iterator[Environment]:
    with temporary_home("installed") as home:
        environment = Environment(home)
        environment.install(wheel, "consumer")
        brought = environment.distributions()
        assert len(brought) <= MOST_OF_A_WORKER, sorted(brought)
        yield environment


def test_a_client_brings_few_others_and_loads_only_what_its_import_needs(client: Environment) -> None:
    brought = client.distributions()
    assert len(brought) <= MOST_OF_THE_CLIENT, sorted(brought)
    # What msgspec itself looks for is no more than a module of the standard library's in waiting.
    assert set(client.run("python", "-c", LOADED).split()) <= {"faultwire", "msgspec", "typing_extensions"}


def test_a_client_s_command_says_its_version_and_how_to_get_the_rest(client: Environment) -> None:
    assert client.run("faultwire", "--version").strip() == faultwire.__version__
    refused = client.attempt("faultwire", "worker")
    assert refused.returncode != 0
    assert "pip install 'faultwire[consumer]'" in refused.stderr
    assert "Traceback" not in refused.stderr


def test_a_worker_installed_by_its_extra_starts_on_sqlite(worker: Environment) -> None:
    assert worker.run("faultwire", "--version").strip() == faultwire.__version__
    port = str(reserve_port())
    variables = worker.variables | {
        "FAULTWIRE_HTTP_PORT": port,
        "FAULTWIRE_URL": f"http://127.0.0.1:{port}",
        "FAULTWIRE_DATABASE_URL": f"sqlite:///{worker.home}/faultwire.db",
    }
    command = str(worker.bin / "faultwire")
    process = ServerProcess([command, "worker"], variables, worker.home / "worker.log")
    process.wait_until(lambda: run_status([command, "health", "--quiet"], variables), "the worker is healthy")
    assert run_status([command, "send", "--service", "shop", "--message", "boom"], variables)
    assert process.end(signal.SIGTERM) == 0


_APPRISE: Final = """
[receivers.telegram]
type = "apprise"
url = "tgram://123456789:AABBCCDDEEFFGGHHIIJJKKLLMMNNOOPPQQR/987654321"
"""
_LOOP: Final = (
    "import faultwire_consumer.cli.event_loop as loop; print((loop.find_loop_factory() or print).__module__)"
)
_DOORS: Final = {
    "postgres": (
        ["faultwire", "db", "status", "--database-url", "postgresql://nobody@127.0.0.1:9/none"],
        "pip install 'faultwire[consumer,postgres]'",
        "Connect call failed",
    ),
    "mcp": (
        ["faultwire", "mcp", "--url", "http://127.0.0.1:9"],
        "pip install 'faultwire[mcp]'",
        "no worker answers",
    ),
    "apprise": (
        ["faultwire", "rules", "check", "apprise.toml"],
        "pip install 'faultwire[apprise]'",
        "is fine",
    ),
    "oidc": (["python", "-c", "import faultwire_consumer.web.access.signed; print('in')"], "joserfc", "in"),
    "speed": (["python", "-c", _LOOP], "builtins", "uvloop"),
}


@pytest.mark.parametrize("extra", _DOORS)
def test_an_extra_s_door_names_what_is_missing_and_opens_when_it_is_there(
    worker: Environment, wheel: Path, extra: str
) -> None:
    (worker.home / "apprise.toml").write_text(_APPRISE)
    door, missing, opened = _DOORS[extra]
    shut = worker.attempt(*door)
    assert missing in shut.stdout + shut.stderr
    worker.install(wheel, extra)
    open_ = worker.attempt(*door)
    assert opened in open_.stdout + open_.stderr
    assert missing not in open_.stdout + open_.stderr


def test_every_extra_has_a_door_here() -> None:
    extras = set(metadata("faultwire").get_all("Provides-Extra") or ())
    # What `otel` brings comes with `mcp` too; its door is tried by contract/test_tracing.py.
    assert extras - {"consumer", "all", "otel"} == set(_DOORS)
