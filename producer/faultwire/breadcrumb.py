"""One step on the way to an error, as it travels with the event: bounded when it is left."""

from collections.abc import Mapping
from datetime import datetime
from typing import Final

from faultwire.capture.scope import Breadcrumb
from faultwire_shared.event import NAME_CHARACTERS
from faultwire_shared.snapshot import Snapshot, clean_text

BREADCRUMBS: Final = 50
_MESSAGE_CHARACTERS: Final = 500


def make_breadcrumb(
    message: object,
    *,
    at: datetime,
    category: object = None,
    level: object = "info",
    data: Mapping[str, object] | None = None,
) -> Breadcrumb:
    """The breadcrumb as JSON's own types; never raises. Its keys are those that the Sentry SDK uses."""
    crumb: Breadcrumb = {
        "timestamp": f"{at:%Y-%m-%dT%H:%M:%S}.{at.microsecond // 1000:03d}Z",
        "level": clean_text(level, NAME_CHARACTERS),
        "message": clean_text(message, _MESSAGE_CHARACTERS),
    }
    if category is not None:
        crumb["category"] = clean_text(category, NAME_CHARACTERS)
    if data is not None:
        crumb["data"] = Snapshot().mapping("data", data)
    return crumb
