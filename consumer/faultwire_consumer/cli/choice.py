"""Values that a shell offers at the Tab key: words that are known here, and names that the worker knows.

What comes from the worker is other people's text and would stand on a command line: only what no shell
reads as anything but a word is offered. A worker that is away or slow offers nothing, without a word.
"""

import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, Final

from faultwire_shared.event import Category, ErrorSeverity

if TYPE_CHECKING:
    from cyclopts.completion import CompletionContext

ASK_SECONDS: Final = 1.0
_ANSWER_BYTES: Final = 4 * 1024 * 1024
_SAFE: Final = re.compile(r"[\w.@/+-]{1,200}", re.ASCII)
_LISTED: Final = 200
_OFFERED: Final = 50
_TITLE: Final = 60


def offer_severities(_: "CompletionContext") -> Sequence[str]:
    """Offer the severities, the highest first."""
    return [*reversed(ErrorSeverity)]


def offer_categories(_: "CompletionContext") -> Sequence[str]:
    """Offer the categories."""
    return [*Category]


def offer_states(_: "CompletionContext") -> Sequence[str]:
    """Offer the states of an incident."""
    from faultwire_consumer.domain.incident import Status  # noqa: PLC0415 - for the Tab key alone

    return [*Status]


def offer_services(context: "CompletionContext") -> Sequence[str]:
    """Offer the services of the incidents that were seen last."""
    found = _ask(context, "incidents", _LISTED)
    return sorted({name for one in found if _SAFE.fullmatch(name := str(one.get("service")))})


def offer_incidents(context: "CompletionContext") -> Sequence[tuple[str, str]]:
    """Offer the incidents that were seen last, each with its title."""
    return list(_named(_ask(context, "incidents", _OFFERED)))


def offer_events(context: "CompletionContext") -> Sequence[tuple[str, str]]:
    """Offer the newest events, each with its message."""
    return list(_named(_ask(context, "events", _OFFERED)))


def offer_both(context: "CompletionContext") -> Sequence[tuple[str, str]]:
    """Offer events where an event's id was begun, else incidents."""
    return offer_events(context) if context.incomplete.startswith("e") else offer_incidents(context)


def offer_alerts(context: "CompletionContext") -> Sequence[tuple[str, str]]:
    """Offer the newest notifications, each with its receiver and state."""
    rows = _ask(context, "alerts", _OFFERED)
    return [(str(one["id"]), f"{one.get('receiver')} {one.get('state')}") for one in rows if "id" in one]


def offer_terms(context: "CompletionContext") -> Sequence[str]:
    """Offer the keys of a query for its last term, and the values of a key where they are known."""
    from faultwire_consumer.domain.query.query import Key, Trait  # noqa: PLC0415 - for the Tab key alone

    begun, _, term = context.incomplete.rpartition(" ")
    before = f"{begun} " if begun else ""
    minus = "-" if term.startswith("-") else ""
    key, colon, _ = term.removeprefix("-").partition(":")
    if not colon:
        names = [f"{name}." if name is Key.TAG else f"{name}:" for name in Key if name is not Key.TEXT]
        return [f"{before}{minus}{name}" for name in names]
    match key:
        case "severity":
            values = offer_severities(context)
        case "is" | "status":
            values = [*Trait]
        case "category":
            values = offer_categories(context)
        case "service":
            values = offer_services(context)
        case _:
            return []
    return [f"{before}{minus}{key}:{value}" for value in values]


def _named(rows: Sequence[dict[str, Any]]) -> Iterator[tuple[str, str]]:
    from faultwire_shared.text import printable  # noqa: PLC0415 - for the Tab key alone

    for one in rows:
        told = printable(str(one.get("message") or one.get("title") or ""))
        if _SAFE.fullmatch(str(one.get("id"))):
            yield str(one["id"]), told[:_TITLE]


def _ask(context: "CompletionContext", noun: str, limit: int) -> list[dict[str, Any]]:
    """The rows of a list of the API; none where the worker does not answer in time or at all."""
    import json  # noqa: PLC0415 - for the Tab key alone, as what follows
    from http.client import HTTPException  # noqa: PLC0415
    from urllib.parse import urlsplit  # noqa: PLC0415

    from faultwire_consumer.cli.address import connection_to, log_in, trust, worker_url  # noqa: PLC0415
    from faultwire_consumer.cli.failure import CommandError  # noqa: PLC0415

    given = context.get("--url")
    try:
        root, login = log_in(worker_url(given.raw if given is not None else None))
        parts = urlsplit(root)
        authority = context.get("--ca-file")
        trusted = trust(authority.raw if authority is not None else None)
        connection = connection_to(parts, trusted, timeout=ASK_SECONDS)
        try:
            path = f"{parts.path}/api/v1/{noun}?limit={limit}"
            connection.request("GET", path, headers={"Accept": "application/json", **login})
            answer = connection.getresponse()
            document = json.loads(answer.read(_ANSWER_BYTES)) if answer.status == 200 else {}
        finally:
            connection.close()
    except (CommandError, OSError, HTTPException, ValueError):
        return []
    rows = document.get(noun) if isinstance(document, dict) else None
    return [row for row in rows or () if isinstance(row, dict)]
