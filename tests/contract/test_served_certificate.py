"""Files of TLS that are renewed while a worker serves: its own certificate, and what it shows and trusts."""

import asyncio
import shutil
import signal
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import pytest
from msgspec import Struct
from structlog.testing import capture_logs
from tests.servers.process import ServerProcess, reserve_port
from tests.servers.worker import FAULTWIRE, Worker
from tests.tools.certificates import Authority, Issued
from tests.tools.waiting import until

from faultwire_consumer.cli.doctor_machine import examine_address
from faultwire_consumer.config import ConfigError, WorkerConfig, load_config
from faultwire_consumer.serving.certificate import ServedCertificate
from faultwire_consumer.worker import assembly, server
from faultwire_consumer.worker.level_reload import LevelReload
from faultwire_consumer.worker.lifecycle import release, run_until
from faultwire_consumer.worker.reload import Asking
from faultwire_consumer.worker.tls_reload import TlsReload
from faultwire_shared.tls.context import TlsFileError
from faultwire_shared.tls.files import TlsFiles

pytestmark = pytest.mark.may_block("reads certificates")

_ASKED: Final = b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n"


class Files(Struct):
    """A certificate's two files, which others are put in place of."""

    cert: Path
    key: Path
    authority: Authority

    def put(self, issued: Issued) -> None:
        for source, place in ((issued.cert, self.cert), (issued.key, self.key)):
            shutil.copy(source, f"{place}.new")
            Path(f"{place}.new").replace(place)


@pytest.fixture
def files(tmp_path: Path) -> Files:
    (tmp_path / "made").mkdir()
    made = Files(tmp_path / "tls.crt", tmp_path / "tls.key", Authority(tmp_path / "made", "our-authority"))
    made.put(made.authority.issue("first"))
    return made


