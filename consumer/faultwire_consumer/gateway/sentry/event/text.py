"""An event's message, and the template that it was made of."""

from typing import Any

from msgspec import Struct

from faultwire_consumer.gateway.sentry.event.interpolation import interpolate
from faultwire_consumer.gateway.sentry.event.shape import text_of


class SentryText(Struct, frozen=True):
    """The words of an event; both are empty where it has none."""

    message: str = ""
    template: str | None = None


def read_text(given: dict[str, Any]) -> SentryText:
    """Read ``logentry``, or else ``message``, which may be an object of that kind too.

    Clients of many years send no formatted text: then the parameters are put into the template here.
    """
    for name in ("logentry", "sentry.interfaces.Message", "message"):
        text = _read(given.get(name))
        if text.message:
            return text
    return SentryText()


def _read(given: Any) -> SentryText:
    if not isinstance(given, dict):
        return SentryText(text_of(given).strip())
    template = text_of(given.get("message"))
    message = text_of(given.get("formatted")) or interpolate(template, given.get("params", []))
    return SentryText(message.strip(), template if template not in ("", message) else None)
