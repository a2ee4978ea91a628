"""All else that was known around an error: the service's own contexts and extras, and the logger."""

from typing import Any, Final

from faultwire_consumer.gateway.sentry.event.chain import SentryExceptions
from faultwire_consumer.gateway.sentry.event.moment import SentryMoment, write_moment
from faultwire_consumer.gateway.sentry.event.notes import ReadingNotes
from faultwire_consumer.gateway.sentry.event.shape import mapping_of, name_of
from faultwire_shared.event import NAME_CHARACTERS

_OF_THE_MACHINE: Final = frozenset(
    ("trace", "runtime", "os", "device", "app", "culture", "browser", "cloud_resource", "response")
)
"""Contexts that every event of a service has alike, or that are other fields here."""
_ENVIRONMENT: Final = "environ"
"""Of extras: a process's whole environment, which sentry-cli sends with its keys and passwords."""


def read_context(
    given: dict[str, Any], *, exceptions: SentryExceptions, moment: SentryMoment, notes: ReadingNotes
) -> dict[str, Any]:
    """Read contexts and extras, by name beside each other; an extra of a context's name is ``extra.name``."""
    contexts, extra = _open_field(given, "contexts", notes), _open_field(given, "extra", notes)
    found = {name: value for name, value in contexts.items() if name not in _OF_THE_MACHINE and value}
    if exceptions.components:
        found["react"] = mapping_of(found.get("react")) | {"components": exceptions.components}
    if exceptions.stack:
        found["stack"] = exceptions.stack
    extra.pop(_ENVIRONMENT, None)
    found |= {f"extra.{name}" if name in found else name: value for name, value in extra.items()}
    return _said(given, moment) | found


def _open_field(given: dict[str, Any], name: str, notes: ReadingNotes) -> dict[str, Any]:
    told = given.get(name)
    if told is not None and not isinstance(told, dict):
        notes.leave_out(name)
    return {key: value for key, value in mapping_of(told).items() if value is not None}


def _said(given: dict[str, Any], moment: SentryMoment) -> dict[str, Any]:
    logger = name_of(given.get("logger"))[:NAME_CHARACTERS]
    moved = moment.told_at != moment.occurred_at
    return ({"logger": logger} if logger else {}) | (
        {"reported_at": write_moment(moment.told_at)} if moved else {}
    )
