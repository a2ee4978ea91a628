"""A call's place: its file, function and module, the same for code that is compiled anew from one source.

Templates, ``eval``, ``exec`` and classes that are made in a function have another code object at each call.
"""

import itertools
import sys
from types import FrameType
from typing import Final

from faultwire_shared.memo import Memo
from faultwire_shared.snapshot import clean_text

Place = tuple[str, str, str]
"""The file, the function's qualified name and the module."""

_numbers: Final = itertools.count(1)
BY_CODE: Final[Memo[int, tuple[object, int]]] = Memo()
"""The numbers of code by its address; the code itself is kept beside, or another's could have that."""
_by_place: Final[Memo[Place, int]] = Memo()


def place_of(frame: FrameType) -> Place:
    """The place of a call; what stands for a module and is none that anybody imports is left out.

    Code is run under names that were made up for it: a template's path, a number for each run.
    """
    code = frame.f_code
    # Where a library names its generated code, it is by the plain name alone.
    name = code.co_qualname if code.co_qualname.endswith(code.co_name) else code.co_name
    return code.co_filename, name, _module_of(frame)


def place_number(frame: FrameType) -> int:
    """A number that all calls of one place have in common, and that no other place ever gets.

    ``BY_CODE`` has it by then, unless the code was compiled anew.
    """
    code = frame.f_code
    place = place_of(frame)
    number = _by_place.get(place)
    if number is None:
        number = _by_place[place] = next(_numbers)
        # Not what is compiled anew: it would drive out all the others, and be held for nothing.
        BY_CODE[id(code)] = code, number
    return number


def _module_of(frame: FrameType) -> str:
    name = frame.f_globals.get("__name__")
    if type(name) is not str:
        return clean_text(name or "")
    return name if name in sys.modules else ""
