"""Whatever dies between the commit and the mark: everybody is told, and a repetition has the same key."""

import asyncio
import signal
import sys
from collections import Counter
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final, Protocol

import pytest
from aiohttp import ClientError
from sqlalchemy import select
from tests.faults import dispatching
from tests.faults.hook import TYPES, listening
from tests.servers.postgresql import PostgreSQL
from tests.servers.process import ServerProcess
from tests.servers.worker import clean_environment
from tests.tools.factories import wire_body
from tests.tools.waiting import until
from tests.tools.worker_process import WorkerProcess

from faultwire_consumer.domain.notification import NotificationKind, NotificationReason
from faultwire_consumer.domain.policy.text import parse_policy
from faultwire_consumer.metrics import Metrics
from faultwire_consumer.notify.dispatcher import AT_ONCE, LEASE_SECONDS, Dispatcher
from faultwire_consumer.notify.policy_file import shipped_text
from faultwire_consumer.notify.senders.build import senders_of
from faultwire_consumer.store.contract.store import Store
from faultwire_consumer.store.engine import open_store
from faultwire_consumer.store.outbox.enqueue import NewNotification, enqueue
from faultwire_consumer.store.schema.notify import outbox, outbox_attempts
from faultwire_shared.event import ErrorSeverity
from faultwire_shared.failpoint import FAILPOINTS, VARIABLE

KEY: Final = "critical:INC-1:1:new:hook"
ALERTS: Final = 400
DISPATCHER: Final = sorted(name for name in FAILPOINTS if name.startswith("dispatcher."))

pytestmark = [pytest.mark.may_block("starts processes"), pytest.mark.timeout(240)]


class Told(Protocol):
    """A receiver, and the keys of what it was told."""

    @property
    def keys(self) -> list[str]: ...


async def kill_worker_at(name: str, policy: str, home: Path) -> str:
    """Send one critical event to a worker that dies at a failpoint; the database it leaves."""
    (home / "rules.toml").write_text(policy)
    url = f"sqlite:///{home / 'faultwire.db'}"
    worker = WorkerProcess(home, database_url=url, FAULTWIRE_RULES=str(home / "rules.toml"))
    await worker.launch(**{VARIABLE: name})

    async def is_taken() -> bool:
        with suppress(ClientError, OSError):
            await worker.post("/ingest/v1/events", wire_body(severity="critical"))
            return True
        return not worker.is_running

    await until(is_taken, "the worker takes the event, or is dead", seconds=60)
    assert await worker.wait_for_death() == -signal.SIGKILL
    return url


async def take_over(url: str, hook: Told, text: str, *, after: float) -> list[str]:
    """What a dispatcher that starts so many seconds later still sends."""
    policy = parse_policy(text, shipped=shipped_text())
    senders = senders_of(policy, clock=lambda: datetime.now(UTC))
    store, before = await open_store(url), len(hook.keys)
    dispatcher = Dispatcher(
        store, senders, metrics=Metrics(), clock=lambda: datetime.now(UTC) + timedelta(seconds=after)
    )
    await dispatcher.run_once()
    rows = await store.read(select(outbox.c.state).where(outbox.c.idempotency_key == KEY))
    assert [row.state for row in rows] == ["sent"]
    for sender in senders.values():
        await sender.aclose()
    await store.close()
    return hook.keys[before:]


@pytest.mark.line(17)
async def test_a_crash_between_commit_and_alert_costs_nothing_and_needs_no_lease(
    tmp_path: Path,
) -> None:
    async with listening() as hook:
        url = await kill_worker_at("worker.committed", hook.policy, tmp_path)
        assert hook.keys == []
        assert await take_over(url, hook, hook.policy, after=0) == [KEY]


@pytest.mark.line(18)
@pytest.mark.parametrize("name", DISPATCHER)
async def test_a_crash_between_claim_send_and_mark_costs_no_alert_and_repeats_one_at_most(
    name: str, tmp_path: Path
) -> None:
    await crash_and_take_over("webhook", name, tmp_path)


@pytest.mark.e2e
@pytest.mark.line(18)
@pytest.mark.parametrize("name", DISPATCHER)
@pytest.mark.parametrize("kind", [kind for kind in TYPES if kind != "webhook"])
async def test_a_crash_on_the_way_costs_no_alert_whatever_type_the_receiver_has(
    kind: str, name: str, tmp_path: Path
) -> None:
    await crash_and_take_over(kind, name, tmp_path)


