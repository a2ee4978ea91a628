"""Which errors say that what was called is away."""

import errno
import socket
import sqlite3

import aiohttp
import django.db.utils as django_errors
import pytest
import requests
from multidict import CIMultiDict, CIMultiDictProxy
from sqlalchemy.exc import DBAPIError, OperationalError
from yarl import URL

from faultwire import BusinessError, DatabaseConnectionError, ExternalError, NotFoundError, register_exception
from faultwire_shared.event import Category
from faultwire_shared.resilience.outage import is_outage, is_transient
from faultwire_shared.taxonomy import classify


class PostgresError(Exception):
    def __init__(self, sqlstate: str) -> None:
        super().__init__(sqlstate)
        self.sqlstate = sqlstate


class RequestsAnswer:
    def __init__(self, status_code: int) -> None:
        self.status_code = status_code


class RequestsError(Exception):
    """Carries its status as those of requests and httpx do."""

    def __init__(self, status_code: int) -> None:
        super().__init__(status_code)
        self.response = RequestsAnswer(status_code)


class CardError(Exception):
    """Somebody else's, registered as external."""


register_exception(CardError, Category.EXTERNAL)


class MySQLError(Exception):
    """Carries its number as those of pymysql do."""

    __module__ = "pymysql.err"


def wrapped(cause: Exception, kind: type[Exception] = django_errors.OperationalError) -> Exception:
    """As Django raises what a driver has raised."""
    try:
        try:
            raise cause  # noqa: TRY301 - as a driver does, below what wraps it
        except Exception as error:
            raise kind(*error.args) from error
    except Exception as error:  # noqa: BLE001 - it is what the test is about
        return error


def _answered(status: int) -> aiohttp.ClientResponseError:
    url = URL("http://localhost/")
    request = aiohttp.RequestInfo(url, "GET", CIMultiDictProxy(CIMultiDict()), url)
    return aiohttp.ClientResponseError(request, (), status=status)


@pytest.mark.parametrize(
    "error",
    [
        ExternalError("card gateway"),
        DatabaseConnectionError("away"),
        CardError("away"),
        *(PostgresError(state) for state in ("08006", "53300", "57P01")),
        DBAPIError("SELECT 1", {}, Exception("gone"), connection_invalidated=True),
        ConnectionRefusedError(errno.ECONNREFUSED, "refused"),
        TimeoutError(),
        socket.gaierror("no such host"),
        aiohttp.ServerDisconnectedError(),
        *(_answered(status) for status in (429, 500, 503)),
        RequestsError(502),
        wrapped(PostgresError("57P01")),
        wrapped(wrapped(PostgresError("08006"))),
        *(MySQLError(number, "gone") for number in (2006, 2013, 1053)),
        wrapped(MySQLError(2006, "MySQL server has gone away")),
        requests.ConnectionError("refused"),
        aiohttp.ClientPayloadError("cut off"),
    ],
    ids=repr,
)
def test_what_the_next_call_would_meet_too_is_an_outage(error: Exception) -> None:
    assert is_outage(error)


@pytest.mark.parametrize(
    "error",
    [
        BusinessError("no"),
        NotFoundError("none"),
        *(PostgresError(state) for state in ("40001", "40P01", "23505")),
        OperationalError("SELECT 1", {}, PostgresError("40001")),
        OperationalError("SELECT 1", {}, sqlite3.OperationalError("no such table: orders")),
        sqlite3.OperationalError("database is locked"),
        *(_answered(status) for status in (400, 404, 422, 501)),
        RequestsError(404),
        wrapped(PostgresError("40001")),
        wrapped(PostgresError("23505"), django_errors.DatabaseError),
        wrapped(sqlite3.OperationalError("no such table: orders")),
        MySQLError(1205, "Lock wait timeout exceeded"),
        MySQLError(1045, "Access denied"),
        OSError(errno.ENOSPC, "disk full"),
        ValueError("no"),
    ],
    ids=repr,
)
def test_what_is_an_answer_is_no_outage_contention_among_it(error: Exception) -> None:
    assert not is_outage(error)


@pytest.mark.parametrize(
    "error",
    [
        wrapped(PostgresError("57P01")),
        wrapped(PostgresError("40001")),
        wrapped(sqlite3.OperationalError("database is locked")),
        wrapped(MySQLError(2013, "Lost connection")),
        MySQLError(1213, "Deadlock found"),
    ],
    ids=repr,
)
def test_what_a_wrapper_stands_for_is_tried_again_as_the_drivers_own_is(error: Exception) -> None:
    assert is_transient(error)


def test_an_error_that_is_its_own_cause_is_looked_at_and_left() -> None:
    error = django_errors.OperationalError("odd")
    error.__cause__ = error
    assert not is_transient(error)


@pytest.mark.parametrize(
    "error",
    [
        requests.exceptions.MissingSchema("no scheme"),
        requests.exceptions.InvalidHeader("a line break"),
        requests.exceptions.JSONDecodeError("Expecting value", "<html>", 0),
        aiohttp.InvalidURL("http:///"),
    ],
    ids=repr,
)
def test_a_mistake_of_ones_own_is_no_outage_and_nobody_elses_fault(error: Exception) -> None:
    assert not is_outage(error)
    assert (classify(error).category, classify(error).status) == (Category.SYSTEM, 500)


def test_the_mistakes_of_a_library_that_is_not_here_are_known_by_their_names() -> None:
    class TransportError(Exception):
        __module__ = "httpx"

    class UnsupportedProtocol(TransportError):  # noqa: N818 - httpx calls it so
        __module__ = "httpx"

    for kind in (TransportError, UnsupportedProtocol):
        kind.__qualname__ = kind.__name__
    assert is_outage(TransportError("away"))
    assert not is_outage(UnsupportedProtocol("ftp://"))


def test_a_wrapper_of_a_lost_connection_is_answered_as_the_database_being_away() -> None:
    assert classify(wrapped(PostgresError("57P01"))).code == "DATABASE_UNAVAILABLE"
