"""Options that several commands share, written down once."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter
from cyclopts.validators import Number

from faultwire_consumer.cli.choice import (
    offer_alerts,
    offer_both,
    offer_categories,
    offer_incidents,
    offer_services,
    offer_severities,
    offer_states,
    offer_terms,
)

if TYPE_CHECKING:
    # pydantic takes a quarter of a second to import: only commands that start something pay for it.
    from faultwire_consumer.config import WorkerConfig

Switch = Parameter(negative="", show_default=False)
Values = Parameter(negative="", show_default=False, negative_iterable="")
Flag = Annotated[bool, Switch]
Texts = Annotated[tuple[str, ...], Values]
Id = Annotated[str, Parameter(name="ID")]
IncidentId = Annotated[str, Parameter(name="ID", completer=offer_incidents)]
PageId = Annotated[str, Parameter(name="ID", completer=offer_both)]
AlertId = Annotated[str, Parameter(name="ID", completer=offer_alerts)]
_OFFERED = {"negative": "", "show_default": False, "negative_iterable": ""}
Services = Annotated[tuple[str, ...], Parameter(completer=offer_services, **_OFFERED)]
Severities = Annotated[tuple[str, ...], Parameter(completer=offer_severities, **_OFFERED)]
Categories = Annotated[tuple[str, ...], Parameter(completer=offer_categories, **_OFFERED)]
States = Annotated[tuple[str, ...], Parameter(completer=offer_states, **_OFFERED)]
Actor = Annotated[str | None, Parameter(env_var="FAULTWIRE_ACTOR", show_default=False, show_env_var=True)]
OfIncident = Annotated[str | None, Parameter(completer=offer_incidents, show_default=False)]


def _refuse_option(_: Any, query: str) -> None:
    """Refuse what was meant as an option: no term of a query begins with two hyphens."""
    if query.startswith("--"):
        raise ValueError("a query does not begin with two hyphens")


Query = Annotated[
    str,
    Parameter(
        name="QUERY",
        allow_leading_hyphen=True,
        validator=_refuse_option,
        show_default=False,
        completer=offer_terms,
    ),
]
QUERY_HELP = """The query is terms with blanks between them, all of which must hold:

* severity:high,critical or severity:>=high: any of these; so for status, service, environment,
release, code, category, incident, assigned, user, trace, host, type and tag.NAME

* service:svc-* user:ada@*: a * stands for any characters

* is:unresolved, new, regressed, worse, muted, assigned, unassigned, or a status

* first-release:2.4.1 regressed-release:2.4.1: began, or came back, in that release

* since:24h until:2026-11-23: times as for --since; first: last: regressed: of incidents

* "timed out": text of three characters or more, in any case, in what kept events say

* -code:TIMEOUT: a minus rules out

An example: 'severity:high service:api -code:TIMEOUT "timed out" since:24h'"""
Limit = Annotated[int, Parameter(validator=Number(gte=1, lte=1000))]


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class LocalOutput:
    """Options for printing what a command that asks no worker has found."""

    json: Annotated[bool, Switch] = False
    """Print one JSON document, in the API's shape."""
    jsonl: Annotated[bool, Switch] = False
    """Print one JSON document a line."""
    wide: Annotated[bool, Switch] = False
    """Print every column of a list and nothing cut, however wide it gets."""
    no_color: Annotated[bool, Switch] = False
    """Print without colours (NO_COLOR does the same)."""
    verbose: Annotated[bool, Parameter(name=["--verbose", "-v"], negative="", show_default=False)] = False
    """Print the requests to the worker on stderr."""
    quiet: Annotated[bool, Parameter(name=["--quiet", "-q"], negative="", show_default=False)] = False
    """Print only failures on stderr."""


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class Output(LocalOutput):
    """Options for asking a worker and printing its answer."""

    url: Annotated[str | None, Parameter(show_default=False)] = None
    """The worker to ask; else the one at FAULTWIRE_URL, else this machine's, http://127.0.0.1:8787."""
    ca_file: Annotated[Path | None, Parameter(show_default=False)] = None
    """Trust only these authorities at https:// (PEM); else FAULTWIRE_CA_FILE, else this machine's."""


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class Setting:
    """Options for the configuration's file, and for what overrides it."""

    config: Path | None = None
    """The TOML file."""
    broker_url: str | None = None
    """RabbitMQ, as amqp://user:password@host/."""
    database_url: str | None = None
    """sqlite:///path or postgresql://user:password@host/database."""
    verbose: Annotated[bool, Parameter(name=["--verbose", "-v"], negative="", show_default=False)] = False
    """Log more."""
    quiet: Annotated[bool, Parameter(name=["--quiet", "-q"], negative="", show_default=False)] = False
    """Log only warnings and errors."""

    def load(self, **options: Any) -> "WorkerConfig":
        """The configuration.

        Raises:
            ConfigError: something in it cannot be.
        """
        from faultwire_consumer.config import load_config  # noqa: PLC0415 - see above

        level = "DEBUG" if self.verbose else "WARNING" if self.quiet else None
        options = {
            "broker_url": self.broker_url,
            "database_url": self.database_url,
            "log_level": level,
        } | options
        return load_config(self.config, **options)


OUTPUT = Output()
LOCAL_OUTPUT = LocalOutput()
SETTING = Setting()
