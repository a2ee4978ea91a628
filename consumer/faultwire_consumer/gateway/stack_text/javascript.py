"""JavaScript's stacks: V8's, and those of Firefox and Safari; causes and aggregates as Node prints them.

The innermost call stands first. Each line is looked at once.
"""

from typing import Final

from msgspec import Struct, field

from faultwire_consumer.gateway.stack_text.frames import Raised, finish
from faultwire_consumer.gateway.stack_text.javascript_frame import read_frame
from faultwire_consumer.gateway.stack_text.type_name import is_type_name
from faultwire_shared.event import FRAMES, ExceptionInfo, Frame

_CAUSE: Final = "[cause]: "
_MEMBERS: Final = "[errors]: ["
_STEP: Final = 2
_SKIPPED: Final = "lines matching cause stack trace ..."
_UNCAUGHT: Final = ("Uncaught (in promise) ", "Uncaught ")
_MOST_FRAMES: Final = 2 * FRAMES


class _Error(Struct):
    """An error while it is read."""

    margin: int = 0
    """Of its first line, where it stands among another's properties."""
    head: list[str] = field(default_factory=list)
    calls: list[Frame | int] = field(default_factory=list)
    """Innermost first; a number is of calls that were left out, as its cause's stack has them too."""
    is_ended: bool = False
    """Its calls are over: what follows are its properties."""
    members: list[list["_Error"]] = field(default_factory=list)


class _Open(Struct):
    """Chains that are open: the outer one, and the member of an aggregate that is being read."""

    chain: list[_Error]
    members: list[list[_Error]] | None = None
    column: int = 0
    """Of the line that began the members."""


def read_javascript(text: str) -> list[ExceptionInfo]:
    """Read a stack, the raised error first; empty if it has neither a call nor a type."""
    chain = [_Error()]
    opened = _Open(chain=chain)
    for line in text.split("\n"):
        _take_line(opened, line.rstrip())
    raised = _raised(chain)
    return finish(raised) if raised[0].type or raised[0].frames else []


def _take_line(opened: _Open, line: str) -> None:
    content = line.lstrip()
    column = len(line) - len(content)
    if opened.members is not None and column <= opened.column and content:
        opened.members = None
    current = _current(opened, column, content)
    if current is None:
        return
    if content.startswith(_CAUSE):
        chain = opened.chain if not opened.members else opened.members[-1]
        chain.append(_Error(margin=column, head=[_without_brace(content.removeprefix(_CAUSE))]))
    elif content.startswith(_MEMBERS) and opened.members is None:
        opened.members, opened.column = current.members, column
    else:
        _take_into(current, line, content)


def _current(opened: _Open, column: int, content: str) -> _Error | None:
    """Return the error that a line belongs to; None where it has begun another."""
    if opened.members is None:
        return opened.chain[-1]
    if column == opened.column + _STEP and _begins_member(opened.members, content):
        opened.members.append([_Error(margin=column, head=[_without_brace(content)])])
        return None
    return opened.members[-1][-1] if opened.members else None


def _begins_member(members: list[list[_Error]], content: str) -> bool:
    if content[0] in "}]{[" or content.startswith("at "):
        return False
    # The message of an error may have further lines.
    return not members or bool(members[-1][0].calls) or is_type_name(content.partition(": ")[0])


def _take_into(current: _Error, line: str, content: str) -> None:
    if current.is_ended:
        return
    frame = read_frame(content)
    if frame is not None:
        if len(current.calls) < _MOST_FRAMES:
            current.calls.append(frame)
    elif content.endswith(_SKIPPED) and content.startswith("... "):
        digits = content.split(" ", 2)[1]
        current.calls.append(int(digits) if digits.isdecimal() and len(digits) < 4 else 0)
    elif not current.calls:
        current.head.append(line[current.margin :] if line[: current.margin].isspace() else line)
    current.is_ended = bool(current.calls) and content.endswith("{")


def _without_brace(text: str) -> str:
    return text.removesuffix(" {")


def _raised(chain: list[_Error]) -> list[Raised]:
    found: list[Raised] = []
    inner: list[Frame | int] = []
    for error in reversed(chain):
        calls = _whole(error.calls, inner)
        kind, value = _head_of(error.head)
        raised = Raised(type=kind, value=value, frames=calls[::-1])
        raised.members = [_raised(member) for member in error.members]
        found.append(raised)
        inner = error.calls
    return found[::-1]


def _whole(calls: list[Frame | int], inner: list[Frame | int]) -> list[Frame]:
    """Put the calls back that Node leaves out, where the cause's stack is said to have the same."""
    found: list[Frame] = []
    for call in calls:
        if isinstance(call, Frame):
            found.append(call)
        elif found and found[-1] in inner:
            begin = inner.index(found[-1]) + 1
            found += [one for one in inner[begin : begin + call] if isinstance(one, Frame)]
    return found[:_MOST_FRAMES]


def _head_of(head: list[str]) -> tuple[str, list[str]]:
    """Split ``Type: message``, of any number of lines, from the source that Node prints above."""
    lines = _below_source(head)
    if not lines:
        return "", []
    first = lines[0].strip()
    for word in _UNCAUGHT:
        first = first.removeprefix(word)
    name, found, rest = first.partition(":")
    kind = name.partition(" [")[0] if name.endswith("]") else name
    if not is_type_name(kind) or (rest and not rest.startswith(" ")):
        return "", [first, *lines[1:]]
    return kind, [rest[1:] if found else "", *lines[1:]]


def _below_source(head: list[str]) -> list[str]:
    marks = [index for index, line in enumerate(head[:10]) if line.strip() and not line.strip("^ ")]
    lines = head[marks[0] + 1 :] if marks else head
    begin = next((index for index, line in enumerate(lines) if line.strip()), len(lines))
    return lines[begin:]
