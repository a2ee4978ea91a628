"""PostgreSQL's URLs of several hosts, and which of the hosts is asked first."""

import asyncio
from typing import Any

import asyncpg
import pytest

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
    assert url.query["ssl"] == "require"
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


async def test_one_host_is_left_to_the_driver() -> None:
    with pytest.raises(ConnectionRefusedError):
        await HostChooser(Servers(one=ConnectionRefusedError()).connect)(host="one", port=1)


async def test_who_gives_up_waiting_for_a_host_asks_no_other() -> None:
    servers = Servers(one=asyncio.CancelledError())
    with pytest.raises(asyncio.CancelledError):
        await HostChooser(servers.connect)(**HOSTS)
    assert servers.asked == ["one"]
