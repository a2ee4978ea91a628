"""Worker, broker and database are killed under a running SDK: what was answered 200 is stored once."""

import asyncio
import sys
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from subprocess import DEVNULL, PIPE, Popen
from typing import Final
from urllib.error import HTTPError

import pytest
from tests.sdks.reporting import Reported, reporting
from tests.sdks.running import PROGRAMS, environment_of
from tests.sdks.wiretap import Wiretap, tapping
from tests.servers.postgresql import PrivatePostgreSQL
from tests.servers.process import wait_until
from tests.servers.rabbitmq import PrivateRabbitMQ

BETWEEN: Final = 20
"""Events that are answered between two faults."""

Fault = Callable[[Wiretap], None]

pytestmark = pytest.mark.timeout(400)


def taken(tap: Wiretap) -> list[str]:
    """The ids of events that were answered 200, each time that they were."""
    return [
        one.event_id
        for one in list(tap.exchanges)
        if one.status == 200 and one.item_types["event"] and one.event_id is not None
    ]


def wait_for_answers(tap: Wiretap, when: str) -> None:
    goal = len(taken(tap)) + BETWEEN
    wait_until(lambda: len(taken(tap)) >= goal, f"{BETWEEN} events are answered {when}")


def report_through(reported: Reported, home: Path, faults: list[Fault]) -> list[str]:
    """Let an SDK report without a pause while one fault follows the other; the ids that were answered 200."""
    with tapping(reported.worker.port) as tap:
        environment = environment_of(home, {"SENTRY_DSN": tap.through(reported.dsns["pulse"])})
        command = [sys.executable, "-m", f"{PROGRAMS}.pulse"]
        with Popen(command, env=environment, stdin=PIPE, stdout=DEVNULL, stderr=DEVNULL) as program:
            for fault in faults:
                wait_for_answers(tap, "before a fault")
                fault(tap)
            wait_for_answers(tap, "after the last fault")
            assert program.stdin is not None
            program.stdin.close()
            assert program.wait(60) == 0
        return taken(tap)


def see_stored_once(reported: Reported, answered: list[str]) -> None:
    def stored() -> Counter[str]:
        with suppress(HTTPError):  # the database is just back
            return Counter(one["id"].rpartition("_")[2] for one in reported.summaries("pulse"))
        return Counter()

    wait_until(lambda: set(answered) <= stored().keys(), "all that was answered is stored")
    found = stored()
    assert set(found.values()) == {1}
    assert sum(reported.incidents("pulse").values()) == len(found), "and counted once"


def test_the_worker_is_killed_and_started_again(tmp_path: Path) -> None:
    with reporting(dsns=["pulse"]) as reported:

        def kill(_: Wiretap) -> None:
            reported.worker.kill()
            reported.worker.start()

        see_stored_once(reported, report_through(reported, tmp_path, [kill] * 3))


def test_the_broker_is_killed_and_sdks_are_answered_while_it_is_away(
    private_rabbitmq: PrivateRabbitMQ, tmp_path: Path
) -> None:
    with reporting(dsns=["pulse"], broker_url=private_rabbitmq.url) as reported:

        def kill(tap: Wiretap) -> None:
            private_rabbitmq.kill()
            wait_for_answers(tap, "without a broker")
            asyncio.run(private_rabbitmq.start())

        see_stored_once(reported, report_through(reported, tmp_path, [kill]))


def test_the_database_is_killed_and_sdks_are_answered_while_it_is_away(
    private_postgresql: PrivatePostgreSQL, tmp_path: Path
) -> None:
    with reporting(dsns=["pulse"], database_url=private_postgresql.url) as reported:

        def kill(tap: Wiretap) -> None:
            private_postgresql.stop_immediately()
            wait_for_answers(tap, "without a database")
            asyncio.run(private_postgresql.start())

        see_stored_once(reported, report_through(reported, tmp_path, [kill]))
