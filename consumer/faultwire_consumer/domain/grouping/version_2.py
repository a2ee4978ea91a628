"""Fingerprint version 2: decides which incident an event belongs to, with the reasons.

Parts, in order: service, category, declared code, then one of: the root cause with its details and
calls, and the outer types; a group's members; the template; the normal form of the message. Nothing
here may change without a new version, or stored incidents would split.
"""

import re
from collections.abc import Iterator, Sequence
from typing import Final

from faultwire_consumer.domain.grouping.call import call_of, clean_name, type_of
from faultwire_consumer.domain.grouping.material import (
    Fingerprint,
    GroupingException,
    GroupingFrame,
    GroupingMaterial,
    bounded,
    fingerprint_of,
    shortened,
)
from faultwire_consumer.domain.grouping.normal_text import normalise
from faultwire_consumer.domain.grouping.stack import crash_calls, own_frames, source_of, stack_parts
from faultwire_shared.identity.detail import details_of, kind_of
from faultwire_shared.identity.template import has_words
from faultwire_shared.taxonomy import DEFAULTS

VERSION: Final = 2
EXPLICIT_PARTS: Final = 50
MEMBERS: Final = 50
CHAIN: Final = 50

_DEFAULT: Final = re.compile(r"\{\{\s*default\s*\}\}")
_CANCELLED: Final = ("CancelledError", "Cancelled")
_ASKED: Final = (
    *(
        "KeyError",
        "IndexError",
        "LookupError",
        "AttributeError",
        "StopIteration",
        "StopAsyncIteration",
        "Empty",
    ),
    *("ImportError", "ModuleNotFoundError", "RuntimeError"),
)
"""Types by which Python code asks whether something is there."""


def compute(grouping: GroupingMaterial) -> Fingerprint:
    """Compute an event's fingerprint; an explicit one wins, ``{{ default }}`` inserts the default once."""
    parts = [f"service {grouping.service}"]
    if grouping.explicit:
        parts += _explicit_parts(grouping)
    else:
        parts += _default_parts(grouping)
    return fingerprint_of(map(shortened, parts), VERSION)


def _explicit_parts(grouping: GroupingMaterial) -> list[str]:
    parts: list[str] = []
    has_default = False
    for text in grouping.explicit[:EXPLICIT_PARTS]:
        if not _DEFAULT.fullmatch(text.strip()):
            parts.append(f"explicit {text}")
        elif not has_default:
            has_default = True
            parts += _default_parts(grouping)
    rest = [text for text in grouping.explicit[EXPLICIT_PARTS:] if not _DEFAULT.fullmatch(text.strip())]
    return parts + bounded(rest, 0) if rest else parts


def _default_parts(grouping: GroupingMaterial) -> list[str]:
    parts = [f"category {grouping.category}"]
    if grouping.code and grouping.code != DEFAULTS[grouping.category].code:
        parts.append(f"code {grouping.code}")
    if grouping.exceptions:
        return parts + _chain_parts(grouping.exceptions)
    if grouping.logger:
        parts.append(f"logger {clean_name(grouping.logger[:200])}")
    if grouping.template and has_words(grouping.template):
        return [*parts, f"template {normalise(grouping.template)}"]
    return [*parts, f"message {normalise(grouping.message or grouping.template or '')}"]


def _chain_parts(chain: Sequence[GroupingException]) -> list[str]:
    chain = _essential(chain)
    root, own = chain[-1], [own_frames(exception) for exception in chain]
    where = _identifying(own)
    parts = [f"type {type_of(root.module, root.type)}", *_details(root)]
    if root.members:
        parts += _member_parts(root)
    frames = stack_parts(chain[where].frames, own[where], root.type)
    parts += frames
    if root.told_by_text:
        parts.append(f"text counts: {root.told_by_text}")
    if root.told_by_text or not (frames or root.members):
        parts.append(f"message {normalise(root.value)}")
    return parts + _outer_parts(chain, own, where)


def _essential(chain: Sequence[GroupingException]) -> Sequence[GroupingException]:
    """Leave out at the root what is no cause.

    A timeout ends a wait wherever it happens to stand. And who looks into a cache, catches that nothing is
    there and goes another way has an error of that way, raised further down than where that was caught; so
    has who tries again and fails again.
    """
    chain = chain if len(chain) <= CHAIN else [chain[0], *chain[1 - CHAIN :]]
    last = len(chain) - 1
    while last and (chain[last].type in _CANCELLED or _is_detour(chain[last], chain[last - 1])):
        last -= 1
    return chain[: last + 1]


def _is_detour(inner: GroupingException, outer: GroupingException) -> bool:
    is_again = inner.type == outer.type
    if not inner.frames or not outer.frames or not (is_again or inner.type in _ASKED):
        return False
    before, path = ([call_of(frame) for frame in each.frames] for each in (inner, outer))
    if is_again and before == path and source_of(inner.frames[-1]) == source_of(outer.frames[-1]):
        return True
    # A traceback begins where it was caught, other languages' where the thread does.
    return before[0] in path[1:-1] and path[-1] != before[0]


def identifying(chain: Sequence[GroupingException]) -> GroupingException:
    """Return the root cause, or if a library raised it, the innermost exception with own frames.

    A refused connection is raised and caught inside the library that connects: its own frames
    would make one incident of every call site, and a new one of every release of the library.
    """
    chain = _essential(chain)
    return chain[_identifying([own_frames(exception) for exception in chain])]


def _identifying(own: Sequence[Sequence[GroupingFrame]]) -> int:
    last = len(own) - 1
    return next((index for index in range(last, -1, -1) if own[index]), last)


def _outer_parts(
    chain: Sequence[GroupingException], own: Sequence[Sequence[GroupingFrame]], where: int
) -> list[str]:
    """Describe what the root cause was wrapped into, each kind once: a chain may grow with each attempt.

    What a library wrapped inside itself is left out, as its releases do it in other ways.
    """
    root = chain[-1]
    seen = {type_of(root.module, root.type)}
    parts: list[str] = []
    for index in range(len(chain) - 2, -1, -1):
        exception = chain[index]
        kind = type_of(exception.module, exception.type)
        if kind in seen or exception.type in _CANCELLED or (index and not own[index]):
            continue
        seen.add(kind)
        parts += [f"outer type {kind}", *_details(exception)]
        if exception.told_by_text:
            parts.append(f"outer message {normalise(exception.value)}")
        if own[index] and index != where:
            parts += [f"outer frame {call}" for call in crash_calls(own[index])]
    return parts


def _details(exception: GroupingException) -> list[str]:
    kind = kind_of(exception.module, exception.type)
    found = details_of(exception.attributes, exception.value, kind)
    return [f"detail {detail}" for detail in found]


def _member_parts(group: GroupingException) -> list[str]:
    members = {" / ".join(_chain_parts(chain)) for chain in _leaves(group)}
    return bounded([f"member {member}" for member in sorted(members)], MEMBERS)


def _leaves(group: GroupingException) -> Iterator[Sequence[GroupingException]]:
    """Yield the chains of a group's members; a group among them is its members, however deep they stand."""
    left = list(group.members)
    while left:
        chain = left.pop()
        if chain and chain[-1].members:
            left += chain[-1].members
        elif chain:
            yield chain
