"""A sender whose notifications are written by its receiver's own templates first."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Final

from msgspec import structs

from faultwire_consumer.metrics import Metrics
from faultwire_consumer.notify.frames import FRAMES_SHOWN
from faultwire_consumer.notify.notification import Notification
from faultwire_consumer.notify.sender import Outcome, Sender
from faultwire_consumer.notify.wording.own_templates import OwnTemplates
from faultwire_consumer.notify.wording.template import TemplateFaultError
from faultwire_shared.logging.logs import get_logger

FAULTS_KEPT: Final = 10

log = get_logger(__name__)


class WordedSender:
    """Writes with the own templates, and sends by another sender; a broken one leaves the built-in words.

    Args:
        inner: sends.
        templates: write.
        metrics: count what could not be written; None where nobody asks, as in a check.
    """

    frames_shown: Final = FRAMES_SHOWN

    def __init__(self, inner: Sender, templates: OwnTemplates, metrics: Metrics | None = None) -> None:
        self._inner = inner
        self._templates = templates
        self._metrics = metrics
        self._faults: dict[str, None] = {}
        self._tell(templates.faults)

    @property
    def name(self) -> str:
        """Its receiver's."""
        return self._inner.name

    @property
    def faults(self) -> Sequence[str]:
        """The faults of the templates, each once: those of the files, then those met while sending."""
        return tuple(self._faults)

    async def send(self, notification: Notification) -> Outcome:
        """Write it and send it, once. In a thread, as a template takes its time."""
        worded = await asyncio.to_thread(self._templates.word, notification)
        self._tell(worded.faults)
        return await self._inner.send(structs.replace(notification, wording=worded.wording))

    async def aclose(self) -> None:
        """Close the sender beneath."""
        await self._inner.aclose()

    def _tell(self, faults: Sequence[TemplateFaultError]) -> None:
        """Count each, and log each once for as long as the templates stay the same."""
        for fault in faults:
            if self._metrics is not None:
                self._metrics.templates_failed.labels(receiver=self.name).inc()
            if str(fault) in self._faults or len(self._faults) >= FAULTS_KEPT:
                continue
            self._faults[str(fault)] = None
            if self._metrics is not None:
                log.warning("notification.template_failed", receiver=self.name, why=str(fault))


def template_faults(senders: Mapping[str, Sender]) -> dict[str, str]:
    """Return what is wrong with receivers' templates, by their names; nothing of whole ones."""
    found = {name: one.faults for name, one in senders.items() if isinstance(one, WordedSender)}
    return {name: "; ".join(faults) for name, faults in found.items() if faults}
