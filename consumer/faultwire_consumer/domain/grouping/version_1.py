"""Fingerprint version 1, as it was: incidents that it opened go on, see ``fingerprint.earlier``.

Parts, in order: service, category, declared code, then one of: the root cause with its details
and frames and the outer types; a group's members; the template; the normal form of the message.
An in-app frame is its module, function and source line. Nothing here ever changes.
"""

import re
from collections.abc import Sequence
from typing import Final

from faultwire_consumer.domain.grouping.material import (
    Fingerprint,
    GroupingException,
    GroupingFrame,
    GroupingMaterial,
    fingerprint_of,
)
from faultwire_consumer.domain.grouping.version_1_detail import details_of
from faultwire_consumer.domain.grouping.version_1_text import normalise
from faultwire_shared.taxonomy import DEFAULTS

VERSION: Final = 1
FRAMES: Final = 30

_DEFAULT: Final = re.compile(r"\{\{\s*default\s*\}\}")
_GENERATED: Final = re.compile(r"\.?<(?:listcomp|setcomp|dictcomp|genexpr)>")
_SOURCE_CHARACTERS: Final = 120
_CYCLE_FRAMES: Final = 8
_GROUP_DEPTH: Final = 4


def compute(grouping: GroupingMaterial) -> Fingerprint:
    """Compute an event's fingerprint; an explicit one wins, ``{{ default }}`` inserts the default once."""
    return fingerprint_of(_parts(grouping), VERSION)


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
