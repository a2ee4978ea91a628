"""TLS by settings, at real servers: whom one authority vouches for is spoken to, and nobody else."""

import asyncio
import os
import shutil
import ssl
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from aiohttp import web
from cryptography.hazmat.primitives import serialization
from tests.servers.postgresql import ACCOUNT, PrivatePostgreSQL
from tests.servers.process import reserve_port, temporary_home
from tests.servers.rabbitmq import RabbitMQ
from tests.tools.certificates import Authority, Issued
from tests.tools.waiting import until

from faultwire import ErrorManager
from faultwire.publish.transport import Outgoing, TransportDown
from faultwire.publish.transport_choice import transport_for
from faultwire_consumer.cli.application import run
from faultwire_consumer.cli.doctor_broker import examine_broker
from faultwire_consumer.cli.doctor_certificate import look_at_broker, look_at_database
from faultwire_consumer.cli.doctor_database import examine_store
from faultwire_consumer.cli.ready import check_ready
from faultwire_consumer.config import load_config
from faultwire_consumer.store.contract.store import StoreUnavailableError
from faultwire_consumer.store.migrations.schema_version import status
from faultwire_consumer.store.postgresql.session import SessionOpener
from faultwire_shared import codec
from faultwire_shared.amqp import BrokerError, BrokerRefusedError, BrokerUnreachableError, close, connect
from faultwire_shared.tls.context import TlsFileError, make_context
from faultwire_shared.tls.files import TlsFiles

pytestmark = pytest.mark.may_block("reads certificates")

MESSAGE = Outgoing(body=b"{}", message_type=codec.EVENT_TYPE, routing_key="unused")
WRONG = {
    "elsewhere": "IP address mismatch",
    "expired": "certificate has expired",
    "self-signed": "self-signed certificate; {} names the authority",
    "theirs": "unable to get local issuer certificate; {} names the authority",
}


class Certificates:
    """Ours, those of servers with something wrong, and a client's."""

    def __init__(self, home: Path) -> None:
        self.home = home
        authority, stranger = Authority(home, "our-authority"), Authority(home, "their-authority")
        self.ca, self.other_ca = authority.cert, stranger.cert
        self.good = authority.issue("good")
        self.ending = authority.issue("ending", days=20)
        self.client = authority.issue("faultwire")
        self.stranger = stranger.issue("stranger")
        self.wrong = {
            "elsewhere": authority.issue("elsewhere", host="elsewhere.example"),
            "expired": authority.issue("expired", days=-1),
            "self-signed": authority.issue("self-signed", signs_itself=True),
            "theirs": stranger.issue("theirs"),
        }


@pytest.fixture(scope="module")
def made() -> Iterator[Certificates]:
    with temporary_home("tls") as home:
        certificates = Certificates(home)
        if os.geteuid() == 0:  # PostgreSQL's server runs as somebody else
            for path in (home, *home.iterdir()):
                shutil.chown(path, ACCOUNT, ACCOUNT)
        yield certificates


Listen = Callable[..., str]


@pytest.fixture
def listen(rabbitmq: RabbitMQ, made: Certificates) -> Iterator[Listen]:
    """Have RabbitMQ listen with a certificate; gives the vhost's address there."""
    ports: list[int] = []

    def start(shown: Issued, *, wants_ours: bool = False) -> str:
        port = reserve_port()
        asks = (
            "{verify, verify_peer}, {fail_if_no_peer_cert, true}" if wants_ours else "{verify, verify_none}"
        )
        files = f'{{cacertfile, "{made.ca}"}}, {{certfile, "{shown.cert}"}}, {{keyfile, "{shown.key}"}}'
        rabbitmq._node.evaluate(f"""
            rabbit_networking:ensure_ssl(),
            rabbit_networking:start_ssl_listener({{"127.0.0.1", {port}, auto}}, [{files}, {asks}], 2).
        """)
        ports.append(port)
        return rabbitmq.url_through(port).replace("amqp://", "amqps://")

    yield start
    for port in ports:
        rabbitmq._node.evaluate(f'rabbit_networking:stop_tcp_listener({{"127.0.0.1", {port}, auto}}).')


def _settings(monkeypatch: pytest.MonkeyPatch, **settings: object) -> None:
    for name, value in settings.items():
        monkeypatch.setenv(f"FAULTWIRE_{name.upper()}", str(value))


