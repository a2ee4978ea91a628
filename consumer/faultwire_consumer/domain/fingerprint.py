"""Fingerprint version 1: decides which incident an event belongs to, with the reasons.

The ordered key parts are the reasons; their digest is the key. Nothing here may change without
a new version, or stored incidents would split.

Parts, in order: service, category, declared code, then one of: the root cause with its details
and frames and the outer types; a group's members; the template; the normal form of the message.
An in-app frame is its module, function and source line: the line's *text* tells two raises in
one function apart and survives being moved, which its number does not.
"""

import hashlib
import re
from collections.abc import Iterable, Sequence
from typing import Any, Final

from msgspec import Struct, field

from faultwire_consumer.domain.normal_text import normalise
from faultwire_shared.detail import details_of
from faultwire_shared.event import Category
from faultwire_shared.taxonomy import DEFAULTS

VERSION: Final = 1
KEY_BYTES: Final = 16
FRAMES: Final = 30
PARTS: Final = 200
"""Parts that are kept to be read; one more says how many others there are."""
PART_CHARACTERS: Final = 500
"""Length of a part that is kept to be read; a longer one ends with its digest."""

_DEFAULT: Final = re.compile(r"\{\{\s*default\s*\}\}")
_GENERATED: Final = re.compile(r"\.?<(?:listcomp|setcomp|dictcomp|genexpr)>")
_SOURCE_CHARACTERS: Final = 120
_CYCLE_FRAMES: Final = 8
_GROUP_DEPTH: Final = 4


class GroupingFrame(Struct, frozen=True):
    """The identity of a call: no file, no line number."""

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


class GroupingMaterial(Struct, frozen=True, kw_only=True):
    """Everything that an event's incident depends on."""

    service: str
    category: Category
    code: str = ""
    message: str = ""
    template: str | None = None
    explicit: Sequence[str] = ()
    exceptions: Sequence[GroupingException] = ()


class Fingerprint(Struct, frozen=True):
    """A versioned grouping key: ``key`` names it, ``digest`` reveals a collision, ``parts`` say why."""

    key: bytes
    digest: bytes
    parts: tuple[str, ...]
    version: int = VERSION


def compute(grouping: GroupingMaterial) -> Fingerprint:
    """Compute the fingerprint of an event; an explicit one wins, ``{{ default }}`` inserts the default once."""
    return fingerprint_of(_parts(grouping))


def fingerprint_of(ordered: Iterable[str]) -> Fingerprint:
    """Build the fingerprint with these reasons."""
    parts = tuple(ordered)
    digest = hashlib.sha256("\n".join(part.replace("\n", " ") for part in parts).encode(errors="replace"))
    return Fingerprint(digest.digest()[:KEY_BYTES], digest.digest(), _readable(parts))


def _readable(parts: tuple[str, ...]) -> tuple[str, ...]:
    """Bound what is stored of the reasons: the digest stands for all of them, whatever their number and length."""
    kept = tuple(part if len(part) <= PART_CHARACTERS else _shortened(part) for part in parts[:PARTS])
    return kept if len(parts) <= PARTS else (*kept, f"and {len(parts) - PARTS} more")


def _shortened(part: str) -> str:
    end = f"… sha256 {hashlib.sha256(part.encode(errors='replace')).hexdigest()}"
    return part[: PART_CHARACTERS - len(end)] + end


def _parts(grouping: GroupingMaterial) -> list[str]:
    parts = [f"service {grouping.service}"]
    if not grouping.explicit:
        return parts + _default_parts(grouping)
    has_default = False
    for text in grouping.explicit:
        if not _DEFAULT.fullmatch(text.strip()):
            parts.append(f"explicit {text}")
        elif not has_default:  # again and again, one body would become gigabytes
            has_default = True
            parts += _default_parts(grouping)
    return parts


def _default_parts(grouping: GroupingMaterial) -> list[str]:
    parts = [f"category {grouping.category}"]
    if grouping.code and grouping.code != DEFAULTS[grouping.category].code:
        parts.append(f"code {grouping.code}")
    if grouping.exceptions:
        return parts + _chain_parts(grouping.exceptions)
    if grouping.template:
        return [*parts, f"template {grouping.template}"]
    return [*parts, f"message {normalise(grouping.message)}"]


def _chain_parts(chain: Sequence[GroupingException], depth: int = 0) -> list[str]:
    *outer, root = chain
    parts = [_type(root), *(f"detail {detail}" for detail in details_of(root.attributes, root.value))]
    if root.members and depth < _GROUP_DEPTH:
        members = {" / ".join(_chain_parts(member, depth + 1)) for member in root.members if member}
        parts += [f"member {member}" for member in sorted(members)]
    frames = frame_parts(identifying_frames(chain))
    parts += frames
    if not frames and not root.members:
        parts.append(f"message {normalise(root.value)}")
    for exception in reversed(outer):
        parts += ["outer " + _type(exception)]
        parts += [f"detail {detail}" for detail in details_of(exception.attributes, "")]
    return parts


def identifying_frames(chain: Sequence[GroupingException]) -> list[GroupingFrame]:
    """Return the root cause's frames; if a library raised it, the innermost exception's with in-app ones.

    A refused connection is raised and caught inside the library that connects: its own frames
    would make one incident of every call site, and a new one of every release of the library.
    """
    for exception in reversed(chain):
        if any(frame.in_app for frame in exception.frames):
            return exception.frames
    return chain[-1].frames


def _type(exception: GroupingException) -> str:
    module = "" if exception.module in ("", "builtins") else f"{exception.module}."
    return f"type {module}{exception.type}"


def frame_parts(frames: Sequence[GroupingFrame]) -> list[str]:
    """Describe the identifying frames: the in-app ones and the library's entry point below the last one."""
    if not any(frame.in_app for frame in frames):
        chosen = [_call(frame) for frame in frames]
    else:
        last = max(index for index, frame in enumerate(frames) if frame.in_app)
        chosen = [_in_app(frame) for frame in frames[: last + 1] if frame.in_app]
        chosen += [_call(frame) for frame in frames[last + 1 : last + 2]]
    return [f"frame {call}" for call in _collapse_cycles(chosen)[-FRAMES:]]


def _in_app(frame: GroupingFrame) -> str:
    source = frame.context[len(frame.context) // 2].strip() if frame.context else ""
    return f"{_call(frame)} | {source[:_SOURCE_CHARACTERS]}" if source else _call(frame)


def _call(frame: GroupingFrame) -> str:
    # A comprehension has its own frame up to 3.11 and none from 3.12 on: it takes its function's name.
    name = _GENERATED.sub("", frame.qualname).replace(".<locals>", "")
    return f"{frame.module or frame.file}:{name}"


def _collapse_cycles(calls: list[str]) -> list[str]:
    """Keep a cycle that repeats at once only once: recursion 5 deep and 50 deep is one fault."""
    kept: list[str] = []
    for call in calls:
        kept.append(call)
        for length in range(1, min(_CYCLE_FRAMES, len(kept) // 2) + 1):
            if kept[-length:] == kept[-2 * length : -length]:
                del kept[-length:]
                break
    return kept
