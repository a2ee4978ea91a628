"""The image, built by buildah and run by podman: what it promises is asked of a container that runs."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest
from tests.deploy.engine import BASE, Engine, build, can_be_run, engine
from tests.servers.process import reserve_port, temporary_home, wait_until

from faultwire_shared import __version__

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.timeout(1500),
    pytest.mark.may_block("builds an image and runs it"),
    pytest.mark.skipif(
        not can_be_run() and not os.environ.get("CI"), reason="wants root, buildah, podman and mmdebstrap"
    ),
]

IMAGE: Final = "localhost/faultwire:test"
MOST_BYTES: Final = 200_000_000
"""What the image may add to its base. The goal is 120 MB; with every extra it adds 186."""
ENDED_BY_SIGTERM: Final = 128 + signal.SIGTERM
CONFINED: Final = (
    "--read-only",
    "--cap-drop=all",
    "--security-opt=no-new-privileges",
    "--network=host",
    "--cgroups=disabled",
    # podman's own are more than every root may grant.
    "--ulimit=nofile=1024:1024",
    "--ulimit=nproc=4096:4096",
    # Asked for by the test: podman has systemd's timers ask, and here is no systemd.
    "--health-interval=disable",
    "--stop-timeout=30",
)


@pytest.fixture(scope="module")
def made() -> Iterator[Engine]:
    with temporary_home("image") as home, engine(home) as made:
        build(made, IMAGE, REVISION="abc123", CREATED="2026-12-01T00:00:00Z")
        yield made


class Container:
    """A worker of the image on SQLite, on a port of this machine."""

    def __init__(self, made: Engine, name: str) -> None:
        self.made, self.name = made, name
        port = reserve_port()
        variables = {"FAULTWIRE_HTTP_PORT": port, "FAULTWIRE_URL": f"http://127.0.0.1:{port}"}
        given = [f"--env={key}={value}" for key, value in variables.items()]
        state = f"--volume={name}:/var/lib/faultwire"
        made.podman("run", "--detach", f"--name={name}", *CONFINED, *given, state, IMAGE)

    @property
    def pid(self) -> int:
        return int(self.made.inspect(self.name)["State"]["Pid"])

    def status(self) -> dict[str, str]:
        """What the kernel says of its first process."""
        lines = Path(f"/proc/{self.pid}/status").read_text().splitlines()
        return {key: value.strip() for key, _, value in (line.partition(":") for line in lines)}

    def is_healthy(self) -> bool:
        return self.made.passes("healthcheck", "run", self.name)

    def stop(self) -> int:
        """Stop it as an operator does; its exit code."""
        self.made.podman("stop", self.name)
        return int(self.made.inspect(self.name)["State"]["ExitCode"])


def test_the_image_says_what_it_is_and_how_it_is_asked(made: Engine) -> None:
    image = made.inspect(IMAGE)
    config = image["Config"]
    assert (config["User"], config["Entrypoint"], config["Cmd"]) == ("10001:10001", ["faultwire"], ["worker"])
    assert config["StopSignal"] in ("SIGTERM", "15")
    (health,) = (value for key, value in (image | config).items() if key.lower() == "healthcheck")
    assert health["Test"] == ["CMD", "faultwire", "health", "--quiet"]
    labels = {
        key.rpartition(".")[2]: value for key, value in image["Labels"].items() if "opencontainers" in key
    }
    assert labels["version"] == __version__
    assert (labels["revision"], labels["created"]) == ("abc123", "2026-12-01T00:00:00Z")


def test_it_adds_little_to_its_base_and_no_tool_that_installs(made: Engine) -> None:
    added = made.inspect(IMAGE)["Size"] - made.inspect(BASE)["Size"]
    assert 0 < added < MOST_BYTES, f"{added / 1e6:.0f} MB"
    script = "ls -d /opt/faultwire/lib/python3*/site-packages/pip* /opt/faultwire/bin/pip* 2>/dev/null"
    found = ["run", "--rm", *CONFINED, "--entrypoint=sh", IMAGE, "-c", script]
    assert not made.passes(*found)


def test_a_container_gets_healthy_without_a_right_and_drains(made: Engine) -> None:
    container = Container(made, "confined")
    wait_until(container.is_healthy, "its own health check passes")
    status = container.status()
    assert status["Uid"].split() == ["10001"] * 4
    assert {status[name] for name in ("CapEff", "CapPrm", "CapBnd")} == {"0" * 16}
    assert (status["NoNewPrivs"], status["Seccomp"]) == ("1", "2")
    for path in ("/x", "/opt/faultwire/x", "/usr/x"):
        assert not made.passes("exec", container.name, "touch", path), path
    assert made.passes("exec", container.name, "test", "-s", "/var/lib/faultwire/faultwire.db")
    assert container.stop() == 0, "it has drained"


def test_a_container_that_only_starts_is_ended_at_once(made: Engine) -> None:
    container = Container(made, "starting")
    wait_until(lambda: _listens_to_sigterm(container), "its first process hears SIGTERM")
    assert not container.is_healthy()
    assert container.stop() == ENDED_BY_SIGTERM


def _listens_to_sigterm(container: Container) -> bool:
    """Whether its first process has a handler: for the first of a container the kernel has none."""
    return bool(int(container.status()["SigCgt"], 16) & 1 << signal.SIGTERM - 1)
