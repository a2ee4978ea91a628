"""``faultwire doctor``: faults are made at real servers and disks, found by their codes, told with mends."""

import asyncio
import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import Any, ClassVar

import aio_pika
import pytest
from tests.servers.postgresql import PostgreSQL
from tests.servers.process import reserve_port
from tests.servers.rabbitmq import RabbitMQ
from tests.tools.namespace import OWN_MOUNTS

from faultwire_consumer.cli.application import run
from faultwire_consumer.cli.doctor_database import skew_fault
from faultwire_consumer.cli.fault import FaultCode
from faultwire_consumer.store.sqlite.file_lock import lock_file
from faultwire_shared.topology import TOPOLOGY

pytestmark = pytest.mark.may_block("commands are synchronous")

CLOSED = "127.0.0.1:1"
NAMESPACE = ("unshare", "--mount", *(() if os.geteuid() == 0 else ("--map-root-user",)))


@pytest.fixture(autouse=True)
def _place(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A place of the test's own: a SQLite file, a free port, no spool."""
    (tmp_path / "nospool").mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FAULTWIRE_DATABASE_URL", f"sqlite:///{tmp_path / 'faultwire.db'}")
    monkeypatch.setenv("FAULTWIRE_HTTP_PORT", str(reserve_port()))
    monkeypatch.setenv("FAULTWIRE_SPOOL_PATH", str(tmp_path / "nospool"))


class Doctor:
    """Runs the command, and reads what it found."""

    def __init__(self, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
        self._capsys = capsys
        self.set = monkeypatch.setenv

    def examine(self, *options: str) -> tuple[int, dict[str, dict[str, str]]]:
        """The exit code, and the faults by their codes."""
        self._capsys.readouterr()
        code = run(["doctor", "--json", *options])
        out = self._capsys.readouterr().out
        return code, faults_in(json.loads(out))

    def finds(self, code: FaultCode, *options: str) -> dict[str, str]:
        """The one fault that is to be found."""
        ended, faults = self.examine(*options)
        assert (ended, [*faults]) == (1, [code])
        fault = faults[code]
        assert "\n" not in fault["cause"]
        assert fault["mend"]
        return fault


def faults_in(document: Any) -> dict[str, dict[str, str]]:
    found = {fault["code"]: fault for one in document["examined"] for fault in one["faults"]}
    assert document["healthy"] == (not found)
    return found


@pytest.fixture
def doctor(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Doctor:
    return Doctor(capsys, monkeypatch)


def test_a_healthy_place_is_well_and_nothing_is_made(doctor: Doctor, tmp_path: Path) -> None:
    assert doctor.examine() == (0, {})
    assert [path.name for path in tmp_path.iterdir()] == ["nospool"]


def test_a_healthy_worker_s_place_with_both_servers_is_well(
    doctor: Doctor,
    current_postgresql: PostgreSQL,
    rabbitmq: RabbitMQ,
    capsys: pytest.CaptureFixture[str],
) -> None:
    doctor.set("FAULTWIRE_DATABASE_URL", current_postgresql.url)
    doctor.set("FAULTWIRE_BROKER_URL", rabbitmq.url)
    assert run(["topology", "apply", "-q"]) == 0
    assert doctor.examine() == (0, {})
    assert run(["doctor"]) == 0
    out = capsys.readouterr().out
    assert "ok    database: postgresql://" in out
    assert "FAULT" not in out
    assert current_postgresql.url not in out, "no password is shown"


def test_a_configuration_that_cannot_be_is_one_fault(doctor: Doctor) -> None:
    doctor.set("FAULTWIRE_HTTP_PROT", "1")
    code, faults = doctor.examine()
    assert (code, [*faults]) == (78, ["CONFIG_UNUSABLE"])
    assert "FAULTWIRE_HTTP_PORT" in faults["CONFIG_UNUSABLE"]["cause"]


def test_a_database_that_is_away(doctor: Doctor) -> None:
    doctor.set("FAULTWIRE_DATABASE_URL", f"postgresql://ada:hunter2@{CLOSED}/app")
    fault = doctor.finds(FaultCode.DATABASE_UNREACHABLE)
    assert "hunter2" not in fault["cause"]


def test_a_wrong_password_and_an_unknown_database(doctor: Doctor, postgresql: PostgreSQL) -> None:
    user = postgresql.url.partition("://")[2].partition(":")[0]
    for url in (postgresql.url.replace(f":{user}@", ":wrong@"), f"{postgresql.url}_nowhere"):
        assert url != postgresql.url
        doctor.set("FAULTWIRE_DATABASE_URL", url)
        doctor.finds(FaultCode.DATABASE_REFUSED)


def test_a_schema_that_is_missing_behind_or_newer(doctor: Doctor, postgresql: PostgreSQL) -> None:
    doctor.set("FAULTWIRE_DATABASE_URL", postgresql.url)
    assert doctor.finds(FaultCode.SCHEMA_MISSING)["mend"] == "faultwire db upgrade"
    assert run(["db", "upgrade", "-q"]) == 0
    assert doctor.examine()[0] == 0
    for version, code in (("0003", FaultCode.SCHEMA_BEHIND), ("9999", FaultCode.SCHEMA_NEWER)):
        postgresql.execute(f"UPDATE faultwire.schema_version SET version_num = '{version}', oldest = NULL")
        assert version in doctor.finds(code)["cause"]


def test_a_role_that_lacks_rights(doctor: Doctor, current_postgresql: PostgreSQL) -> None:
    current_postgresql.execute(
        "DO $$ BEGIN CREATE ROLE patient LOGIN PASSWORD 'ill';"
        " EXCEPTION WHEN duplicate_object THEN NULL; END $$"
    )
    doctor.set(
        "FAULTWIRE_DATABASE_URL", current_postgresql.url.replace("faultwire:faultwire@", "patient:ill@")
    )
    assert (
        "GRANT USAGE ON SCHEMA faultwire TO patient; GRANT" in doctor.finds(FaultCode.DATABASE_RIGHTS)["mend"]
    )


def test_a_server_that_takes_no_changes(doctor: Doctor, current_postgresql: PostgreSQL) -> None:
    doctor.set("FAULTWIRE_DATABASE_URL", current_postgresql.url)
    name = current_postgresql.execute("SELECT current_database()")
    current_postgresql.execute(f'ALTER DATABASE "{name}" SET default_transaction_read_only = on')
    doctor.finds(FaultCode.DATABASE_READ_ONLY)


def on_mounted_disk(options: str, directory: Path, *, before: str = "true") -> dict[str, dict[str, str]]:
    """The faults where a small disk of the test's own is mounted."""
    examine = f"{sys.executable} -m faultwire_consumer.cli doctor --json"
    script = f"mount -t tmpfs -o {options} tmpfs {directory} && {before} && {examine}"
    done = subprocess.run(
        [*OWN_MOUNTS, "sh", "-ec", script], capture_output=True, text=True, timeout=100, check=False
    )
    assert done.returncode == 1, done.stderr
    return faults_in(json.loads(done.stdout))


def test_a_read_only_disk(doctor: Doctor, tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    doctor.set("FAULTWIRE_DATABASE_URL", f"sqlite:///{tmp_path / 'disk' / 'faultwire.db'}")
    faults = on_mounted_disk("ro", tmp_path / "disk")
    assert "DATABASE_READ_ONLY" in faults
    assert "read-only" in faults["DATABASE_READ_ONLY"]["cause"]


def test_a_disk_that_is_nearly_full(doctor: Doctor, tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    doctor.set("FAULTWIRE_DATABASE_URL", f"sqlite:///{disk / 'faultwire.db'}")
    fill = f"head -c 4000000 /dev/zero > {disk}/fill"
    assert [*on_mounted_disk("size=4m", disk, before=fill)] == ["DISK_NEARLY_FULL"]


def test_a_folder_that_is_not_there(doctor: Doctor, tmp_path: Path) -> None:
    doctor.set("FAULTWIRE_DATABASE_URL", f"sqlite:///{tmp_path / 'nowhere' / 'faultwire.db'}")
    assert "no folder" in doctor.finds(FaultCode.DATABASE_READ_ONLY)["cause"]


def test_a_file_that_another_process_has(doctor: Doctor, tmp_path: Path) -> None:
    assert run(["db", "upgrade", "-q"]) == 0
    descriptor = lock_file(tmp_path / "faultwire.db")
    assert descriptor is not None
    try:
        doctor.finds(FaultCode.DATABASE_TAKEN)
    finally:
        os.close(descriptor)
    assert doctor.examine()[0] == 0


def test_a_file_that_is_no_database(doctor: Doctor, tmp_path: Path) -> None:
    (tmp_path / "faultwire.db").write_bytes(b"not a database at all " * 500)
    doctor.finds(FaultCode.DATABASE_UNREACHABLE)


def test_nobody_can_sign_in(doctor: Doctor) -> None:
    assert run(["db", "upgrade", "-q"]) == 0
    doctor.set("FAULTWIRE_ACCESS", "login")
    assert "faultwire access invite" in doctor.finds(FaultCode.NO_ACCOUNT)["mend"]


def test_a_broker_that_is_away(doctor: Doctor) -> None:
    doctor.set("FAULTWIRE_BROKER_URL", f"amqp://ada:hunter2@{CLOSED}/")
    assert "hunter2" not in doctor.finds(FaultCode.BROKER_UNREACHABLE)["cause"]


def test_a_broker_that_lets_nobody_in(doctor: Doctor, rabbitmq: RabbitMQ) -> None:
    user = rabbitmq.url.partition("://")[2].partition(":")[0]
    doctor.set("FAULTWIRE_BROKER_URL", rabbitmq.url_of(user, "wrong"))
    doctor.finds(FaultCode.BROKER_LOGIN_REFUSED)
    doctor.set("FAULTWIRE_BROKER_URL", f"{rabbitmq.url}-nowhere")
    doctor.finds(FaultCode.BROKER_VHOST_REFUSED)


def test_queues_that_are_missing_or_have_other_arguments(doctor: Doctor, rabbitmq: RabbitMQ) -> None:
    doctor.set("FAULTWIRE_BROKER_URL", rabbitmq.url)
    doctor.finds(FaultCode.QUEUE_MISSING)
    assert run(["topology", "apply", "-q"]) == 0
    assert doctor.examine()[0] == 0
    name = TOPOLOGY.queues[0].name
    asyncio.run(_replace_queue(rabbitmq.url, name))
    assert name in doctor.finds(FaultCode.QUEUE_DIFFERS)["cause"]


async def _replace_queue(url: str, name: str) -> None:
    async with await aio_pika.connect(url) as connection:
        channel = await connection.channel()
        await channel.queue_delete(name)
        await channel.declare_queue(name, durable=True)


def test_a_worker_s_user_who_may_not_configure_is_enough(doctor: Doctor, rabbitmq: RabbitMQ) -> None:
    doctor.set("FAULTWIRE_BROKER_URL", rabbitmq.url)
    assert run(["topology", "apply", "-q"]) == 0
    doctor.set("FAULTWIRE_BROKER_URL", rabbitmq.add_user(read=".*"))
    assert doctor.examine() == (0, {})


def test_rules_that_are_broken(doctor: Doctor, tmp_path: Path) -> None:
    (tmp_path / "rules.toml").write_text('[receivers.x]\ntype = "pigeon"\n')
    doctor.set("FAULTWIRE_RULES", str(tmp_path / "rules.toml"))
    assert "rules.toml" in doctor.finds(FaultCode.RULES_BROKEN)["mend"]


def test_a_port_that_another_program_has(doctor: Doctor) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as other:
        doctor.set("FAULTWIRE_HTTP_PORT", str(other.getsockname()[1]))
        doctor.finds(FaultCode.PORT_TAKEN)


def test_an_address_that_is_not_this_machine_s(doctor: Doctor) -> None:
    doctor.set("FAULTWIRE_HTTP_HOST", "192.0.2.1")
    doctor.set("FAULTWIRE_HTTP_TRUST_NETWORK", "1")
    doctor.finds(FaultCode.ADDRESS_UNUSABLE)


class Late(BaseHTTPRequestHandler):
    """A worker's answer, of a machine whose clock is an hour late."""

    status: ClassVar[int] = 200
    checks: ClassVar[list[dict[str, str]]] = [{"name": "store", "status": "fail", "error": "gone"}]

    def do_GET(self) -> None:
        payload = json.dumps({"status": "unhealthy", "checks": Late.checks}).encode()
        self.send_response_only(Late.status)
        self.send_header("Date", format_datetime(datetime.now(UTC) - timedelta(hours=1), usegmt=True))
        self.send_header("Content-Length", str(len(payload)))
        self.end_headers()
        self.wfile.write(payload)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the standard library's name
        """Say nothing."""


@pytest.fixture
def late(doctor: Doctor) -> Iterator[type[Late]]:
    server = HTTPServer(("127.0.0.1", 0), Late)
    thread = Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    doctor.set("FAULTWIRE_HTTP_PORT", str(server.server_port))
    yield Late
    server.shutdown()
    thread.join()
    server.server_close()


def test_clocks_that_differ_and_a_worker_that_is_not_ready(
    doctor: Doctor, late: type[Late], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "ahead of the worker's" in doctor.finds(FaultCode.CLOCK_SKEW)["cause"]
    monkeypatch.setattr(late, "status", 503)
    code, faults = doctor.examine()
    assert (code, set(faults)) == (1, {"CLOCK_SKEW", "WORKER_NOT_READY"})
    assert faults["WORKER_NOT_READY"]["cause"] == "store: gone"
    assert "100 s behind the database's" in skew_fault("the database's", -timedelta(seconds=100)).cause


def test_a_worker_that_goes_on_with_older_rules(
    doctor: Doctor, late: type[Late], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(late, "checks", [{"name": "rules", "status": "warn", "error": "rules.toml:3: send?"}])
    _, faults = doctor.examine()
    assert faults["RULES_BROKEN"]["cause"] == "the worker uses older rules: rules.toml:3: send?"


def test_what_dead_processes_left_and_damaged_files(doctor: Doctor, spools: Path) -> None:
    doctor.set("FAULTWIRE_SPOOL_PATH", str(spools))
    assert "faultwire spool drain --service" in doctor.finds(FaultCode.SPOOL_DEAD_FILES)["mend"]
    (spools / "shop" / "shop-9-00000000.db.corrupt-17").write_bytes(b"")
    _, faults = doctor.examine()
    assert set(faults) == {"SPOOL_DEAD_FILES", "SPOOL_DAMAGED"}


def test_somebody_else_s_spool(doctor: Doctor, spools: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    owner = os.geteuid()
    monkeypatch.setattr(os, "geteuid", lambda: owner + 1)
    doctor.finds(FaultCode.SPOOL_UNREADABLE, "--spool-path", str(spools))


def test_people_read_cause_and_mend_under_each_fault(
    capsys: pytest.CaptureFixture[str], doctor: Doctor
) -> None:
    doctor.set("FAULTWIRE_BROKER_URL", f"amqp://{CLOSED}/")
    assert run(["doctor", "-q"]) == 1
    head, cause, mend = capsys.readouterr().out.splitlines()
    assert head == "FAULT broker: BROKER_UNREACHABLE"
    assert CLOSED in cause
    assert mend.startswith("      mend: start RabbitMQ")


def test_an_issue_that_could_not_lead_back_is_told(doctor: Doctor) -> None:
    doctor.set("FAULTWIRE_TRACKER_LINK", "https://git.example/new?body={body}%0A{link}")
    assert run(["db", "upgrade"]) == 0
    code, faults = doctor.examine()
    assert (code, faults) == (0, {})
    doctor.set("FAULTWIRE_ACCESS", "login")
    _, faults = doctor.examine()
    assert "public_url" in faults[FaultCode.PUBLIC_URL_MISSING]["mend"]
    doctor.set("FAULTWIRE_PUBLIC_URL", "https://errors.example.com")
    _, faults = doctor.examine()
    assert FaultCode.PUBLIC_URL_MISSING not in faults
