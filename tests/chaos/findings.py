"""What a run left behind, as whoever judges it is handed it: plain values, read from outside of faultwire."""

from msgspec import Struct, field


class StoredEvent(Struct, frozen=True):
    """A row of the events."""

    event_id: str
    service: str
    count: int
    incident: int


class StoredIncident(Struct, frozen=True):
    """A row of the incidents."""

    number: int
    service: str
    group: str
    """Or its title, where it is none of the run's."""
    count: int


class Told(Struct, frozen=True):
    """One request that the receiver got."""

    key: str
    incidents: tuple[tuple[str, str], ...]
    """Service and group (or title) of each."""
    was_taken: bool
    """It was answered with 2xx, as far as the receiver can tell."""


class Kept(Struct, kw_only=True):
    """Everything that holds anything at the end."""

    events: list[StoredEvent] = field(default_factory=list)
    incidents: list[StoredIncident] = field(default_factory=list)
    hourly: int = 0
    """The sum of all hours' counts."""
    dead: list[str] = field(default_factory=list)
    spooled: list[str] = field(default_factory=list)
    queued: int = 0
    unsent: int = 0
    """Notifications that still wait in the outbox."""
    given_up: int = 0
    open_gaps: dict[str, int] = field(default_factory=dict)
    """By service: gaps in producers' numbers that the loss audit holds open."""
