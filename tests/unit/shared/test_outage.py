"""Which errors say that what was called is away."""

import errno
import socket
import sqlite3

import aiohttp
import pytest
from multidict import CIMultiDict, CIMultiDictProxy
from sqlalchemy.exc import DBAPIError, OperationalError
from yarl import URL

from faultwire import BusinessError, DatabaseConnectionError, ExternalError, NotFoundError, register_exception
from faultwire_shared.event import Category
from faultwire_shared.resilience.outage import is_outage


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
        OSError(errno.ENOSPC, "disk full"),
        ValueError("no"),
    ],
    ids=repr,
)
def test_what_is_an_answer_is_no_outage_contention_among_it(error: Exception) -> None:
    assert not is_outage(error)
