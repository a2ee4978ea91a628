"""The trail before an error, as the client kept it."""

from typing import Any, Final

from faultwire_consumer.gateway.bounded import BREADCRUMBS
from faultwire_consumer.gateway.sentry.event.moment import parse_moment, write_moment
from faultwire_consumer.gateway.sentry.event.notes import ReadingNotes
from faultwire_consumer.gateway.sentry.event.shape import values_of

_PATH: Final = "breadcrumbs"


def read_breadcrumbs(given: dict[str, Any], notes: ReadingNotes) -> list[dict[str, Any]]:
    """Read breadcrumbs, a list or ``{"values": [...]}``, the oldest first; the last ones are kept."""
    told = given.get(_PATH)
    values = values_of(told if told is not None else given.get("sentry.interfaces.Breadcrumbs"))
    found = [each for each in values or [] if isinstance(each, dict) and each]
    if values is None or len(found) < len(values):
        notes.leave_out(_PATH)
    if len(found) > BREADCRUMBS:
        notes.cut(_PATH)
    return [_plain(each) for each in found[-BREADCRUMBS:]]


def _plain(given: dict[str, Any]) -> dict[str, Any]:
    """Return a breadcrumb without what is null, its time in the one form that is stored."""
    found = {name: value for name, value in given.items() if value not in (None, {}, [])}
    at = parse_moment(found.pop("timestamp", None))
    return ({"timestamp": write_moment(at)} if at else {}) | found
