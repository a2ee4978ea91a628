"""Line 41 of the fault matrix: the spool's directory is read-only, a link, another user's, or too open."""

import asyncio
import logging
import os
import stat
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from tests.tools.fake_transport import FakeTransport
from tests.tools.namespace import OWN_MOUNTS
from tests.tools.waiting import until

from faultwire import ErrorManager

pytestmark = pytest.mark.may_block("looks into directories")


@asynccontextmanager
async def managing(path: Path | str) -> AsyncIterator[tuple[ErrorManager, FakeTransport]]:
    transport = FakeTransport()
    transport.hold()
    manager = ErrorManager(
        service="shop", transport=lambda: transport, spool_path=path, shutdown_timeout=1, confirm_timeout=20
    )
    async with manager as errors:
        yield errors, transport
        transport.release()


async def is_refused(path: Path | str, caplog: pytest.LogCaptureFixture, reason: str) -> None:
    """Events wait in memory and are published from there; one warning says why."""
    with caplog.at_level(logging.INFO):
        async with managing(path) as (errors, transport):
            for _ in range(3):
                response = await errors.handle_error(ValueError("x"), durability="spooled")
                assert response.state.state == "buffered"
            transport.release()
            response = await errors.handle_error(ValueError("x"), durability="confirmed")
            assert response.state.state == "confirmed"
    told = [record for record in caplog.records if "spool.unavailable" in record.getMessage()]
    assert [record.levelname for record in told] == ["WARNING"]
    assert reason in told[0].getMessage()


@pytest.mark.line(41)
async def test_a_link_is_not_followed(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    real = tmp_path / "real"
    real.mkdir(mode=0o700)
    (tmp_path / "link").symlink_to(real)
    await is_refused(tmp_path / "link", caplog, "link")
    assert list(real.iterdir()) == []


@pytest.mark.line(41)
async def test_a_link_with_a_slash_behind_it_is_not_followed_either(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    real = tmp_path / "real"
    real.mkdir(mode=0o700)
    (tmp_path / "link").symlink_to(real)
    await is_refused(f"{tmp_path}/link/", caplog, "link")


@pytest.mark.line(41)
async def test_a_directory_of_somebody_else_is_not_used(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "theirs"
    path.mkdir(mode=0o700)
    if os.geteuid() == 0:
        os.chown(path, 1, 1)
    else:
        path = Path("/usr")
    await is_refused(path, caplog, "belongs to user")


@pytest.mark.line(41)
@pytest.mark.parametrize("mode", [0o770, 0o707, 0o755, 0o1777])
async def test_a_directory_that_is_open_to_others_is_not_used_and_left_as_it_is(
    mode: int, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "open"
    path.mkdir()
    path.chmod(mode)
    await is_refused(path, caplog, "is open to others")
    assert stat.S_IMODE(path.stat().st_mode) == mode
    assert list(path.iterdir()) == []


@pytest.mark.line(41)
async def test_a_file_where_the_directory_should_be_is_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_text("not a directory")
    await is_refused(tmp_path / "file", caplog, "file")


@pytest.mark.line(41)
def test_on_a_read_only_disk_events_wait_in_memory(tmp_path: Path) -> None:
    path = tmp_path / "spool"
    path.mkdir(mode=0o700)
    script = (
        "import asyncio, subprocess\n"
        f"subprocess.run(['mount', '-t', 'tmpfs', '-o', 'ro,mode=700', 'tmpfs', {str(path)!r}], check=True)\n"
        "from pathlib import Path\n"
        "import logging\n"
        "logging.basicConfig()\n"
        "from tests.faults.test_spool_directory import managing\n"
        "async def main():\n"
        f"    async with managing({str(path)!r}) as (errors, transport):\n"
        "        response = await errors.handle_error(ValueError('x'), durability='spooled')\n"
        "        print(response.state.state)\n"
        "        transport.release()\n"
        "        print((await response.delivered(60)).state)\n"
        "asyncio.run(main())\n"
    )
    command = (*OWN_MOUNTS, sys.executable, "-c", script)
    done = subprocess.run(command, capture_output=True, text=True, timeout=100, check=False)
    assert done.stdout.split() == ["buffered", "confirmed"], done.stderr
    assert done.stderr.count("spool.unavailable") == 1


@pytest.mark.line(41)
async def test_a_link_in_the_place_of_a_spools_file_is_not_adopted(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("somebody's file")
    path = tmp_path / "spool"
    path.mkdir(mode=0o700)
    (path / "shop-1-00000000.db").symlink_to(secret)
    (path / "shop-1-00000001.lock").symlink_to(secret)
    (path / "shop-1-00000001.db").write_bytes(b"")
    async with managing(path) as (errors, _):
        await errors.handle_error(ValueError("x"), durability="spooled")
        assert errors.stats().adopted == 0
    assert secret.read_text() == "somebody's file"
    assert (path / "shop-1-00000000.db").is_symlink()


@pytest.mark.line(41)
async def test_the_directory_and_its_files_are_the_users_alone_whatever_the_umask(
    tmp_path: Path,
) -> None:
    old = os.umask(0)
    try:
        async with managing(tmp_path / "deep" / "spool") as (errors, _):
            await errors.handle_error(ValueError("x"), durability="spooled")
            files: list[Path] = []

            async def are_all_there() -> bool:  # the ledger is another thread's, and comes when it comes
                files[:] = await asyncio.to_thread(lambda: list((tmp_path / "deep" / "spool").iterdir()))
                return {path.suffix for path in files} == {".db", ".db-wal", ".ledger", ".lock"}

            await until(are_all_there, "the spool has its four files")
            assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}
            assert stat.S_IMODE((tmp_path / "deep" / "spool").stat().st_mode) == 0o700
    finally:
        os.umask(old)
