"""The person to whom an error happened."""

from typing import Any, Final

from faultwire_consumer.gateway.sentry.event.notes import ReadingNotes
from faultwire_consumer.gateway.sentry.event.shape import is_number, mapping_of, name_of

_AUTO: Final = "{{auto}}"
_NAMES: Final = ("id", "username", "email")


def read_user(given: dict[str, Any], address: str | None, notes: ReadingNotes) -> dict[str, Any]:
    """Read a user, with the sender's address where the client asks for that and only there.

    Args:
        given: the event.
        address: the sender's, where it may be taken.
        notes: of what did not fit.
    """
    told = given.get("user")
    if told is None:
        told = given.get("sentry.interfaces.User")
    if told is not None and not isinstance(told, dict):
        notes.leave_out("user")
    found = {name: value for name, value in mapping_of(told).items() if value is not None}
    found |= {name: str(found[name]) for name in _NAMES if is_number(found.get(name))}
    if found.get("ip_address") == _AUTO or (_is_asked(given) and "ip_address" not in found):
        found.pop("ip_address", None)
        found |= {"ip_address": address} if address else {}
    return found


def _is_asked(given: dict[str, Any]) -> bool:
    settings = mapping_of(mapping_of(given.get("sdk")).get("settings"))
    return name_of(settings.get("infer_ip")) == "auto"
