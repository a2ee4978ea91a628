"""Stacks of the JVM: an exception and what it was caused by, with the calls that both have in common.

The innermost call stands first. Each line is looked at once.
"""

from typing import Final

from faultwire_consumer.gateway.stack_text.frames import Raised, finish, line_number, make_frame
from faultwire_consumer.gateway.stack_text.type_name import is_type_name, split_package_type
from faultwire_shared.event import FRAMES, ExceptionInfo, Frame

_AT: Final = "at "
_CAUSED_BY: Final = "Caused by: "
_SUPPRESSED: Final = "Suppressed: "
_THREAD: Final = 'Exception in thread "'
_MOST_FRAMES: Final = 10 * FRAMES


def looks_like_java(text: str) -> bool:
    """Return True if a line of the text is one of a JVM's stack: they begin with a tabulator."""
    return "\n\tat " in text


def read_java(text: str) -> list[ExceptionInfo]:
    """Read a stack, the raised exception first; what was suppressed while closing things is left out."""
    chain: list[Raised] = []
    is_aside = False
    for line in text.split("\n"):
        content = line.strip()
        margin = len(line) - len(line.lstrip())
        if margin == 0 and content:
            is_aside = False
        elif content.startswith(_SUPPRESSED):
            is_aside = True
        if not is_aside:
            _take_line(chain, content, is_below=margin > 0)
    for one in chain:
        one.frames.reverse()
    return finish(chain)


def _take_line(chain: list[Raised], content: str, *, is_below: bool) -> None:
    if not is_below and content.startswith(_CAUSED_BY):
        chain.append(_begin(content.removeprefix(_CAUSED_BY)))
    elif not chain:
        chain.append(_begin(content))
    elif content.startswith(_AT) and is_below:
        if len(chain[-1].frames) < _MOST_FRAMES:
            chain[-1].frames.append(_frame(content.removeprefix(_AT)))
    elif content.startswith("... ") and content.endswith(" more") and is_below:
        _add_common(chain, line_number(content.split(" ")[1]))
    elif not chain[-1].frames:
        chain[-1].value.append(content)


def _begin(content: str) -> Raised:
    if content.startswith(_THREAD):
        content = content.removeprefix(_THREAD).partition('" ')[2]
    name, _, message = content.partition(": ")
    if not is_type_name(name):
        return Raised(value=[content])
    package, kind = split_package_type(name)
    return Raised(type=kind, module=package, value=[message])


def _add_common(chain: list[Raised], count: int) -> None:
    """Add the outermost calls, which a cause has in common with the exception around it."""
    if len(chain) > 1 and count:
        chain[-1].frames += chain[-2].frames[-count:][:_MOST_FRAMES]


def _frame(call: str) -> Frame:
    """Read ``java.base/java.lang.Thread.run(Thread.java:829)``: loader and module end with a slash."""
    name, _, place = call.partition("(")
    file, _, line = place.rstrip(")").partition(":")
    kind, _, method = name.rpartition("/")[2].rpartition(".")
    return make_frame(file, line_number(line), module=kind, name=method, language="java")
