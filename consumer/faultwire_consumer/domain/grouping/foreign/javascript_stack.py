"""JavaScript's stacks in plain words: calls by file and name; of a bundle hardly any."""

import re
from collections.abc import Sequence
from typing import Any, Final

from msgspec.structs import replace

from faultwire_consumer.domain.grouping.foreign.javascript_file import plain_file
from faultwire_consumer.domain.grouping.foreign.javascript_name import (
    ANONYMOUS,
    is_minified,
    is_telling,
    plain_name,
)
from faultwire_consumer.domain.grouping.material import GroupingException, GroupingFrame
from faultwire_consumer.domain.grouping.stack import own_frames, source_of

BUNDLE: Final = "bundle"
"""The module of all that was bundled: how it is cut into files changes with each build."""
BUNDLED: Final = "the frames are a bundle's, whose names change with each build"

_NATIVE: Final = ("", "<anonymous>", "native", "[native code]")
_MODULE_LEVEL: Final = ("Object.<anonymous>", "Object.?")
_SNIPPED: Final = "{snip}"
_LINE_CHARACTERS: Final = 200
"""Lines of this length were cut, by an SDK or by a reader: they are a bundle's."""
_NEAR: Final = 3
"""Innermost calls of a bundle among which one with a name is looked for."""
_ERROR_NAME: Final = re.compile(r"E[A-Z][A-Z0-9_]{1,30}")
_SYSTEM_ERROR: Final = re.compile(
    r"(?P<name>E[A-Z]{3,14}): [a-z][^,\n]{1,100}, (?P<call>[a-z]{2,20})\b"
    r"|(?P<called>connect|read|write|bind|listen|getaddrinfo|spawn)\b[^\n]{0,60}? (?P<named>E[A-Z]{3,14})\b"
)
"""As Node writes it where its attributes do not come."""


def plain_stack(frames: Sequence[GroupingFrame]) -> tuple[Sequence[GroupingFrame], str]:
    """Return the frames that tell of a fault, and why its text counts besides; empty where it does not.

    Of a bundle without sources that is the last call near the crash that people named: a minifier leaves
    properties their names.
    """
    called = [frame for frame in frames if (frame.file or frame.module) not in _NATIVE]
    plain = [_frame(frame) for frame in _without_start(called)]
    own = own_frames(GroupingException("", frames=plain))
    if not own or any(source_of(frame) for frame in own):
        return plain, ""
    names = [frame.qualname for frame in own]
    if any(name != ANONYMOUS for name in names) and not any(is_minified(name) for name in names):
        return plain, ""
    telling = [frame for frame in own[-_NEAR:] if is_telling(frame.qualname)]
    return [replace(frame, module=BUNDLE) for frame in telling[-1:]], BUNDLED


def _without_start(frames: list[GroupingFrame]) -> list[GroupingFrame]:
    """Leave out where a program starts: that is not there when a function goes on after it waited.

    It is a module's own level, or stands far from the crash and has no name.
    """
    own = own_frames(GroupingException("", frames=frames))
    left: set[int] = set()
    for distance, frame in zip(range(len(own), 1, -1), own, strict=False):
        is_far = distance > _NEAR and plain_name(frame.qualname) == ANONYMOUS
        if not is_far and frame.qualname not in _MODULE_LEVEL:
            break
        left.add(id(frame))
    return [frame for frame in frames if id(frame) not in left]


def _frame(frame: GroupingFrame) -> GroupingFrame:
    """Name a call by its file: modules are made of it, and each SDK makes others."""
    is_cut = any(_SNIPPED in line or len(line) >= _LINE_CHARACTERS for line in frame.context)
    return GroupingFrame(
        "" if frame.file else frame.module,
        plain_name(frame.qualname) if frame.qualname else ANONYMOUS,
        plain_file(frame.file),
        frame.in_app,
        [] if is_cut else frame.context,
    )


def system_error(attributes: dict[str, Any], text: str) -> dict[str, Any]:
    """Return attributes that name a failed system call, as its numbers differ between systems."""
    named = [attributes.get(each) for each in ("code", "errno")]
    name = next((one for one in named if isinstance(one, str) and _ERROR_NAME.fullmatch(one)), None)
    call = attributes.get("syscall")
    if name is None and (found := _SYSTEM_ERROR.match(text)):
        name, call = found["name"] or found["named"], found["call"] or found["called"]
    if name is None:
        return attributes
    return {**attributes, "errno": name} | ({"operation": call} if isinstance(call, str) else {})
