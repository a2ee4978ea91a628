"""Words of grouping: what an event's incident depends on, and the key that is made of it."""

import hashlib
from collections.abc import Iterable, Sequence
from typing import Any, Final

from msgspec import Struct, field

from faultwire_consumer.domain.grouping.language import Language
from faultwire_shared.event import Category

KEY_BYTES: Final = 16
PARTS: Final = 200
"""Parts that are kept to be read; one more says how many others there are."""
PART_CHARACTERS: Final = 500
"""Length of a part that is kept to be read; a longer one ends with its digest."""


class GroupingFrame(Struct, frozen=True):
    """The identity of a call: no line number."""

    module: str = ""
    qualname: str = ""
    file: str = ""
    in_app: bool = True
    context: list[str] = field(default_factory=list)


class GroupingException(Struct, frozen=True):
    """The identity of one exception of a chain."""

    type: str
    module: str = ""
    value: str = ""
    attributes: dict[str, Any] = field(default_factory=dict)
    frames: list[GroupingFrame] = field(default_factory=list)
    members: list[list["GroupingException"]] = field(default_factory=list)
    told_by_text: str = ""
    """Why its text counts, whatever frames it has; empty where it counts only if there are none."""


class GroupingMaterial(Struct, frozen=True, kw_only=True):
    """Everything that an event's incident depends on."""

    service: str
    category: Category
    code: str = ""
    message: str = ""
    template: str | None = None
    logger: str = ""
    """Name of the logger that a text was written to, where it is known."""
    explicit: Sequence[str] = ()
    exceptions: Sequence[GroupingException] = ()
    language: Language = ""
    """Of the library that made the event; empty where its words are those that the versions know."""


class Fingerprint(Struct, frozen=True):
    """A versioned grouping key: ``key`` names it, ``digest`` reveals a collision, ``parts`` say why."""

    key: bytes
    digest: bytes
    parts: tuple[str, ...]
    version: int


def fingerprint_of(ordered: Iterable[str], version: int) -> Fingerprint:
    """Build the fingerprint with these reasons."""
    parts = tuple(ordered)
    digest = hashlib.sha256("\n".join(part.replace("\n", " ") for part in parts).encode(errors="replace"))
    return Fingerprint(digest.digest()[:KEY_BYTES], digest.digest(), _readable(parts), version)


def bounded(parts: Sequence[str], most: int) -> list[str]:
    """Shorten each part, and put the digest of all that are too many into one."""
    kept = [shortened(part) for part in parts[:most]]
    if len(parts) > most:
        kept.append(f"and {len(parts) - most} more: sha256 {_sha256(chr(10).join(parts[most:]))}")
    return kept


def shortened(part: str) -> str:
    """Put the digest of a long part in place of its end."""
    if len(part) <= PART_CHARACTERS:
        return part
    end = f"… sha256 {_sha256(part)}"
    return part[: PART_CHARACTERS - len(end)] + end


def _readable(parts: tuple[str, ...]) -> tuple[str, ...]:
    """Bound what is stored of the reasons: the digest stands for all of them."""
    kept = tuple(shortened(part) for part in parts[:PARTS])
    return kept if len(parts) <= PARTS else (*kept, f"and {len(parts) - PARTS} more")


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode(errors="replace")).hexdigest()
