"""Words between a worker and the process of a rehearsal: one order, then lines of JSON."""

from datetime import datetime

from msgspec import Struct

from faultwire_consumer.domain.rehearsal.report import RehearsalReport
from faultwire_consumer.rehearsal.bound import EVENTS_MAX, SECONDS_MAX, Progress


class Order(Struct, frozen=True, kw_only=True):
    """Everything that a rehearsal needs to know; it comes over stdin, as the address holds a password."""

    database_url: str
    is_replica: bool = False
    """The address is that of a standby, whose schema the primary looks after."""
    policy: str
    """TOML."""
    since: datetime
    until: datetime
    against: str | None = None
    """The name of another policy, and its TOML."""
    against_policy: str = ""
    events_max: int = EVENTS_MAX
    seconds_max: float = SECONDS_MAX


class Line(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One line of its answer: progress, and at the end a report or why there is none."""

    progress: Progress | None = None
    report: RehearsalReport | None = None
    failure: str | None = None
    """A reason that an operator may read."""
    fault: str | None = None
    """Of the program: the end of a trace, for the log."""
