"""Two workers whose page and API ask a read replica: who acts sees it at once, at either of them."""

import json
import urllib.request
from collections.abc import Callable
from http.cookiejar import CookieJar
from pathlib import Path
from typing import Any

import pytest
from tests.servers.process import wait_until
from tests.servers.replication import ReplicatedPostgreSQL
from tests.servers.worker import Worker
from tests.tools.factories import wire_event


class Browser:
    """Keeps cookies, as one does behind a balancer whatever worker answers."""

    def __init__(self) -> None:
        # A cookie has no port: one worker's is sent to the other on the same host.
        self._opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(CookieJar()))

    def ask(self, worker: Worker, path: str, body: bytes | None = None) -> str:
        headers = {"Content-Type": "application/json"}
        request = urllib.request.Request(f"{worker.url}{path}", body, headers)  # noqa: S310 - our own http
        with self._opener.open(request, timeout=60) as response:
            text: str = response.read().decode()
            return text

    def statuses(self, worker: Worker) -> dict[str, str]:
        """Of every incident."""
        incidents: list[dict[str, Any]] = json.loads(self.ask(worker, "/api/v1/incidents"))["incidents"]
        return {one["id"]: one["status"] for one in incidents}


@pytest.mark.e2e
@pytest.mark.timeout(300)
def test_a_replica_that_lags_shows_no_operator_less_than_they_did(
    replicated_postgresql: ReplicatedPostgreSQL, tmp_path: Path
) -> None:
    pair, workers = replicated_postgresql, []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        worker = Worker(tmp_path / name, database_url=pair.url)
        worker.environment["FAULTWIRE_DATABASE_READ_URL"] = pair.standby.url
        workers.append(worker)
    one, two = workers
    one.prepare()
    for worker in workers:
        worker.start()
    body = json.dumps(wire_event(message="the first")).encode()
    Browser().ask(one, "/ingest/v1/events", body)
    pair.wait_for_replay()
    for worker in workers:
        wait_until(_is_used(worker), "the replica answers")

    pair.pause_replay()
    operator, colleague = Browser(), Browser()
    operator.ask(one, "/api/v1/incidents/INC-1/acknowledge", b"{}")
    assert operator.statuses(one) == {"INC-1": "acknowledged"}
    assert operator.statuses(two) == {"INC-1": "acknowledged"}
    # Proof that the others' queries go to the replica: it does not know yet.
    assert colleague.statuses(two) == {"INC-1": "open"}
    # The worker that it went through says it to everybody, as to a command that keeps no cookies.
    assert colleague.statuses(one) == {"INC-1": "acknowledged"}
    assert one.command("incidents", "list", "--status", "acknowledged").count("INC-1") == 1

    pair.stop_standby()
    for worker in workers:
        wait_until(_lacks_the_replica(worker), "the worker says what it lacks")
    assert "readyz check passed" in _ready(two)
    assert "warn" in two.command("health")
    assert colleague.statuses(two) == {"INC-1": "acknowledged"}
    for worker in workers:
        assert worker.terminate() == 0
        assert worker.log.read_text().count("replica.left") == 1


def _ready(worker: Worker) -> str:
    return Browser().ask(worker, "/readyz?verbose")


def _lacks_the_replica(worker: Worker) -> Callable[[], bool]:
    return lambda: "[!]read replica degraded" in _ready(worker)


def _is_used(worker: Worker) -> Callable[[], bool]:
    def holds() -> bool:
        # Not only within its bound but caught up: a worker takes it no earlier.
        behind = "faultwire_replica_behind_seconds 0.0" in Browser().ask(worker, "/metrics")
        return behind and "[+]read replica ok" in _ready(worker)

    return holds
