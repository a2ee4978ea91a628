"""`make check` sees what is wrong in deploy."""

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

pytestmark = pytest.mark.e2e  # `make check` runs it once; these run it for each slip

ROOT: Final = Path(__file__).parents[2]
BIN: Final = str(Path(sys.executable).parent)


@pytest.fixture
def copied(tmp_path: Path) -> Path:
    """The tree as far as the check reads it."""
    shutil.copytree(ROOT / "deploy", tmp_path / "deploy", ignore=shutil.ignore_patterns("secrets"))
    shutil.copytree(ROOT / ".github", tmp_path / ".github")
    for script in ("tests/servers/install", "tests/servers/another-debian", ".ci/run"):
        (tmp_path / script).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / script, tmp_path / script)
    return tmp_path


def test_what_stands_in_deploy_passes(copied: Path) -> None:
    done = _check(copied)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stderr == ""


@pytest.mark.parametrize(
    ("file", "old", "new", "said"),
    [
        ("Dockerfile", "USER 10001:10001", "USER root", "DL3002"),
        ("Dockerfile", "python:${PYTHON_VERSION}-slim-bookworm", "python", "DL3006"),
        ("compose.yaml", "    stop_grace_period: 60s", "    stop_grace: 60s", "stop_grace"),
        ("compose.yaml", "{condition: service_healthy}", "{condition: healthy}", "service_healthy"),
        ("make-secrets", "done", "", "'done'"),
        ("postgresql/create-database.sh", '"$POSTGRES_USER"', "$POSTGRES_USER", "SC2086"),
        ("systemd/faultwire.target", "WantedBy", "WantdBy", "WantdBy"),
        (
            "systemd/faultwire-worker@.service",
            "ProtectSystem=strict",
            "ProtectSystem=stirct",
            "stirct",
        ),
        ("systemd/faultwire-worker@.service", "PrivateTmp=", "PrivateTemp=", "PrivateTemp"),
        (
            "systemd/faultwire-upgrade.service",
            "NoNewPrivileges=yes\nCapabilityBoundingSet=",
            "",
            "exposure level",
        ),
    ],
)
def test_a_slip_is_named(copied: Path, file: str, old: str, new: str, said: str) -> None:
    path = copied / "deploy" / file
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))
    done = _check(copied)
    assert done.returncode != 0
    assert said in done.stdout + done.stderr


def _check(root: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([root / "deploy/check", BIN], capture_output=True, text=True, check=False)
