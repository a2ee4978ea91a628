"""A worker's rules and its log's level, read again when SIGHUP asks for it, while everything goes on."""

import asyncio
import logging
from collections.abc import Callable, Mapping

from msgspec import Struct

from faultwire_consumer.config import WorkerConfig
from faultwire_consumer.domain.policy.policy import Policy
from faultwire_consumer.metrics import Metrics
from faultwire_consumer.notify.policy_file import read_policy
from faultwire_consumer.notify.sender import Sender
from faultwire_consumer.notify.senders.build import senders_of
from faultwire_shared.clock import Clock
from faultwire_shared.failure import ConfigurationError
from faultwire_shared.logging.logs import get_logger

_READ_AGAIN = ("rules", "log_level")

log = get_logger("faultwire.worker")


class Asking(Struct, frozen=True):
    """The signal, and the way to the configuration as it is now."""

    asked: asyncio.Event
    read: Callable[[], WorkerConfig]


class Reload:
    """Puts what can be read again in the place of what is in use, all of it or nothing."""

    def __init__(
        self,
        config: WorkerConfig,
        asking: Asking,
        *,
        use: Callable[[Policy, Mapping[str, Sender]], None],
        metrics: Metrics,
        clock: Clock,
    ) -> None:
        """Prepare.

        Args:
            config: what the worker was started with.
            asking: says when, and reads the configuration.
            use: takes the new policy and its senders, at once.
            metrics: for the senders.
            clock: for the senders.
        """
        self._config = config
        self._asking = asking
        self._use = use
        self._metrics = metrics
        self._clock = clock

    async def run(self) -> None:
        """Read again whenever it is asked for, until cancelled."""
        while True:
            await self._asking.asked.wait()
            self._asking.asked.clear()
            try:
                await self._read_again()
            except ConfigurationError as error:
                log.warning("worker.not_reloaded", why=str(error))

    async def _read_again(self) -> None:
        # In threads: configuration, policy and secrets are files.
        config = await asyncio.to_thread(self._asking.read)
        policy = await asyncio.to_thread(read_policy, config.rules)
        senders = await asyncio.to_thread(senders_of, policy, clock=self._clock, metrics=self._metrics)
        self._use(policy, senders)
        logging.getLogger().setLevel(config.log_level)
        log.info(
            "worker.reloaded",
            rules=len(policy.rules),
            receivers=len(policy.receivers),
            log_level=config.log_level,
            wants_restart=self._changed_otherwise(config),
        )

    def _changed_otherwise(self, config: WorkerConfig) -> list[str]:
        """The settings that differ from the running ones, and are read at a start alone."""
        return [
            name
            for name in WorkerConfig.model_fields
            if name not in _READ_AGAIN and getattr(config, name) != getattr(self._config, name)
        ]