async def _connects(url: str | None) -> None:
    assert url is not None
    await close(await connect(url, "test"))


async def test_a_broker_is_spoken_to_by_an_authority_of_ones_own_alone(
    listen: Listen, made: Certificates, monkeypatch: pytest.MonkeyPatch
) -> None:
    _settings(monkeypatch, broker_url=listen(made.good), broker_ca_file=made.ca)
    await _connects(load_config().broker_url)
    for kind, told in WRONG.items():
        _settings(monkeypatch, broker_url=listen(made.wrong[kind]))
        with pytest.raises(BrokerUnreachableError, match=told.format("broker_ca_file")) as refused:
            await _connects(load_config().broker_url)
        assert "\n" not in str(refused.value)


async def test_a_broker_is_not_trusted_by_this_machines_authorities(
    listen: Listen, made: Certificates
) -> None:
    with pytest.raises(BrokerUnreachableError, match="broker_ca_file names the authority"):
        await _connects(listen(made.good))
    await _connects(f"{listen(made.good)}?cacertfile={made.ca}&verify=verify_peer")


async def test_a_broker_that_wants_a_certificate_gets_the_one_of_the_settings(
    listen: Listen, made: Certificates, monkeypatch: pytest.MonkeyPatch
) -> None:
    _settings(monkeypatch, broker_url=listen(made.good, wants_ours=True), broker_ca_file=made.ca)
    with pytest.raises(BrokerError) as refused:
        await _connects(load_config().broker_url)
    assert "\n" not in str(refused.value)
    for shown in (made.stranger, made.client):
        _settings(monkeypatch, broker_certificate_file=shown.cert, broker_key_file=shown.key)
        if shown is made.stranger:
            with pytest.raises(BrokerError):
                await _connects(load_config().broker_url)
    await _connects(load_config().broker_url)


async def test_a_file_that_changes_is_read_for_the_next_connection(
    listen: Listen, made: Certificates, tmp_path: Path
) -> None:
    changing = tmp_path / "ca.pem"
    url = f"{listen(made.good)}?cafile={changing}"
    with pytest.raises(BrokerRefusedError, match=r"cannot read .*ca\.pem: No such file"):
        await _connects(url)
    changing.write_text("nothing of the kind")
    with pytest.raises(BrokerRefusedError, match="holds no certificates"):
        await _connects(url)
    shutil.copy(made.other_ca, changing)
    with pytest.raises(BrokerUnreachableError, match="not trusted"):
        await _connects(url)
    shutil.copy(made.ca, changing)
    await _connects(url)


async def test_a_certificate_of_ours_that_is_renewed_is_shown_at_the_next_connection_to_the_broker(
    listen: Listen, made: Certificates, tmp_path: Path
) -> None:
    cert, key = tmp_path / "ours.crt", tmp_path / "ours.key"
    url = f"{listen(made.good, wants_ours=True)}?cafile={made.ca}&certfile={cert}&keyfile={key}"

    def put(shown: Issued) -> None:
        shutil.copy(shown.cert, cert)
        shutil.copy(shown.key, key)

    put(made.client)
    standing = await connect(url, "test")
    put(made.stranger)
    with pytest.raises(BrokerError):
        await _connects(url)
    assert not standing.is_closed, "what stands goes on"
    put(made.client)
    await _connects(url)
    await close(standing)


async def test_a_service_publishes_over_tls_with_files_as_options_and_as_variables(
    listen: Listen, made: Certificates, rabbitmq: RabbitMQ
) -> None:
    environ = {
        "FAULTWIRE_BROKER_URL": listen(made.good, wants_ours=True),
        "FAULTWIRE_BROKER_CA_FILE": str(made.ca),
        "FAULTWIRE_BROKER_CERTIFICATE_FILE": str(made.client.cert),
        "FAULTWIRE_BROKER_KEY_FILE": str(made.client.key),
        "FAULTWIRE_SPOOL_PATH": "",
    }
    await asyncio.to_thread(run, ["topology", "apply", "-q", "--broker-url", rabbitmq.url])
    async with ErrorManager.from_env(environ, service="shop") as errors:
        answer = await errors.handle_error(ValueError("one"), durability="confirmed")
    assert answer.state.accepted


