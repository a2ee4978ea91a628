"""A worker's rules, read again when their files change; with log level and files of TLS when SIGHUP asks."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Final, Protocol

from msgspec import Struct
from msgspec.structs import replace

from faultwire_consumer.config import WorkerConfig
from faultwire_consumer.domain.policy.policy import Policy
from faultwire_consumer.domain.policy.status import PolicyStatus
from faultwire_consumer.metrics import Metrics
from faultwire_consumer.notify.policy_file import PolicyFileError, files_of, read_policy
from faultwire_consumer.notify.sender import Sender
from faultwire_consumer.notify.senders.build import senders_of
from faultwire_consumer.worker.exposition.first_series import show_receivers
from faultwire_consumer.worker.file_watch import FileWatch
from faultwire_consumer.worker.tls_reload import TlsReload
from faultwire_shared.clock import Clock
from faultwire_shared.failure import ConfigurationError
from faultwire_shared.logging.logs import get_logger

POLL_SECONDS: Final = 2.0
"""Time between two looks at the files; a change is read at the second that finds it."""
_READ_AGAIN: Final = ("rules", "log_level")

log = get_logger("faultwire.worker")


class Asking(Struct, frozen=True):
    """The signal, and the way to the configuration as it is now."""

    asked: asyncio.Event
    read: Callable[[], WorkerConfig]
    around: Callable[[], AbstractContextManager[None]] = nullcontext
    """What is said before it is done, and after."""


class InUse(Protocol):
    """The policy in use."""

    policy: Policy
    status: PolicyStatus

    def use(self, policy: Policy, senders: Mapping[str, Sender]) -> None:
        """Put another policy in the place of this one, everywhere at once."""
        ...


class Reload:
    """Puts what can be read again in the place of what is in use, all of it or nothing."""

    def __init__(
        self,
        config: WorkerConfig,
        asking: Asking,
        in_use: InUse,
        watch: FileWatch,
        *,
        metrics: Metrics,
        clock: Clock,
        tell: Callable[[PolicyStatus], Awaitable[None]],
        tls: TlsReload | None = None,
        poll_seconds: float = POLL_SECONDS,
    ) -> None:
        """Prepare.

        Args:
            config: what the worker was started with.
            asking: says when, and reads the configuration.
            in_use: takes the new policy and its senders, and the state of the file.
            watch: has the files that the policy in use was read from.
            metrics: for the senders.
            clock: for the senders.
            tell: tells operators of the state of the file; called at every look, does what is new alone.
            tls: reads the files of TLS.
            poll_seconds: time between two looks at the files.
        """
        self._started_with = self._config = config
        self._asking = asking
        self._in_use = in_use
        self._watch = watch
        self._metrics = metrics
        self._clock = clock
        self._tell = tell
        self._tls = tls or TlsReload()
        self._poll_seconds = poll_seconds

    async def run(self) -> None:
        """Read again whenever it is asked for, or a file has changed, until cancelled."""
        while True:
            await self.look()
            try:
                async with asyncio.timeout(self._poll_seconds):
                    await self._asking.asked.wait()
            except TimeoutError:
                pass

    async def look(self) -> None:
        """Read again if somebody asked for it, or if the files changed and stand still."""
        is_asked = self._asking.asked.is_set()
        self._asking.asked.clear()
        if is_asked or await asyncio.to_thread(self._watch.look):
            with self._asking.around() if is_asked else nullcontext():
                try:
                    await self._read_again(with_settings=is_asked)
                except ConfigurationError as error:
                    self._refuse(error)
        await self._tell(self._in_use.status)

    async def _read_again(self, *, with_settings: bool) -> None:
        # In threads: configuration, policy and secrets are files.
        if with_settings:
            self._config = await asyncio.to_thread(self._asking.read)
        config = self._config
        shown = await asyncio.to_thread(self._tls.read, config) if with_settings else None
        policy, senders = await asyncio.to_thread(
            read_rules, config, self._watch, clock=self._clock, metrics=self._metrics
        )
        self._tls.use(shown)
        self._in_use.use(policy, senders)
        self._in_use.status = status_of(config, self._clock)
        show_receivers(self._metrics, policy)
        self._metrics.state.config_last_reload_successful.set(1)
        logging.getLogger().setLevel(config.log_level)
        log.info(
            "worker.reloaded",
            rules=len(policy.rules),
            receivers=len(policy.receivers),
            log_level=config.log_level,
            wants_restart=self._changed_otherwise(config),
        )

    def _refuse(self, error: ConfigurationError) -> None:
        self._metrics.state.config_last_reload_successful.set(0)
        status = self._in_use.status
        if isinstance(error, PolicyFileError):
            since = status.wrong_since or self._clock()
            self._in_use.status = replace(status, wrong=str(error), wrong_since=since)
        log.warning("worker.not_reloaded", why=str(error))

    def _changed_otherwise(self, config: WorkerConfig) -> list[str]:
        """The settings that differ from the running ones, and are read at a start alone."""
        return [
            name
            for name in WorkerConfig.model_fields
            if name not in _READ_AGAIN and getattr(config, name) != getattr(self._started_with, name)
        ]


def read_rules(
    config: WorkerConfig, watch: FileWatch, *, clock: Clock, metrics: Metrics
) -> tuple[Policy, Mapping[str, Sender]]:
    """Read the policy and its secrets, and have the watch know all of these files as they were before.

    Raises:
        PolicyFileError: the policy or one of its secrets cannot be used; a change of these files is noticed.
    """
    own = frozenset(() if config.rules is None else (config.rules,))
    watch.settle(watch.files | own)
    policy = read_policy(config.rules)
    files = own | frozenset(files_of(policy))
    if not files <= watch.files:
        watch.settle(watch.files | files)
        policy = read_policy(config.rules)
    senders = senders_of(policy, clock=clock, metrics=metrics)
    watch.keep(own | frozenset(files_of(policy)))
    return policy, senders


def status_of(config: WorkerConfig, clock: Clock) -> PolicyStatus:
    """Return the state of a policy that was just read."""
    return PolicyStatus(file=None if config.rules is None else str(config.rules), read_at=clock())
