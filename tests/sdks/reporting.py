"""A worker for real SDKs to report to, and what its API says of what arrived."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Final
from urllib.parse import urlencode

from tests.servers.process import temporary_home
from tests.servers.worker import Worker

_PAGE: Final = 1000


class Reported:
    """A worker that runs; a DSN or a token for each service is made before, with its own command."""

    def __init__(self, worker: Worker, dsns: Mapping[str, str], tokens: Mapping[str, str]) -> None:
        self.worker = worker
        self.dsns = dsns
        self.tokens = tokens

    def events(self, service: str) -> list[dict[str, Any]]:
        """Every event of a service whole, the oldest first."""
        found = reversed(self.summaries(service))
        return [self.worker.get(f"/api/v1/events/{one['id']}") for one in found]

    def summaries(self, service: str) -> list[dict[str, Any]]:
        """Every event of a service as lists show it, the newest first."""
        query = urlencode({"service": service, "limit": _PAGE})
        found: list[dict[str, Any]] = self.worker.get(f"/api/v1/events?{query}")["events"]
        return found

    def wait_for(self, service: str, count: int) -> list[dict[str, Any]]:
        """Wait until so many events of a service are stored, and give all that are."""

        def are_stored() -> bool:
            return sum(self.incidents(service).values()) >= count

        self.worker.process.wait_until(are_stored, f"{count} events of {service}")
        return self.events(service)

    def incidents(self, service: str) -> Counter[str]:
        """How often each of a service's incidents occurred, by title; two of a title are told apart."""
        query = urlencode({"service": service, "limit": 100})
        found = self.worker.get(f"/api/v1/incidents?{query}")["incidents"]
        titles = Counter(one["title"] for one in found)
        return Counter(
            {
                one["title"] if titles[one["title"]] == 1 else f"{one['title']} ({one['id']})": one["count"]
                for one in found
            }
        )


@contextmanager
def reporting(
    *,
    dsns: Sequence[str] = (),
    tokens: Sequence[str] = (),
    broker_url: str | None = None,
    database_url: str | None = None,
) -> Iterator[Reported]:
    """A worker without a broker and on a file of its own, if nothing else is said."""
    with temporary_home("sdks") as home:
        worker = Worker(home, broker_url=broker_url, database_url=database_url)
        worker.prepare()
        made = {service: _make_dsn(worker, service) for service in dsns}
        shown = {service: _make_token(worker, service) for service in tokens}
        worker.start()
        try:
            yield Reported(worker, made, shown)
        finally:
            worker.terminate()


def _make_dsn(worker: Worker, service: str) -> str:
    return worker.command("access", "token", "create", "--sentry-dsn", service).strip()


def _make_token(worker: Worker, service: str) -> str:
    scope = ("--scope", "ingest", "--service", service)
    return worker.command("access", "token", "create", service, *scope).strip()


def only(events: Sequence[dict[str, Any]], kind: str) -> list[dict[str, Any]]:
    """The events whose raised exception is of a type."""
    return [one for one in events if one.get("exceptions") and one["exceptions"][0]["type"] == kind]


def crash_of(event: dict[str, Any], *, cause: int = 0) -> tuple[str, str]:
    """The function in which an exception of an event was raised, and the line that ran."""
    frame = event["exceptions"][cause]["frames"][-1]
    context = frame.get("context") or [""]
    return frame["qualname"], context[len(context) // 2].strip()


def is_handled(event: dict[str, Any]) -> bool:
    """Whether somebody caught it, which an event says only where nobody did."""
    handled: bool = event.get("handled", True)
    return handled