@asynccontextmanager
async def _https(shown: Issued) -> AsyncIterator[str]:
    """A worker behind TLS, as far as these tests ask it."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(shown.cert, shown.key)

    async def take(_: web.Request) -> web.Response:
        return web.json_response({"results": []}, status=202)

    async def ready(_: web.Request) -> web.Response:
        return web.json_response({"status": "pass", "checks": []})

    async def incidents(_: web.Request) -> web.Response:
        return web.json_response({"incidents": [], "next_cursor": None})

    app = web.Application()
    app.router.add_post("/ingest/v1/events", take)
    app.router.add_get("/readyz", ready)
    app.router.add_get("/api/v1/incidents", incidents)
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context).start()
        yield f"https://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


async def test_a_service_posts_over_tls_to_whom_its_authority_vouches_for(made: Certificates) -> None:
    async def posts(url: str, ca: Path | None) -> None:
        files = TlsFiles() if ca is None else TlsFiles(str(ca))
        make = transport_for(url, "shop", tls=files)
        assert make is not None
        transport = make()
        await transport.open()
        try:
            await transport.publish(MESSAGE)
        finally:
            await transport.aclose()

    async with _https(made.good) as url:
        await posts(url, made.ca)
        for ca in (None, made.other_ca):
            with pytest.raises(TransportDown, match="certificate is not trusted"):
                await posts(url, ca)
        with pytest.raises(TransportDown, match=r"cannot read /nowhere\.pem"):
            await posts(url, Path("/nowhere.pem"))
    for kind, told in WRONG.items():
        async with _https(made.wrong[kind]) as url:
            with pytest.raises(TransportDown, match=told.format("broker_ca_file")):
                await posts(url, made.ca)


async def test_commands_ask_a_worker_behind_tls_by_an_authority_of_ones_own(
    made: Certificates, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    async def asks(*options: str) -> tuple[int, str]:
        code = await asyncio.to_thread(run, ["incidents", "list", *options])
        return code, capsys.readouterr().err

    async with _https(made.good) as url:
        _settings(monkeypatch, url=url)
        code, told = await asks()
        assert code == 1
        assert "not trusted: unable to get local issuer" in told
        assert "--ca-file or FAULTWIRE_CA_FILE names the authority" in told
        assert (await asks("--ca-file", str(made.ca)))[0] == 0
        assert (await asks("--ca-file", "/nowhere.pem"))[0] == 2
        _settings(monkeypatch, ca_file=made.ca)
        assert (await asks())[0] == 0
        assert await asyncio.to_thread(check_ready) == 0
        assert await asyncio.to_thread(run, ["send", "-m", "one", "-q"]) == 0
    for kind in WRONG:
        async with _https(made.wrong[kind]) as url:
            _settings(monkeypatch, url=url)
            code, told = await asks()
            assert code == 1
            assert told.count("\n") == 1
            assert "certificate is not trusted" in told


async def test_an_authority_that_is_renewed_is_trusted_at_the_next_connection_to_the_database(
    private_postgresql: PrivatePostgreSQL, made: Certificates, tmp_path: Path
) -> None:
    ca, opener = tmp_path / "ca.pem", SessionOpener()
    shutil.copy(made.ca, ca)
    _show(private_postgresql, made.good)
    place = urlsplit(private_postgresql.url)
    arguments: dict[str, Any] = {"host": place.hostname, "port": place.port, "database": place.path[1:]}
    arguments |= {"user": place.username, "password": place.password}

    async def opens() -> Any:
        return await opener(**arguments, sslmode="verify-full", sslrootcert=str(ca))

    async def answers() -> bool:
        try:
            (await opens()).terminate()
        except StoreUnavailableError:
            return False
        return True

    async def is_refused() -> bool:
        return not await answers()

    await until(answers, "ours is spoken to")
    standing = await opens()
    _show(private_postgresql, made.wrong["theirs"])
    await until(is_refused, "the server shows another authority's certificate")
    assert await standing.fetchval("SELECT 1") == 1, "what stands goes on"
    shutil.copy(made.other_ca, ca)
    await until(answers, "the renewed authority is trusted")
    standing.terminate()


def _show(server: PrivatePostgreSQL, shown: Issued) -> None:
    server.execute(f"ALTER SYSTEM SET ssl_cert_file = '{shown.cert}'")
    server.execute(f"ALTER SYSTEM SET ssl_key_file = '{shown.key}'")
    server.execute("ALTER SYSTEM SET ssl = on")
    server.execute("SELECT pg_reload_conf()")


async def test_postgresql_is_spoken_to_by_an_authority_of_ones_own_alone(
    private_postgresql: PrivatePostgreSQL, made: Certificates, monkeypatch: pytest.MonkeyPatch
) -> None:
    _settings(monkeypatch, database_url=private_postgresql.url)
    _settings(monkeypatch, database_ca_file=made.ca)
    url = load_config().database_url

    async def refusal() -> str:
        try:
            await status(url)
        except StoreUnavailableError as error:
            return str(error)
        return ""

    for kind, told in WRONG.items():
        _show(private_postgresql, made.wrong[kind])

        async def is_refused(told: str = told.format("database_ca_file")) -> bool:
            return told in await refusal()

        await until(is_refused, f"{kind} is refused")
        assert "\n" not in await refusal()

    _show(private_postgresql, made.ending)

    async def is_trusted() -> bool:
        return await refusal() == ""

    await until(is_trusted, "ours is spoken to")
    seen = await look_at_database(url)
    assert "certificate of ending by our-authority: 20 days left" in seen.told
    assert [fault.code for fault in seen.faults] == ["CERTIFICATE_ENDS"]
    _settings(monkeypatch, database_ca_file=made.other_ca)
    examined = await examine_store(load_config(), is_running=False)
    assert [fault.code for fault in examined.faults] == ["CERTIFICATE_REFUSED"]

    _want_certificate(private_postgresql, made)
    monkeypatch.setenv("HOME", str(made.home))  # where libpq would look for certificates
    monkeypatch.delenv("FAULTWIRE_DATABASE_CA_FILE")
    _settings(monkeypatch, database_tls="require")

    async def wants_ours() -> bool:
        try:
            await status(load_config().database_url)
        except StoreUnavailableError as error:
            return "requires a valid client certificate" in str(error)
        return False

    await until(wants_ours, "the server wants a certificate of ours")
    monkeypatch.delenv("FAULTWIRE_DATABASE_TLS")
    _settings(
        monkeypatch,
        database_ca_file=made.ca,
        database_certificate_file=made.client.cert,
        database_key_file=made.client.key,
    )
    await status(load_config().database_url)


def _want_certificate(server: PrivatePostgreSQL, made: Certificates) -> None:
    """Have the server let in by TLS those alone who show a certificate of our authority."""
    hba = Path(server.execute("SHOW hba_file"))
    hba.write_text(f"hostssl all all 127.0.0.1/32 trust clientcert=verify-ca\n{hba.read_text()}")
    server.execute(f"ALTER SYSTEM SET ssl_ca_file = '{made.ca}'")
    server.execute("SELECT pg_reload_conf()")


async def test_doctor_names_a_brokers_certificate_and_warns_before_it_ends(
    listen: Listen, rabbitmq: RabbitMQ, made: Certificates, monkeypatch: pytest.MonkeyPatch
) -> None:
    await asyncio.to_thread(run, ["topology", "apply", "-q", "--broker-url", rabbitmq.url])
    _settings(monkeypatch, broker_url=listen(made.good), broker_ca_file=made.ca)
    examined = await examine_broker(load_config())
    assert examined.faults == ()
    assert "certificate of good by our-authority: 30 days left" in examined.told
    _settings(monkeypatch, broker_url=listen(made.ending))
    assert [fault.code for fault in (await examine_broker(load_config())).faults] == ["CERTIFICATE_ENDS"]
    _settings(monkeypatch, broker_ca_file=made.other_ca)
    assert [fault.code for fault in (await examine_broker(load_config())).faults] == ["CERTIFICATE_REFUSED"]
    assert (await look_at_broker(rabbitmq.url)).told == ""


def test_a_key_that_cannot_be_used_is_refused_and_nobody_is_asked_for_its_password(
    made: Certificates, tmp_path: Path
) -> None:
    locked = tmp_path / "locked.key"
    key = serialization.load_pem_private_key(made.client.key.read_bytes(), None)
    locked.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(b"secret"),
        )
    )
    for path, told in (
        (locked, "has a password; faultwire reads keys without one"),
        (made.good.key, "do not belong together"),
        (made.ca, "are not both there"),
    ):
        with pytest.raises(TlsFileError, match=told):
            make_context(TlsFiles(None, str(made.client.cert), str(path)))
