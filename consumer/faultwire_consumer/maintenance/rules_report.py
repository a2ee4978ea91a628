"""Opens an incident of faultwire's own while the rules' file cannot be used, and resolves it after that.

Any number of workers that read the same file make one incident. It is told by the rules that are in use.
"""

from collections.abc import Awaitable, Callable
from typing import Final

from faultwire_consumer.domain.incident_name import incident_name
from faultwire_consumer.domain.policy.status import PolicyStatus
from faultwire_consumer.maintenance.gaps import SERVICE
from faultwire_consumer.metrics import Metrics
from faultwire_consumer.store.contract.store import Store, StoreUnavailableError
from faultwire_consumer.store.events.own import resolve_own
from faultwire_shared import __version__, codec
from faultwire_shared.clock import Clock
from faultwire_shared.event import SCHEMA_VERSION, Category, ErrorSeverity, Event, Sdk
from faultwire_shared.event_id import new_event_id
from faultwire_shared.logging.logs import get_logger

CODE: Final = "RULES_BROKEN"
WHY_CHARACTERS: Final = 500

log = get_logger(__name__)


class RulesReport:
    """Tells operators of the state of the rules' file, each once: what is wrong, and that it is well."""

    def __init__(
        self, store: Store, ingest: Callable[[bytes], Awaitable[bool]], *, metrics: Metrics, clock: Clock
    ) -> None:
        self._store = store
        self._ingest = ingest
        self._metrics = metrics
        self._clock = clock
        self._is_told = False
        self._told: str | None = None

    async def tell(self, status: PolicyStatus) -> None:
        """Tell what is new of the state; what the store does not take now is told at the next call."""
        self._metrics.rules_broken.set(status.wrong is not None)
        if self._is_told and self._told == status.wrong:
            return
        try:
            is_kept = await (self._resolve() if status.wrong is None else self._open(status))
        except StoreUnavailableError as error:
            log.warning("store.lost", lane="rules", why=str(error))
            return
        self._is_told, self._told = is_kept, status.wrong

    async def _open(self, status: PolicyStatus) -> bool:
        return await self._ingest(codec.encode(self._event(status)))

    async def _resolve(self) -> bool:
        for incident_id in await resolve_own(self._store, SERVICE, CODE, now=self._clock()):
            log.info("rules.mended", incident=incident_name(incident_id))
        return True

    def _event(self, status: PolicyStatus) -> Event:
        now, why = self._clock(), (status.wrong or "")[:WHY_CHARACTERS]
        return Event(
            id=new_event_id(now),
            schema_version=SCHEMA_VERSION,
            occurred_at=now,
            severity=ErrorSeverity.HIGH,
            category=Category.SYSTEM,
            code=CODE,
            service=SERVICE,
            message=f"the rules cannot be read again, and those of before stay in use: {why}",
            context={"file": status.file, "in_use_since": status.read_at.isoformat(), "why": why},
            fingerprint=[CODE],
            scrubbed=True,
            sdk=Sdk(name="faultwire-worker", version=__version__),
        )
