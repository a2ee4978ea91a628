"""The origin of an event: its environment, its release, its host, and the library that made it."""

import re
from typing import Any, Final

from msgspec import Struct

from faultwire_consumer.gateway.sentry.event.shape import mapping_of, name_of, pairs_of
from faultwire_shared.event import NAME_CHARACTERS, Sdk

DEFAULT_ENVIRONMENT: Final = "production"
_ENVIRONMENT: Final = 64
_RELEASE: Final = 250
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f]")
_NO_RELEASE: Final = ("", ".", "..", "latest")
_NO_ENVIRONMENT: Final = ("", "none")


class SentryOrigin(Struct, frozen=True, kw_only=True):
    """Names by which a service's errors are told apart."""

    environment: str
    release: str | None
    host: str | None


def read_origin(given: dict[str, Any]) -> SentryOrigin:
    """Read the names of an event's origin; what Sentry takes for none is none here too."""
    return SentryOrigin(
        environment=_environment(given) or DEFAULT_ENVIRONMENT,
        release=_release(given.get("release")),
        host=name_of(given.get("server_name")) or None,
    )


def _release(told: Any) -> str | None:
    name = name_of(told)
    if len(name) > _RELEASE or _CONTROL.search(name) or name.lower() in _NO_RELEASE:
        return None
    return name


def _environment(given: dict[str, Any]) -> str | None:
    """Return the event's environment, or else the tag of that name, which the oldest clients send."""
    tagged = next((value for name, value in pairs_of(given.get("tags")) or () if name == "environment"), None)
    for told in (given.get("environment"), tagged):
        name = name_of(told)
        if len(name) <= _ENVIRONMENT and name.lower() not in _NO_ENVIRONMENT and "/" not in name:
            return None if _CONTROL.search(name) else name
    return None


def read_sdk(given: Any) -> Sdk | None:
    """Read the library that made an event; None where the event does not name it."""
    told = mapping_of(given)
    name = name_of(told.get("name"))[:NAME_CHARACTERS]
    return Sdk(name=name, version=name_of(told.get("version"))[:NAME_CHARACTERS]) if name else None
