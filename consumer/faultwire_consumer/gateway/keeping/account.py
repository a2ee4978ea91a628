"""The fate of spooled events whose process died or whose file was damaged, for the log."""

from faultwire.audit.loss import LossReason
from faultwire_shared.logging.logs import get_logger

log = get_logger("faultwire.gateway")


class SpoolAccount:
    """Told by the spool's recovery; everything here is told in its one thread."""

    def __init__(self) -> None:
        self._sought = 0

    def seek(self, events: int) -> None:
        """Our own file is damaged, and so many events are looked for in it."""
        self._sought = events

    def adopt(self, *, events: int) -> None:
        """Events of a process that died are ours now."""
        if events:
            log.info("gateway.adopted", events=events)

    def find_spooled(self, *, events: int) -> None:
        """Events of our own damaged file were found again."""
        self._sought = max(0, self._sought - events)

    def end_search(self) -> None:
        """The rest of a damaged file's events is lost."""
        self.lose_spooled(LossReason.SPOOL_CORRUPT, events=self._sought)
        self._sought = 0

    def lose_spooled(self, reason: LossReason, *, events: int) -> None:
        """Events that had been answered cannot be read any more."""
        if events:
            log.error("gateway.spool_lost", events=events, reason=reason.value)
