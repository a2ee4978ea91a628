"""Python's tracebacks: the whole chain with causes, and groups with the box that is drawn around them.

What ``traceback`` prints of every version since 3.8. Each line is looked at once.
"""

from enum import Enum, auto
from functools import lru_cache
from typing import Final

from msgspec import Struct, field
from msgspec.structs import astuple, replace

from faultwire_consumer.gateway.stack_text.frames import (
    KNOWN_FRAMES,
    Raised,
    both_ends,
    finish,
    line_number,
    make_frame,
    with_source,
)
from faultwire_consumer.gateway.stack_text.python_group import BoxSection, sections_of
from faultwire_consumer.gateway.stack_text.type_name import is_type_name, split_python_type
from faultwire_shared.event import FRAMES, ExceptionInfo, Frame

HEADER: Final = "Traceback (most recent call last):"
HEADERS: Final = (HEADER, "Exception Group Traceback (most recent call last):")
FRAME: Final = '  File "'
BETWEEN: Final = (
    "The above exception was the direct cause of the following exception:",
    "During handling of the above exception, another exception occurred:",
)
_LONGEST: Final = 2000
"""Characters of a frame's line that are read."""
_QUOTES: Final = '"""'
_REPEATED: Final = "  [Previous line repeated "
_PACKAGES: Final = ("/site-packages/", "/dist-packages/")


def read_python(text: str) -> list[ExceptionInfo]:
    """Read a traceback, the raised exception first; empty if it holds none."""
    return finish(_chain(sections_of(text.split("\n"))))


class _Expected(Enum):
    BEGIN = auto()
    """A header, or the line that names an exception which has no frames."""
    FRAMES = auto()
    MESSAGE = auto()
    """Its further lines; what looks like a traceback among them was printed by another process."""


class _Call(Struct, frozen=True):
    path: str
    line: int
    name: str
    source: str = ""


class _Chain(Struct):
    """A chain while it is read, the root cause first as it is printed."""

    found: list[Raised] = field(default_factory=list)
    current: Raised = field(default_factory=Raised)
    calls: list["_Call"] = field(default_factory=list)
    """Of the current exception; only those that are kept become frames."""
    expected: _Expected = _Expected.BEGIN
    wants_source: bool = False


def _chain(section: BoxSection) -> list[Raised]:
    chain = _Chain()
    for item in section.items:
        if isinstance(item, str):
            _take_line(chain, item)
        else:
            chain.current.members += [_chain(member) for member in item]
    _close(chain)
    return chain.found[::-1]


def _take_line(chain: _Chain, line: str) -> None:
    if line in BETWEEN:
        _close(chain)
    elif chain.expected is _Expected.MESSAGE and not _begins_anew(chain, line):
        chain.current.value.append(line)
    elif line in HEADERS:
        chain.current, chain.expected = Raised(), _Expected.FRAMES
    elif line.startswith(FRAME):
        chain.expected = _Expected.FRAMES
        _take_frame(chain, line)
    elif chain.expected is _Expected.FRAMES and (line.startswith("  ") or not line):
        _take_below_frame(chain, line)
    elif line:
        _take_name(chain, line)


def _begins_anew(chain: _Chain, line: str) -> bool:
    """Return True if what stood above a traceback was somebody's words, as in ``ERROR: payment failed``.

    A traceback of another process, which is the message of an exception here, stands in quotes.
    """
    is_first = not chain.found and not chain.calls and not chain.current.members
    return is_first and line in HEADERS and chain.current.value[-1:] != [_QUOTES]


def _take_frame(chain: _Chain, line: str) -> None:
    path, found, rest = line[:_LONGEST].removeprefix(FRAME).partition('", line ')
    number, has_name, name = rest.partition(", in ")
    # Where no function is named, it is the place of a syntax error: what was compiled and not what ran.
    chain.wants_source = bool(found and has_name)
    if chain.wants_source:
        chain.calls.append(_Call(path, line_number(number), name))


def _take_below_frame(chain: _Chain, line: str) -> None:
    calls = chain.calls
    if line.startswith(_REPEATED) and calls:
        times = line_number(line.removeprefix(_REPEATED).partition(" ")[0])
        calls += [calls[-1]] * min(times, FRAMES)
    elif chain.wants_source and line.startswith("    "):
        calls[-1] = replace(calls[-1], source=line.strip()[:_LONGEST])
    chain.wants_source = False


def _take_name(chain: _Chain, line: str) -> None:
    name, _, rest = line.partition(":")
    if is_type_name(name) and (not rest or rest.startswith(" ")):
        chain.current.module, chain.current.type = split_python_type(name)
        chain.current.value = [rest[1:]]
    elif chain.expected is _Expected.FRAMES:
        chain.current.value = [line]
    else:
        return  # somebody's words above the traceback
    chain.expected = _Expected.MESSAGE


def _close(chain: _Chain) -> None:
    current = chain.current
    current.frames = [_frame(*astuple(call)) for call in both_ends(chain.calls)]
    if current.type or current.frames or current.members:
        current.type = current.type or "Exception"
        chain.found.append(current)
    chain.current, chain.calls = Raised(), []
    chain.expected, chain.wants_source = _Expected.BEGIN, False


# The calls of one failure are those of the next.
@lru_cache(KNOWN_FRAMES)
def _frame(path: str, line: int, name: str, source: str) -> Frame:
    shown = _below_root(path)
    module = "" if shown == path else _module_of(shown)
    frame = make_frame(path, line, module=module, name=name, language="python", shown=shown)
    return with_source(frame, source) if source else frame


def _below_root(path: str) -> str:
    """Return the path below the root of its package, where that is known: a library's."""
    plain = path.replace("\\", "/")
    for part in _PACKAGES:
        _, found, after = plain.rpartition(part)
        if found and after:
            return after
    _, found, after = plain.partition("/lib/python3")
    return after.partition("/")[2] or path if found else path


def _module_of(shown: str) -> str:
    return shown.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
