"""The Dockerfile's steps, replayed in an empty directory, end in a worker that starts."""

import re
import signal
import tomllib
from pathlib import Path
from typing import Final

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from tests.deploy.dockerfile import Replay, instructions_of
from tests.servers.process import ServerProcess, reserve_port, run_status

ROOT: Final = Path(__file__).parents[2]
DOCKERFILE: Final = ROOT / "deploy/Dockerfile"


def test_the_image_runs_as_a_numbered_user_and_knows_when_it_is_ready() -> None:
    last = {one.name: one.text for one in instructions_of(DOCKERFILE)}
    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", last["USER"])
    assert '["faultwire", "health"' in last["HEALTHCHECK"]
    assert last["STOPSIGNAL"] == "SIGTERM"


def test_everything_that_is_installed_was_checked_against_its_hash() -> None:
    steps = [one.text for one in instructions_of(DOCKERFILE) if one.name == "RUN"]
    online = [
        step
        for step in steps
        if re.search(r"pip\b.* (install|download|wheel)", step) and "--no-index" not in step
    ]
    assert len(online) == 1
    assert "--require-hashes" in online[0]
    assert "--only-binary=:all:" in online[0]


def test_what_the_image_pins_is_what_the_tests_run() -> None:
    ours, tested = _pins(ROOT / "deploy/constraints.txt"), _pins(ROOT / "constraints.txt")
    assert ours
    assert {name: tested.get(name) for name in ours} == ours, "run `make lock`"


def test_everything_that_a_worker_may_need_is_pinned_for_the_image() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    wanted = [
        *project["dependencies"],
        *(name for extra in ("consumer", "postgres", "speed", "oidc", "mcp") for name in extras[extra]),
    ]
    pinned = {canonicalize_name(pin.partition("==")[0]) for pin in _pins(ROOT / "deploy/constraints.txt")}
    assert {canonicalize_name(Requirement(one).name) for one in wanted} <= pinned, "run `make lock`"


def test_what_is_copied_is_let_through_by_the_ignore_file() -> None:
    allowed = [
        line[1:]
        for line in (ROOT / "deploy/Dockerfile.dockerignore").read_text().splitlines()
        if line[:1] == "!"
    ]
    copied = [
        word
        for one in instructions_of(DOCKERFILE)
        if one.name == "COPY" and "--from" not in one.text
        for word in one.text.split()[:-1]
    ]
    assert sorted(copied) == sorted(allowed)


@pytest.mark.e2e
@pytest.mark.timeout(1200)
def test_the_dockerfile_s_steps_replayed_in_a_clean_environment_end_in_a_worker_that_starts(
    tmp_path: Path,
) -> None:
    replay = Replay(context=ROOT, root=tmp_path / "image")
    replay.run(DOCKERFILE)
    port = str(reserve_port())
    environment = replay.environment | {
        "FAULTWIRE_HTTP_PORT": port,
        "FAULTWIRE_URL": f"http://127.0.0.1:{port}",
    }
    before = _files(replay.root)

    assert not run_status(replay.health_command, environment), "nobody is healthy before it runs"
    worker = ServerProcess(replay.command, environment, replay.workdir / "worker.log")
    worker.wait_until(lambda: run_status(replay.health_command, environment), "the worker is healthy")
    assert worker.end(signal.SIGTERM) == 0

    written = _files(replay.root) - before
    assert {path.parts[0] for path in written} == {"var"}, "only the state is written"
    assert Path("var/lib/faultwire/faultwire.db") in written
    installed = {path.name.lower() for path in (replay.root / "opt/faultwire").rglob("*.dist-info")}
    assert any(name.startswith("asyncpg-") for name in installed)
    assert not [name for name in installed if name.startswith(("pip-", "hatchling-", "pytest-", "ruff-"))]


def _pins(path: Path) -> dict[str, frozenset[str]]:
    """Each pin with its hashes; where it is left out depends on who else needs it."""
    blocks = re.split(r"\n(?=\S)", path.read_text().strip())
    return {re.split(r" [\\;]", block)[0]: frozenset(re.findall(r"sha256:\w+", block)) for block in blocks}


def _files(root: Path) -> set[Path]:
    return {path.relative_to(root) for path in root.rglob("*") if path.is_file() and not path.is_symlink()}