class Visitor:
    """One connection by TLS, which trusts our authority alone."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    @classmethod
    async def connect(cls, port: int, ca: Path) -> "Visitor":
        context = ssl.create_default_context(cafile=str(ca))
        return cls(*await asyncio.open_connection("127.0.0.1", port, ssl=context))

    @property
    def shown(self) -> str:
        subject = self.writer.get_extra_info("ssl_object").getpeercert()["subject"]
        return str(subject[0][0][1])

    async def ask(self) -> bytes:
        self.writer.write(_ASKED)
        status, length = await self.reader.readline(), 0
        while line := (await self.reader.readline()).strip().lower():
            if line.startswith(b"content-length:"):
                length = int(line.partition(b":")[2])
        await self.reader.readexactly(length)
        return status.strip()

    def leave(self) -> None:
        self.writer.transport.abort()


class Serving(Struct):
    """A worker that serves by TLS, as a signal reaches it."""

    port: int
    asked: asyncio.Event
    ca: Path

    async def shows(self, name: str) -> bool:
        """Whether it is up and shows this one."""
        try:
            return await self.shown() == name
        except OSError:
            return False

    async def shown(self) -> str:
        """The name of the certificate that a new connection is shown."""
        visitor = await Visitor.connect(self.port, self.ca)
        try:
            assert await visitor.ask() == b"HTTP/1.1 200 OK"
            return visitor.shown
        finally:
            visitor.leave()


@asynccontextmanager
async def serving(files: Files, url: str) -> AsyncIterator[Serving]:
    config = WorkerConfig(
        database_url=url, http_port=reserve_port(), http_certificate_file=files.cert, http_key_file=files.key
    )
    stop, asked = asyncio.Event(), asyncio.Event()
    worker = await assembly.assemble(config, Asking(asked, lambda: config))
    running = asyncio.create_task(run_until(stop, worker))
    serves = Serving(config.http_port, asked, files.authority.cert)

    try:
        await until(lambda: serves.shows("first"), "the worker serves by TLS")
        yield serves
    finally:
        stop.set()
        await running
        await release(worker)


async def test_a_renewed_certificate_is_shown_to_who_comes_after_the_signal_and_nobody_is_cut_off(
    files: Files, sqlite_url: str
) -> None:
    async with serving(files, sqlite_url) as worker:
        old = await Visitor.connect(worker.port, worker.ca)
        assert await old.ask() == b"HTTP/1.1 200 OK"
        files.put(files.authority.issue("second"))
        assert await worker.shown() == "first", "nobody has asked yet"
        worker.asked.set()

        async def is_second() -> bool:
            return await worker.shown() == "second"

        await until(is_second, "the renewed certificate is shown")
        assert old.shown == "first"
        assert await old.ask() == b"HTTP/1.1 200 OK"
        old.leave()


@pytest.mark.timeout(300)
async def test_a_running_process_takes_a_renewed_certificate_at_a_real_sighup(
    files: Files, tmp_path: Path
) -> None:
    worker = Worker(tmp_path)
    worker.environment |= {
        "FAULTWIRE_HTTP_CERTIFICATE_FILE": str(files.cert),
        "FAULTWIRE_HTTP_KEY_FILE": str(files.key),
    }
    process = ServerProcess([FAULTWIRE, "worker"], worker.environment, worker.log)
    seen = Serving(worker.port, asyncio.Event(), files.authority.cert)
    try:
        await until(lambda: seen.shows("first"), "the worker serves by TLS")
        files.put(files.authority.issue("second", days=9))
        process.send(signal.SIGHUP)
        await until(lambda: seen.shows("second"), "the renewed certificate is shown")
        shutil.copy(files.authority.issue("another").key, files.key)
        process.send(signal.SIGHUP)
        await until(lambda: says(worker.log, "worker.not_reloaded"), "the wrong key is refused")
        assert await seen.shown() == "second"
    finally:
        assert process.end(signal.SIGTERM) == 0


async def says(log: Path, event: str) -> bool:
    return event in await asyncio.to_thread(log.read_text)


async def test_who_begins_tls_and_says_nothing_is_let_go(
    files: Files, sqlite_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "HANDSHAKE_SECONDS", 1.0)
    async with serving(files, sqlite_url) as worker:
        reader, writer = await asyncio.open_connection("127.0.0.1", worker.port)
        async with asyncio.timeout(60):
            assert await reader.read() == b""
        writer.close()


async def test_a_wrong_file_is_refused_on_one_line_and_the_certificate_before_goes_on(
    files: Files, sqlite_url: str
) -> None:
    async with serving(files, sqlite_url) as worker:
        shutil.copy(files.authority.issue("another").key, files.key)
        with capture_logs() as lines:
            worker.asked.set()

            async def is_told() -> bool:
                return any(line["event"] == "worker.not_reloaded" for line in lines)

            await until(is_told, "the file is refused")
        (why,) = (str(line["why"]) for line in lines if line["event"] == "worker.not_reloaded")
        assert "do not belong together" in why
        assert str(files.key) in why
        assert "\n" not in why
        assert await worker.shown() == "first"
        files.put(files.authority.issue("third"))
        worker.asked.set()

        async def is_third() -> bool:
            return await worker.shown() == "third"

        await until(is_third, "the mended certificate is shown")


def test_a_certificate_that_cannot_be_read_is_refused_at_the_start(files: Files) -> None:
    files.key.unlink()
    with pytest.raises(TlsFileError, match=r"cannot read .*tls\.key"):
        ServedCertificate(TlsFiles(None, str(files.cert), str(files.key)))


async def test_a_gateway_reads_its_certificate_again_at_the_signal(files: Files) -> None:
    certificate = ServedCertificate(TlsFiles(None, str(files.cert), str(files.key)))
    asked = asyncio.Event()
    reload = LevelReload(Asking(asked, WorkerConfig), TlsReload(certificate))
    before = certificate.newest
    running = asyncio.create_task(reload.run())
    files.put(files.authority.issue("second"))
    asked.set()

    async def is_read() -> bool:
        return certificate.newest is not before

    await until(is_read, "the certificate is read again")
    running.cancel()


@pytest.mark.parametrize(
    ("database_url", "broker_url"),
    [
        ("sqlite:///faultwire.db", "amqps://one/,amqps://two/?cafile={}"),
        ("postgresql://u@h/d?sslmode=verify-full&sslrootcert={}", None),
        ("postgresql://u@h/d?sslmode=require&sslrootcert=system&sslcert={}", None),
    ],
)
def test_a_file_of_the_broker_or_the_database_that_cannot_be_used_is_told_at_the_signal(
    database_url: str, broker_url: str | None, tmp_path: Path
) -> None:
    wrong = tmp_path / "wrong.pem"
    config = WorkerConfig(
        database_url=database_url.format(wrong), broker_url=broker_url and broker_url.format(wrong)
    )
    with pytest.raises(TlsFileError, match=r"cannot read .*wrong\.pem"):
        TlsReload().read(config)


def test_files_that_are_as_they_should_be_are_no_reason_to_refuse(files: Files) -> None:
    ca = files.authority.cert
    config = WorkerConfig(
        database_url=f"postgresql://u@h/d?sslmode=verify-full&sslrootcert={ca}",
        broker_url=f"amqps://h/?cafile={ca}&certfile={files.cert}&keyfile={files.key}",
    )
    assert TlsReload().read(config) is None


async def test_doctor_asks_by_tls_and_says_what_is_wrong_with_the_files(
    files: Files, sqlite_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with serving(files, sqlite_url) as worker:
        monkeypatch.setenv("FAULTWIRE_HTTP_PORT", str(worker.port))
        monkeypatch.setenv("FAULTWIRE_HTTP_CERTIFICATE_FILE", str(files.cert))
        monkeypatch.setenv("FAULTWIRE_HTTP_KEY_FILE", str(files.key))
        found = await asyncio.to_thread(examine_address, load_config())
        assert found.is_ours, "it answered by TLS"
        assert "CERTIFICATE_REFUSED" not in [fault.code for fault in found.examined.faults]
        files.key.write_text("nothing of the kind")
        found = await asyncio.to_thread(examine_address, load_config())
        assert "CERTIFICATE_REFUSED" in [fault.code for fault in found.examined.faults]


def test_a_key_without_its_certificate_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAULTWIRE_HTTP_KEY_FILE", "/key.pem")
    with pytest.raises(ConfigError, match="set http_certificate_file too"):
        load_config()
