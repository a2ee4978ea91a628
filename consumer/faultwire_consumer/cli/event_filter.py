"""The options by which events and incidents are chosen, for commands that take many of them."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Annotated

from cyclopts import Parameter

from faultwire_consumer.cli.choice import offer_terms
from faultwire_consumer.cli.option import Categories, OfIncident, Services, Severities, States, Texts

_Terms = Annotated[str, Parameter(allow_leading_hyphen=True, show_default=False, completer=offer_terms)]


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class FilterOptions:
    """Options that choose events and incidents alike."""

    service: Services = ()
    """Of this service; may be repeated, as the other filters may."""
    severity: Severities = ()
    """low, medium, high or critical."""
    environment: Texts = ()
    """Occurred in this environment."""
    release: Texts = ()
    """Occurred in this release."""
    since: str | None = None
    """Occurred since: 2h, 7d, yesterday, monday, 2026-11-23 or 2026-11-23T10:00:00Z."""
    until: str | None = None
    """Occurred before, written as for --since."""
    query: Annotated[str, Parameter(allow_leading_hyphen=True, show_default=False, completer=offer_terms)] = (
        ""
    )
    """The same as QUERY; of both, all terms must hold."""

    def whole_query(self, query: str) -> str:
        """The query of both ways to write it."""
        return " ".join(part for part in (query, self.query) if part)

    def parameters(self, query: str) -> Mapping[str, str | Sequence[str] | None]:
        """The filters as the API takes them along with a query."""
        return asdict(self) | {"query": self.whole_query(query) or None}


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class EventFilter(FilterOptions):
    """Options that choose events."""

    incident: OfIncident = None
    """Of this incident, as in INC-12."""

    def lasting_parameters(self, query: str) -> Mapping[str, str | Sequence[str] | None]:
        """The same for many requests: durations count from now, however long the command takes."""
        return {**self.parameters(query), "as_of": datetime.now(UTC).isoformat()}


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class IncidentFilter(FilterOptions):
    """Options that choose incidents."""

    category: Categories = ()
    """validation, authentication, business, external or system."""
    code: Texts = ()
    """With this error code."""
    status: States = ()
    """open, acknowledged or resolved."""
    search: str | None = None
    """Contained in the texts that a query's free text searches."""


EVENTS = EventFilter()
INCIDENTS = IncidentFilter()
