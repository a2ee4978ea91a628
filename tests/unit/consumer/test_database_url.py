"""PostgreSQL's URLs of several hosts, and which of the hosts is asked first."""

import asyncio
from typing import Any

import asyncpg
import pytest

from faultwire_consumer.store.contract.store import StoreRefusedError
from faultwire_consumer.store.contract.url import DatabaseUrlError, parse_database_url, show_url
from faultwire_consumer.store.postgresql.host import HostChooser

HOSTS: dict[str, Any] = {"host": ["one", "two"], "port": [1, 2]}


class Servers:
    """Some take a connection, others have a reason not to."""

    def __init__(self, **reasons: BaseException) -> None:
        self.reasons = reasons
        self.asked: list[str] = []

    async def connect(self, *, host: str, port: int, timeout: float, **rest: Any) -> str:  # noqa: ASYNC109 - asyncpg's argument
        self.asked.append(host)
        if host in self.reasons:
            raise self.reasons[host]
        return f"{host}:{port} {timeout:g} {rest}"


def test_several_hosts_are_read_as_libpq_writes_them() -> None:
    url = parse_database_url("postgresql://ada:p%2C@one:5433,two,[::1]:7/app?sslmode=require")
    assert (url.username, url.password, url.host, url.database) == ("ada", "p,", None, "app")
    assert url.query["host"] == "one,two,::1"
    assert url.query["port"] == "5433,5432,7"
    assert url.query["sslmode"] == "require"
    assert show_url(url) == "postgresql://ada:***@one:5433,two:5432,[::1]:7/app"


def test_of_several_hosts_only_one_that_can_be_written_to_will_do_unless_said_otherwise() -> None:
    text = "postgresql://one,two/app"
    assert parse_database_url(text).query["target_session_attrs"] == "read-write"
    assert parse_database_url(text, target="any").query["target_session_attrs"] == "any"
    said = parse_database_url(f"{text}?target_session_attrs=primary")
    assert said.query["target_session_attrs"] == "primary"
    assert "target_session_attrs" not in parse_database_url("postgresql://one/app").query


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("postgresql://u:hunter2@one:x,two/app", "'one:x' among the hosts"),
        ("postgresql://u:hunter2@one,,two/app", "'' among the hosts"),
        ("postgresql://u:hunter2@one:0,two/app", "'one:0' among the hosts"),
        ("postgresql://u:hunter2@one:x/app", "is not a URL"),
        ("postgresql://u:hunter2@one,two/app?target_session_attrs=readwrite", "did you mean read-write"),
        ("postgresql://u:hunter2@one/app?target_session_attrs=7", "known are any, prefer-standby, primary"),
    ],
)
def test_hosts_that_cannot_be_are_told_without_the_password(text: str, why: str) -> None:
    with pytest.raises(DatabaseUrlError) as told:
        parse_database_url(text)
    assert why in str(told.value)
    assert "hunter2" not in str(told.value)


TAKEN: list[tuple[str, dict[str, str]]] = [
    ("sslmode=verify-full&sslrootcert=/ca.pem", {"sslmode": "verify-full", "sslrootcert": "/ca.pem"}),
    ("sslcert=/c.pem&sslkey=/k.pem&sslcrl=", {"sslcert": "/c.pem", "sslkey": "/k.pem"}),
    ("ssl=true", {"sslmode": "require"}),
    ("ssl=disable", {"sslmode": "disable"}),
    ("ssl=true&sslmode=verify-ca", {"sslmode": "verify-ca"}),
    ("sslmode=require&channel_binding=prefer", {"sslmode": "require"}),
    ("connect_timeout=10&application_name=errors", {"connect_timeout": "10", "application_name": "errors"}),
    ("fallback_application_name=errors", {"application_name": "errors"}),
    ("options=-cwork_mem%3D8MB", {"options": "-cwork_mem=8MB"}),
    ("keepalives=1&keepalives_idle=30&tcp_user_timeout=9&gssencmode=disable&client_encoding=UTF8", {}),
    ("pgbouncer=true&statement_cache_size=0&schema=faultwire", {}),
    ("target_session_attrs=primary", {"target_session_attrs": "primary"}),
]


@pytest.mark.parametrize(("written", "taken"), TAKEN)
def test_the_words_of_libpq_and_of_those_who_host_it_are_understood(
    written: str, taken: dict[str, str]
) -> None:
    url = parse_database_url(f"postgresql://u:hunter2@one/app?{written}")
    assert dict(url.query) == taken
    assert show_url(url) == "postgresql://u:***@one/app"


def test_what_stands_in_front_may_be_said_behind_and_wins() -> None:
    url = parse_database_url(
        "postgresql:///?host=/run/postgresql&user=ada&password=hunter2&dbname=app&port=7"
    )
    assert (url.host, url.port, url.username, url.password) == ("/run/postgresql", 7, "ada", "hunter2")
    assert (url.database, dict(url.query)) == ("app", {})
    several = parse_database_url("postgresql://ada@x/app?host=one,two&port=5433")
    assert (several.query["host"], several.query["port"]) == ("one,two", "5433,5433")
    assert parse_database_url("postgresql://%2Frun%2Fpg/app").host == "/run/pg"
    assert parse_database_url("postgresql://db/app?hostaddr=10.0.0.9").host == "10.0.0.9"