async def crash_and_take_over(kind: str, name: str, home: Path) -> None:
    had = {"dispatcher.claimed": 0, "dispatcher.sending": 0, "dispatcher.sent": 1, "dispatcher.marked": 1}
    async with listening() as hook:
        policy = hook.policy_as(kind)
        url = await kill_worker_at(name, policy, home)
        assert hook.keys == [KEY] * had[name]
        again = await take_over(url, hook, policy, after=LEASE_SECONDS + 5)
        assert again == ([] if name == "dispatcher.marked" else [KEY])


@pytest.mark.e2e
@pytest.mark.line(19)
async def test_four_dispatchers_one_of_them_frozen_for_longer_than_its_lease(
    database: PostgreSQL, tmp_path: Path
) -> None:
    store = await open_store(database.url)
    try:
        await four_dispatchers(store, database, tmp_path)
    finally:
        await store.close()


async def four_dispatchers(store: Store, database: PostgreSQL, tmp_path: Path) -> None:
    await fill_outbox(store)
    log = tmp_path / "sent.log"
    command = [sys.executable, dispatching.__file__, database.url, str(log)]
    environment = clean_environment(tmp_path) | {"PYTHONPATH": str(Path(__file__).parents[2])}
    processes = [
        await asyncio.to_thread(ServerProcess, command, environment, tmp_path / f"{number}.log")
        for number in range(4)
    ]
    try:
        frozen = await freeze_one(log, processes)
        lease_ends_at = asyncio.get_running_loop().time() + dispatching.LEASE_SECONDS
        await until(lambda: is_sent(store, ALERTS - AT_ONCE), "the others send what they can", seconds=120)
        await until(lambda: has_passed(lease_ends_at), "its lease is over", seconds=60)
        await asyncio.to_thread(frozen.resume)
        await until(lambda: is_sent(store, ALERTS), "everything is sent", seconds=120)
    finally:
        for process in processes:
            await asyncio.to_thread(process.end, signal.SIGTERM)
    sent = Counter(line.split()[1] for line in lines_of(log))
    assert set(sent) == {f"key-{number}" for number in range(ALERTS)}
    assert sum(sent.values()) - ALERTS <= AT_ONCE, "only what the frozen one had is sent twice"
    attempts = await store.read(select(outbox_attempts.c.outbox_id))
    # An attempt is written down with its claim: what froze, or met SIGTERM, may not have come to send.
    beyond = len(attempts) - sum(sent.values())
    assert 0 <= beyond <= AT_ONCE, "what was begun is recorded; only what the frozen one lost is not sent"


async def fill_outbox(store: Store) -> None:
    """Hundreds of digests: no throttle and no gathering makes them fewer."""
    now = datetime.now(UTC)
    async with store.write() as tx:
        await enqueue(
            tx,
            [
                NewNotification(
                    idempotency_key=f"key-{number}",
                    receiver="log",
                    rule="all",
                    kind=NotificationKind.DIGEST,
                    reason=NotificationReason.SCHEDULED,
                    incident_id=None,
                    severity=ErrorSeverity.MEDIUM,
                    urgent=False,
                    created_at=now,
                    due_at=now,
                )
                for number in range(ALERTS)
            ],
        )


async def freeze_one(log: Path, processes: list[ServerProcess]) -> ServerProcess:
    """Stop, in the middle of its work, a process that has sent something."""

    async def has_sent() -> bool:
        return len(lines_of(log)) > 3 * AT_ONCE

    await until(has_sent, "somebody has sent something", seconds=90)
    pid = int(lines_of(log)[-1].split()[0])
    frozen = next(process for process in processes if process.pid == pid)
    await asyncio.to_thread(frozen.pause)
    return frozen


def lines_of(log: Path) -> list[str]:
    return log.read_text().splitlines() if log.exists() else []


async def has_passed(moment: float) -> bool:
    return asyncio.get_running_loop().time() > moment


async def is_sent(store: Store, least: int) -> bool:
    rows = await store.read(select(outbox.c.id).where(outbox.c.state == "sent"))
    return len(rows) >= least
