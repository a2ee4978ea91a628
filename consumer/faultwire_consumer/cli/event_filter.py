"""The options by which events are chosen, for commands that take many of them."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Annotated

from cyclopts import Parameter

from faultwire_consumer.cli.option import Values

_Texts = Annotated[tuple[str, ...], Values]


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class EventFilter:
    """Which events."""

    service: _Texts = ()
    """Of this service; may be repeated, as the other filters may."""
    severity: _Texts = ()
    """low, medium, high or critical."""
    environment: _Texts = ()
    """From this environment."""
    release: _Texts = ()
    """From this release."""
    incident: str | None = None
    """Of this incident, as in INC-12."""
    since: str | None = None
    """Occurred since: 2h, 7d, 2026-11-23 or 2026-11-23T10:00:00Z."""
    until: str | None = None
    """Occurred before, written as for --since."""

    def parameters(self, query: str) -> Mapping[str, str | Sequence[str] | None]:
        """As the API takes them beside a query; durations count from now, however long the command takes."""
        now = datetime.now(UTC)
        return asdict(self) | {"query": query or None, "as_of": now.isoformat()}


FILTER = EventFilter()
