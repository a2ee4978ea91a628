"""What an orchestrator is told while a dependency is frozen: an answer, the right one, and no secret."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import pytest
from aiohttp import ClientSession, ClientTimeout
from tests.servers.postgresql import PrivatePostgreSQL
from tests.servers.rabbitmq import PrivateRabbitMQ
from tests.tools.waiting import until
from tests.tools.worker_process import WorkerProcess, command, running

ANSWER_SECONDS: Final = 10.0
"""Ten times the promised second, for a machine that does other work."""
PROBES: Final = ("/livez", "/readyz", "/startupz")


async def probe(session: ClientSession, url: str) -> tuple[int, dict[str, str], str]:
    """Status, the checks that failed with their errors, and the whole text."""
    async with session.get(url) as answer:
        report: dict[str, Any] = await answer.json()
        failed = {one["name"]: one["error"] for one in report["checks"] if one["status"] == "fail"}
        return answer.status, failed, await answer.text()


async def assert_answers(
    worker: WorkerProcess, *, ready: Callable[[dict[str, str]], bool], secrets: tuple[str, ...]
) -> None:
    """Ask, many at a time, until readiness is as it should be; every answer comes and tells no secret."""
    limit = ClientTimeout(total=ANSWER_SECONDS)
    async with ClientSession(timeout=limit) as session:

        async def is_told() -> bool:
            answers = await asyncio.gather(
                *(probe(session, worker.url + path) for path in PROBES for _ in range(20))
            )
            assert all(status == 200 for status, _, _ in answers[:20]), "a live worker is restarted"
            assert all(status == 200 for status, _, _ in answers[40:]), "what has come up has come up"
            assert not any(secret in text for _, _, text in answers for secret in secrets)
            return all(
                ready(failed) and (status == 503) == bool(failed) for status, failed, _ in answers[20:40]
            )

        await until(is_told, "readiness follows the dependency", seconds=60)


@pytest.mark.e2e
async def test_probes_answer_while_the_database_or_the_broker_is_frozen(
    private_rabbitmq: PrivateRabbitMQ, private_postgresql: PrivatePostgreSQL, tmp_path: Path
) -> None:
    broker_url = private_rabbitmq.add_user(configure=".*", write=".*", read=".*")
    passwords = tuple(
        url.partition("://")[2].rpartition("@")[0] for url in (broker_url, private_postgresql.url)
    )
    worker = WorkerProcess(tmp_path, database_url=private_postgresql.url, broker_url=broker_url)
    await command("db", "upgrade", cwd=tmp_path, FAULTWIRE_DATABASE_URL=private_postgresql.url)
    async with running(worker):
        await assert_answers(worker, ready=lambda failed: not failed, secrets=passwords)

        private_postgresql.pause()
        await assert_answers(worker, ready=lambda failed: set(failed) == {"store"}, secrets=passwords)
        code, out, error = await command("health", "-q", FAULTWIRE_URL=worker.url)
        assert (code, out) == (1, "")
        assert error.startswith("faultwire: the worker answers 503: store: ")
        private_postgresql.resume()
        await assert_answers(worker, ready=lambda failed: not failed, secrets=passwords)
        sessions = private_postgresql.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'faultwire%'"
        )
        assert int(sessions) <= 12, "probes pile up no connections"

        private_rabbitmq.pause()
        await assert_answers(worker, ready=lambda failed: "broker" in failed, secrets=passwords)
        private_rabbitmq.resume()
        await assert_answers(worker, ready=lambda failed: not failed, secrets=passwords)
        assert await command("health", "-q", FAULTWIRE_URL=worker.url) == (0, "", "")
