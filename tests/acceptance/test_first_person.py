"""The first person at a new worker: invited by a command, in by the link, known from then on."""

from collections.abc import Iterator
from contextlib import contextmanager
from http.cookiejar import CookieJar
from urllib.error import HTTPError
from urllib.parse import parse_qs, urlencode, urlsplit
from urllib.request import HTTPCookieProcessor, OpenerDirector, ProxyHandler, Request, build_opener

import pytest
from tests.servers.postgresql import PostgreSQL
from tests.servers.process import temporary_home
from tests.servers.worker import Worker

from faultwire_consumer.web.page.incidents.visit import VISIT_COOKIE

pytestmark = pytest.mark.may_block("plays a person at a terminal and a browser")

PASSWORD = "correct horse battery"  # noqa: S105 - a test's own


@contextmanager
def prepared(database_url: str | None) -> Iterator[Worker]:
    """A worker at which people sign in, not yet started."""
    with temporary_home("people") as home:
        worker = Worker(home, database_url=database_url)
        worker.environment["FAULTWIRE_ACCESS"] = "login"
        worker.prepare()
        yield worker


@pytest.fixture(params=["sqlite", "postgresql"])
def login_worker(request: pytest.FixtureRequest) -> Iterator[Worker]:
    """On each database."""
    url = request.getfixturevalue("postgresql").url if request.param == "postgresql" else None
    with prepared(url) as worker:
        yield worker
        worker.kill()


class _Person:
    """A browser with cookies of its own."""

    def __init__(self, root: str) -> None:
        self._root = root
        self.cookies = CookieJar()
        self._opener: OpenerDirector = build_opener(ProxyHandler({}), HTTPCookieProcessor(self.cookies))

    def ask(self, path: str, **form: str) -> tuple[int, str, str]:
        """The status at the end of the way, where that ended, and what stands there."""
        body = urlencode(form).encode() if form else None
        headers = {"Accept": "text/html", "Origin": self._root}
        request = Request(f"{self._root}{path}", data=body, headers=headers)  # noqa: S310 - our own http
        try:
            with self._opener.open(request, timeout=60) as answer:
                return answer.status, urlsplit(answer.url).path, answer.read().decode()
        except HTTPError as refusal:
            with refusal:
                return refusal.code, urlsplit(refusal.url).path, refusal.read().decode()


def test_the_first_person_gets_in_by_a_command_and_nobody_by_being_first(login_worker: Worker) -> None:
    worker = login_worker
    if worker.environment["FAULTWIRE_DATABASE_URL"].startswith("sqlite"):
        link = worker.command("access", "invite", "ada", "--role", "admin").strip()
        worker.start()
    else:
        worker.start()
        assert "faultwire access invite NAME --role admin" in worker.log.read_text()
        link = worker.command("access", "invite", "ada", "--role", "admin").strip()
    assert link.startswith(f"{worker.url}/invitation?link=")
    person = _Person(worker.url)
    assert person.ask("/")[:2] == (200, "/sign-in")
    assert person.ask("/sign-in", name="ada", password=PASSWORD)[0] == 401
    secret = parse_qs(urlsplit(link).query)["link"][0]
    status, path, page = person.ask("/invitation", link=secret, password=PASSWORD, again=PASSWORD)
    assert (status, path, "Sign out" in page) == (200, "/", True)
    assert [(one.name, one.secure) for one in person.cookies if one.name != VISIT_COOKIE] == [
        ("faultwire", False)
    ]
    other = _Person(worker.url)
    assert other.ask("/invitation", link=secret, password=PASSWORD, again=PASSWORD)[0] == 410
    assert other.ask("/sign-in", name="ada", password=PASSWORD)[:2] == (200, "/")
    assert other.ask("/sign-out", x="y")[:2] == (200, "/sign-in")
    assert person.ask("/dead-letters")[0] == 200
    told = worker.command("access", "audit", "--json")
    for action in ("worker.started", "account.invited", "account.password_set", "session.opened"):
        assert action in told
    assert PASSWORD not in told + worker.log.read_text()
    assert secret not in told + worker.log.read_text()


@pytest.mark.e2e
def test_two_workers_know_the_same_people(postgresql: PostgreSQL) -> None:
    with prepared(postgresql.url) as first, prepared(postgresql.url) as second:
        try:
            first.start()
            second.start()
            link = second.command("access", "invite", "ada", "--role", "viewer").strip()
            secret = parse_qs(urlsplit(link).query)["link"][0]
            person, elsewhere = _Person(first.url), _Person(second.url)
            person.ask("/invitation", link=secret, password=PASSWORD, again=PASSWORD)
            (cookie,) = (one for one in person.cookies if one.name != VISIT_COOKIE)
            elsewhere.cookies.set_cookie(cookie)
            assert elsewhere.ask("/")[:2] == (200, "/")
            second.command("access", "disable", "ada")
            assert person.ask("/")[:2] == (200, "/sign-in")
            assert elsewhere.ask("/")[:2] == (200, "/sign-in")
        finally:
            first.kill()
            second.kill()