@pytest.mark.parametrize("query", ["", "?sslmode=require", "?application_name=me@home"])
def test_an_at_sign_that_nobody_escaped_belongs_to_the_password(query: str) -> None:
    url = parse_database_url(f"postgresql://app:Summer@Night7@one:5433/x{query}")
    assert (url.username, url.password, url.host, url.port) == ("app", "Summer@Night7", "one", 5433)
    assert show_url(url) == "postgresql://app:***@one:5433/x"
    several = parse_database_url(f"postgresql://app:Summer@Night7@one,two/x{query}")
    assert (several.password, several.query["host"]) == ("Summer@Night7", "one,two")


@pytest.mark.parametrize(
    ("written", "why"),
    [
        ("channel_binding=require", "channel_binding cannot be 'require': faultwire's driver has no channel"),
        ("gssencmode=require", "gssencmode cannot be 'require': faultwire's driver encrypts by TLS alone"),
        ("client_encoding=latin1", "client_encoding cannot be 'latin1': faultwire speaks UTF-8"),
        ("schema=errors", "schema cannot be 'errors': faultwire keeps to a schema of its own"),
        ("sslmode=verify", "sslmode cannot be 'verify'; did you mean verify-"),
        ("sslmod=require", "'sslmod' is no word that faultwire knows there; did you mean sslmode?"),
        ("connection_limit=5", "'connection_limit' is no word that faultwire knows there; "),
        ("connect_timeout=soon", "connect_timeout cannot be 'soon'; write whole seconds"),
        ("sslmode=require&sslmode=disable", "sslmode stands there more than once"),
        ("host=one,two,three&port=1,2", "port cannot be '1,2' for 3 hosts"),
        ("port=0", "port cannot be '0' for 1 hosts"),
        ("hostaddr=10.0.0.9&sslmode=verify-full", "hostaddr cannot stand beside sslmode=verify-full"),
    ],
)
def test_a_word_that_cannot_be_kept_is_named_without_the_password(written: str, why: str) -> None:
    with pytest.raises(DatabaseUrlError) as told:
        parse_database_url(f"postgresql://u:hunter2@one/app?{written}")
    text = str(told.value)
    assert text.startswith(f"postgresql://u:***@one/app?***: {why}")
    assert "\n" not in text


async def test_the_first_host_that_takes_a_connection_gets_it_each_with_the_whole_time() -> None:
    servers = Servers(one=TimeoutError())
    chooser = HostChooser(servers.connect)
    assert await chooser(**HOSTS, timeout=5, user="ada") == "two:2 5 {'user': 'ada'}"
    assert servers.asked == ["one", "two"]


async def test_the_host_that_served_last_is_asked_first() -> None:
    servers = Servers(one=ConnectionRefusedError())
    chooser = HostChooser(servers.connect)
    await chooser(**HOSTS)
    servers.asked.clear()
    servers.reasons.clear()
    await chooser(**HOSTS)
    assert servers.asked == ["two"]
    servers.reasons["two"] = asyncpg.CannotConnectNowError("the database system is starting up")
    assert (await chooser(**HOSTS)).startswith("one")


async def test_where_no_host_will_do_each_says_why() -> None:
    unfit = asyncpg.TargetServerAttributeNotMatched("None of the hosts match")
    chooser = HostChooser(Servers(one=ConnectionRefusedError("refused"), two=unfit).connect)
    with pytest.raises(ConnectionError) as told:
        await chooser(**HOSTS)
    text = str(told.value)
    assert text == ("no host will do: one:1: refused; two:2: it is not what target_session_attrs asks for")


async def test_where_a_host_refuses_the_login_waiting_for_the_others_mends_nothing() -> None:
    servers = Servers(one=ConnectionRefusedError(), two=asyncpg.InvalidPasswordError("wrong password"))
    with pytest.raises(StoreRefusedError, match="two:2: wrong password"):
        await HostChooser(servers.connect)(**HOSTS)


async def test_one_host_is_left_to_the_driver() -> None:
    with pytest.raises(ConnectionRefusedError):
        await HostChooser(Servers(one=ConnectionRefusedError()).connect)(host="one", port=1)


async def test_who_gives_up_waiting_for_a_host_asks_no_other() -> None:
    servers = Servers(one=asyncio.CancelledError())
    with pytest.raises(asyncio.CancelledError):
        await HostChooser(servers.connect)(**HOSTS)
    assert servers.asked == ["one"]


def test_a_worker_without_postgresql_s_driver_is_told_the_extra_that_brings_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("faultwire_consumer.store.contract.url.find_spec", lambda name: None)
    with pytest.raises(DatabaseUrlError, match=r"'faultwire\[consumer,postgres\]'"):
        parse_database_url("postgresql://localhost/faultwire")
    assert parse_database_url("sqlite:///faultwire.db").drivername == "sqlite"
