"""DSNs as they are asked for, and why one cannot be made."""

import re
from collections.abc import Sequence
from datetime import datetime
from typing import Final

from msgspec import Struct

from faultwire_consumer.domain.access.dsn import KEYS_MAX, PROJECT_MAX, normal_key
from faultwire_consumer.domain.access.token import (
    PATTERN_CHARACTERS,
    AccessToken,
    DraftFault,
    find_end_fault,
    find_name_fault,
)
from faultwire_consumer.domain.access.web_origin import ORIGINS_MAX, normal_origin_pattern

_NAME_CHARACTERS: Final = 63


class DsnDraft(Struct, frozen=True, kw_only=True):
    """A DSN as it is asked for."""

    service: str
    """Of all events that are sent with it; no pattern."""
    name: str = ""
    """Empty: after its service."""
    key: str | None = None
    """An old one that is taken over, in any form; None: a new one."""
    project: int | None = None
    """None: the next number that is free."""
    origins: tuple[str, ...] = ()
    expires_at: datetime | None = None
    """None for never, as its users cannot be told of an end."""

    @property
    def token_name(self) -> str:
        """The name under which it is kept."""
        return self.name or _name_after(self.service)

    @property
    def patterns(self) -> tuple[str, ...]:
        """The origins in their normal form; only of a draft without a fault."""
        found = (normal_origin_pattern(one) for one in self.origins)
        return tuple(dict.fromkeys(one for one in found if one is not None))


def find_dsn_fault(draft: DsnDraft, now: datetime) -> DraftFault | None:
    """Return why no DSN can be made of a draft, and what to write; None if one can."""
    return (
        _service_fault(draft.service)
        or find_name_fault(draft.token_name)
        or find_end_fault(draft.expires_at, now)
        or _key_fault(draft.key)
        or _project_fault(draft.project)
        or _origins_fault(draft.origins)
    )


def find_taken_fault(draft: DsnDraft, key: str, held: Sequence[AccessToken]) -> DraftFault | None:
    """Return why a DSN cannot stand beside those that were not revoked, and what mends it; None if it can.

    Args:
        draft: the DSN.
        key: its public key.
        held: the DSNs that were not revoked.
    """
    if len(held) >= KEYS_MAX:
        return DraftFault("service", f"{KEYS_MAX} DSNs stand already; revoke those that nobody uses")
    for one in held:
        if one.public_key == key:
            return DraftFault("key", f"this key is the one of {_spell(one)}; revoke that first")
    for one in held:
        if one.project == draft.project and one.services != (draft.service,):
            said = f"project {one.project} is the one of {_spell(one)}"
            return DraftFault("project", f"{said}; name another, or none for the next that is free")
    return None


def _spell(token: AccessToken) -> str:
    return f"{token.name} ({token.prefix}), for the service {' '.join(token.services)}"


def _name_after(service: str) -> str:
    return re.sub(r"[^A-Za-z0-9._-]+", "-", service).strip("._-")[:_NAME_CHARACTERS] or "dsn"


def _service_fault(service: str) -> DraftFault | None:
    if 1 <= len(service) <= PATTERN_CHARACTERS and service.isprintable() and service == service.strip():
        if not set(service) & set("*?["):
            return None
        return DraftFault("service", "a DSN is of one service, and no pattern: make one for each")
    return DraftFault("service", f"a service's name has 1 to {PATTERN_CHARACTERS} printable characters")


def _key_fault(key: str | None) -> DraftFault | None:
    if key is None or normal_key(key) is not None:
        return None
    if "://" in key:
        return DraftFault("key", "this is a whole address: give what stands between :// and the first : or @")
    return DraftFault(
        "key", "a public key is 1 to 64 letters and digits, with hyphens or without, as the old DSN has it"
    )


def _project_fault(project: int | None) -> DraftFault | None:
    if project is None or 1 <= project <= PROJECT_MAX:
        return None
    return DraftFault("project", f"a project is a number from 1 to {PROJECT_MAX}, the last word of the DSN")


def _origins_fault(origins: Sequence[str]) -> DraftFault | None:
    if len(origins) > ORIGINS_MAX:
        return DraftFault("origins", f"{ORIGINS_MAX} origins at most; https://*.shop.example is one")
    for one in origins:
        if normal_origin_pattern(one) is None:
            said = f"{one[:100]!r} is no origin of a page"
            return DraftFault(
                "origins", f"{said}: write https://shop.example, https://*.shop.example or http://localhost:*"
            )
    return None
