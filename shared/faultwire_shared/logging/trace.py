"""The exceptions of a record as JSON: all that matters of a chain and a group, in bounded size."""

from collections import deque
from collections.abc import Iterable, Iterator
from itertools import chain, islice
from types import TracebackType
from typing import Any, Final, TypeVar

from faultwire_shared.foreign.interruption import pass_interruption
from faultwire_shared.snapshot import clean_text

EXCEPTIONS: Final = 50
"""Exceptions of one record at most, the members of groups among them."""
CHAIN: Final = 20
"""Of one chain; of a longer one both ends stay, as the one tells what happened and the other why."""
GROUP_DEPTH: Final = 5
FRAMES: Final = 50
NOTES: Final = 10
_READ: Final = 10_000
"""Exceptions and calls that are looked at to find an end."""

ExcInfo = tuple[type[BaseException], BaseException, TracebackType | None]
T = TypeVar("T")


def trace_document(exc_info: ExcInfo) -> list[dict[str, Any]]:
    """Return the chain, from what was raised to its root, with the members of groups."""
    try:
        return _chain(exc_info[1], exc_info[2], [EXCEPTIONS], 0)
    except BaseException as error:  # noqa: BLE001 - an exception's own properties may raise anything
        pass_interruption(error)
        return [{"exc_type": clean_text(exc_info[0].__name__), "exc_value": "<unreadable>"}]


def _chain(
    error: BaseException, trace: TracebackType | None, left: list[int], depth: int
) -> list[dict[str, Any]]:
    kept, left_out = _both_ends(_causes_of(error), CHAIN)
    found: list[dict[str, Any]] = []
    for index, (each, is_cause) in enumerate(kept):
        if left[0] <= 0:
            break
        left[0] -= 1
        one = _one(each, trace if each is error else each.__traceback__, left, depth)
        one["is_cause"] = is_cause
        if left_out and index == CHAIN // 2:
            one["left_out_before"] = left_out
        found.append(one)
    return found


def _causes_of(error: BaseException) -> Iterator[tuple[BaseException, bool]]:
    """Yield the exception, its cause and so on, each once, and whether it was named as the cause."""
    seen: set[int] = set()
    current: BaseException | None = error
    is_cause = False
    while current is not None and id(current) not in seen:
        seen.add(id(current))
        yield current, is_cause
        is_cause = current.__cause__ is not None
        context = None if current.__suppress_context__ else current.__context__
        current = current.__cause__ if is_cause else context


def _one(error: BaseException, trace: TracebackType | None, left: list[int], depth: int) -> dict[str, Any]:
    notes = getattr(error, "__notes__", None)
    frames, left_out = _both_ends(_frames_of(trace), FRAMES)
    one: dict[str, Any] = {
        "exc_type": clean_text(type(error).__name__),
        "exc_value": clean_text(error),
        "exc_notes": [clean_text(note) for note in notes[:NOTES]] if type(notes) is list else [],
        "frames": frames,
        "is_group": isinstance(error, BaseExceptionGroup),
        "exceptions": [],
    }
    if left_out:
        one["frames_left_out"] = left_out
    if isinstance(error, SyntaxError):
        names = ("filename", "lineno", "offset", "text")
        one["syntax_error"] = {name: clean_text(getattr(error, name)) for name in names}
    if isinstance(error, BaseExceptionGroup):
        _add_members(one, error, left, depth)
    return one


def _add_members(
    one: dict[str, Any], group: BaseExceptionGroup[BaseException], left: list[int], depth: int
) -> None:
    if depth < GROUP_DEPTH:
        for member in group.exceptions:
            if left[0] <= 0:
                break
            one["exceptions"].append(_chain(member, member.__traceback__, left, depth + 1))
    missing = len(group.exceptions) - len(one["exceptions"])
    if missing:
        one["left_out"] = missing


def _frames_of(trace: TracebackType | None) -> Iterator[dict[str, Any]]:
    while trace is not None:
        code = trace.tb_frame.f_code
        yield {
            "filename": clean_text(code.co_filename),
            "lineno": trace.tb_lineno,
            "name": clean_text(code.co_name),
        }
        trace = trace.tb_next


def _both_ends(items: Iterable[T], most: int) -> tuple[list[T], int]:
    """Return the first and the last of many, and how many are missing between them."""
    rest = islice(items, _READ)
    first = list(islice(rest, most // 2))
    count = 0
    last: deque[T] = deque(maxlen=most - most // 2)
    for each in rest:
        last.append(each)
        count += 1
    return list(chain(first, last)), count - len(last)
