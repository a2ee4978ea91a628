"""Rules that are read again: when, all of it or nothing, and what stays where that cannot be."""

import asyncio
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs
from tests.tools.clock import FixedClock

from faultwire_consumer.config import WorkerConfig
from faultwire_consumer.domain.policy.policy import Policy
from faultwire_consumer.domain.policy.status import PolicyStatus
from faultwire_consumer.metrics import Metrics
from faultwire_consumer.notify.sender import Sender
from faultwire_consumer.worker.file_watch import FileWatch
from faultwire_consumer.worker.reload import Asking, Reload, read_rules, status_of

HOOK = '[receivers.hook]\ntype = "webhook"\nurl = "https://chat.example/x"\nsecret_file = "{}"\n'
SECRET = "whsec_" + "A" * 32

pytestmark = pytest.mark.may_block("rules and secrets are files")


class Worker:
    """What a worker has in use, with its reload."""

    def __init__(self, rules: Path, clock: FixedClock) -> None:
        self.config = WorkerConfig(rules=rules)
        self.clock, self.asked, self.told = clock, asyncio.Event(), list[PolicyStatus]()
        watch = FileWatch()
        self.policy, self.senders = read_rules(self.config, watch, clock=clock, metrics=Metrics())
        self.status = status_of(self.config, clock)
        asking = Asking(self.asked, lambda: self.config)
        self.reload = Reload(
            self.config, asking, self, watch, metrics=Metrics(), clock=clock, tell=self._tell
        )

    def use(self, policy: Policy, senders: Mapping[str, Sender]) -> None:
        self.policy, self.senders = policy, dict(senders)

    @property
    def receivers(self) -> list[str]:
        return [one.name for one in self.policy.receivers]

    async def look(self, times: int = 2) -> None:
        """Look often enough for a change to stand still, and to be read."""
        for _ in range(times):
            await self.reload.look()

    async def _tell(self, status: PolicyStatus) -> None:
        self.told.append(status)


def write(path: Path, text: str) -> None:
    path.write_text(text)


def log_policy(name: str) -> str:
    return f'[receivers.{name}]\ntype = "log"\n'


@pytest.fixture
def rules(tmp_path: Path) -> Path:
    path = tmp_path / "rules.toml"
    write(path, log_policy("first"))
    return path


@pytest.fixture
def worker(rules: Path, clock: FixedClock) -> Worker:
    return Worker(rules, clock)


async def test_a_changed_file_is_used_without_anybody_s_asking(worker: Worker, rules: Path) -> None:
    await worker.look()
    write(rules, log_policy("second"))
    worker.clock.advance(60)
    await worker.look(1)
    assert worker.receivers == ["first"], "it may still be written"
    await worker.look(1)
    assert worker.receivers == ["second"]
    assert worker.status == PolicyStatus(file=str(rules), read_at=worker.clock())


async def test_a_signal_is_obeyed_at_once(worker: Worker, rules: Path) -> None:
    write(rules, log_policy("second"))
    worker.asked.set()
    await worker.look(1)
    assert worker.receivers == ["second"]
    assert not worker.asked.is_set()


def refusals_in(lines: Iterable[Mapping[str, Any]]) -> int:
    return sum(line["event"] == "worker.not_reloaded" for line in lines)


async def test_a_broken_file_keeps_the_rules_and_is_told_until_it_is_good_again(
    worker: Worker, rules: Path
) -> None:
    read_at = worker.clock()
    write(rules, "receivers = [")
    since = worker.clock.advance(60)
    with capture_logs() as lines:
        await worker.look(5)
    assert refusals_in(lines) == 1, "once for each change"
    assert worker.receivers == ["first"]
    assert worker.status == PolicyStatus(
        file=str(rules), read_at=read_at, wrong=worker.status.wrong, wrong_since=since
    )
    assert f"{rules}:1: not TOML" in str(worker.status.wrong)
    write(rules, "receivers = {")
    worker.clock.advance(60)
    with capture_logs() as lines:
        await worker.look(5)
    assert worker.status.wrong_since == since
    assert refusals_in(lines) == 1
    write(rules, log_policy("second"))
    await worker.look()
    assert (worker.receivers, worker.status.wrong) == (["second"], None)
    assert worker.told[-1] == worker.status


async def test_a_secret_that_changes_is_read_and_one_that_is_gone_keeps_the_old(
    worker: Worker, rules: Path, tmp_path: Path
) -> None:
    secret = tmp_path / "secret"
    write(rules, HOOK.format(secret))
    await worker.look()
    assert "cannot read" in str(worker.status.wrong), "all of it or nothing"
    assert worker.receivers == ["first"]
    write(secret, SECRET)  # the rules themselves stay as they are
    await worker.look()
    assert (worker.receivers, worker.status.wrong) == (["hook"], None)
    before = worker.senders["hook"]
    write(secret, SECRET.replace("A", "B"))
    await worker.look()
    assert worker.senders["hook"] is not before
    secret.unlink()
    before = worker.senders["hook"]
    await worker.look()
    assert "secret_file: cannot read" in str(worker.status.wrong)
    assert worker.senders["hook"] is before
    assert SECRET not in str(worker.status)


async def test_the_file_that_another_setting_names_is_watched_from_then_on(
    worker: Worker, rules: Path, tmp_path: Path
) -> None:
    other = tmp_path / "other.toml"
    write(other, "receivers = [")
    worker.config = WorkerConfig(rules=other)
    worker.asked.set()
    await worker.look()
    assert "other.toml:1" in str(worker.status.wrong)
    write(other, log_policy("third"))
    await worker.look()
    assert worker.receivers == ["third"]
    write(rules, log_policy("fourth"))
    await worker.look()
    assert worker.receivers == ["third"]


def test_the_state_of_the_shipped_policy_names_no_file() -> None:
    at = datetime(2026, 11, 23, tzinfo=UTC)
    assert status_of(WorkerConfig(), lambda: at) == PolicyStatus(file=None, read_at=at)
