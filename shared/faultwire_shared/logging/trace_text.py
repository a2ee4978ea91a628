"""The text of a trace, byte for byte as the standard library's, of lines that it has made before.

``traceback`` asks the disk for each file and finds the place of each call anew: 0.3 ms for twelve calls, most
of what a handed over error cost its service. The text of a call is the same each time, so it is kept, once it
was compared with the standard library's own. Whatever is not plain (groups, notes, syntax errors, recursion,
types with attributes of their own making) is always the standard library's.
"""

import logging
import sys
import traceback
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, Final

from faultwire_shared.foreign.known_type import ancestors_of, module_of, qualname_of
from faultwire_shared.foreign.trail import Trail, trail_of
from faultwire_shared.logging.told_call import CallMemory, Untold
from faultwire_shared.memo import Memo

_CHAIN: Final = 20
_HEADER: Final = ("Traceback (most recent call last):\n",)
_CAUSE: Final = "\nThe above exception was the direct cause of the following exception:\n\n"
_CONTEXT: Final = "\nDuring handling of the above exception, another exception occurred:\n\n"
_SUGGESTING: Final = (AttributeError, ImportError, NameError) if sys.version_info >= (3, 12) else ()
_UNLIKE: Final = (BaseExceptionGroup, SyntaxError, *_SUGGESTING)
"""Kinds with more to say than their text."""
_READ: Final = frozenset(
    (
        *("__getattribute__", "__getattr__", "__dict__", "__notes__"),
        *("__cause__", "__context__", "__suppress_context__", "__traceback__"),
    )
)
"""Names by which an exception is read here: a class that has its own runs code of its own."""
_OURS: Final = (object, BaseException)
_UNKNOWN: Final = (object, None)
_FORMAT: Final = logging.Formatter.format
_FORMAT_EXCEPTION: Final = logging.Formatter.formatException
_STOCK: Final = (
    *(traceback.print_exception, traceback.format_exception),
    *(traceback.TracebackException, traceback.TracebackException.format),
)

_formatter: Final = logging.Formatter()

Part = tuple[str, ...]
"""Texts that end in line breaks: those of all calls, or one other."""
_Kinds = Mapping[int, tuple[type, str | None]]

_kinds: Final[Memo[int, tuple[type, str | None]]] = Memo()
"""The words before an error's own text, by its type's address; None for types that are unlike."""
_calls: Final = CallMemory()


def has_stock_trace(formatter: object) -> bool:
    """Return True for a formatter whose traces are the standard library's own."""
    kind: Any = type(formatter)
    return kind.format is _FORMAT and kind.formatException is _FORMAT_EXCEPTION


def trace_text(error: BaseException) -> str:
    """Return what ``logging.Formatter().formatException`` says of a raised exception.

    Raises whatever that raises.
    """
    known = recall_text(error)
    return learn_text(error) if known is None else known


def recall_text(error: BaseException, trail: Trail | None = None) -> str | None:
    """Return the text if all of it is known; nothing of ``traceback`` runs for it, and it never raises.

    ``trail`` is the error's own, where it is at hand.
    """
    if not _is_stock():
        return None
    try:
        return _joined(_parts(error, _calls, _kinds, trail))
    except Exception:  # noqa: BLE001 - an error's own text may raise anything, and the standard library has a word for it
        return None


def trace_parts(error: BaseException) -> list[Part] | None:
    """Return what ``traceback.format_exception`` makes of an error, all calls of each in one part.

    None where it has to be asked; never raises.
    """
    kind, words = _kinds.get(id(type(error)), _UNKNOWN)
    if (kind is type(error) and words is None) or not _is_stock():
        return None
    with suppress(Exception):
        return _parts(error, _calls, _kinds)
    with suppress(Exception):
        if trail_of(error.__traceback__) is not None:  # what is deep would be told twice each time
            learn_text(error)
            return _parts(error, _calls, _kinds)
    return None


def learn_text(error: BaseException) -> str:
    """Have the standard library make the text, and keep what may be said again."""
    text = _formatter.formatException((type(error), error, error.__traceback__))
    with suppress(Exception):  # the text is there; what cannot be read is not kept
        if _is_stock():
            _keep(error, text)
    return text


def _is_stock() -> bool:
    told = traceback.TracebackException
    return (
        traceback.print_exception,
        traceback.format_exception,
        told,
        told.format,
    ) == _STOCK and "tracebacklimit" not in vars(sys)


def _parts(error: BaseException, calls: CallMemory, kinds: _Kinds, trail: Trail | None = None) -> list[Part]:
    """The text in parts.

    Raises:
        Untold: not all of it is known.
    """
    parts = _one(error, calls, kinds, trail)
    link = _link_of(error)
    if link is None:
        return parts
    seen = {id(error)}
    while link is not None:
        word, error = link
        if id(error) in seen or len(seen) == _CHAIN:
            raise Untold
        seen.add(id(error))
        parts = [*_one(error, calls, kinds, None), (word,), *parts]
        link = _link_of(error)
    return parts


def _link_of(error: BaseException) -> tuple[str, BaseException] | None:
    """The words between an exception and the one that came before it, and that."""
    if error.__cause__ is not None:
        return _CAUSE, error.__cause__
    if error.__context__ is None or error.__suppress_context__:
        return None
    return _CONTEXT, error.__context__


def _one(error: BaseException, calls: CallMemory, kinds: _Kinds, trail: Trail | None) -> list[Part]:
    _, words = kinds.get(id(type(error)), _UNKNOWN)
    if words is None or "__notes__" in error.__dict__:
        raise Untold
    text = str(error)
    if type(text) is not str:
        raise Untold
    told = calls.texts(error.__traceback__, trail)
    return [_HEADER, told, (f"{words}: {text}\n" if text else f"{words}\n",)]


def _joined(parts: list[Part]) -> str:
    """The text as ``formatException`` ends it, without its last line break."""
    return "".join([text for part in parts for text in part])[:-1]


def _keep(error: BaseException, text: str) -> None:
    """Keep what the text was made of, once it is seen that it makes the same text."""
    chain = _plain_chain(error)
    kinds: dict[int, tuple[type, str | None]] = {
        id(kind): (kind, _words_of(kind)) for kind in map(type, chain)
    }
    told = traceback.TracebackException(type(error), error, error.__traceback__, compact=True)
    calls = CallMemory()
    for each in chain:
        calls.learn(each.__traceback__, told.stack)
        told = told.__cause__ or told.__context__ or told
    if _joined(_parts(error, calls, kinds)) == text:
        _calls.take(calls)
    else:
        kinds = {address: (kind, None) for address, (kind, _) in kinds.items()}
    for address, known in kinds.items():
        _kinds[address] = known


def _plain_chain(error: BaseException) -> list[BaseException]:
    """The exceptions of a trace, from the one raised last.

    Raises:
        Untold: one of them is not plain, or there are too many.
    """
    chain: list[BaseException] = []
    link: tuple[str, BaseException] | None = ("", error)
    while link is not None:
        kind = type(link[1])
        known, words = _kinds.get(id(kind), _UNKNOWN)
        if len(chain) == _CHAIN or (known is kind and words is None):
            raise Untold
        if not _is_plain(kind):
            _kinds[id(kind)] = kind, None
            raise Untold
        chain.append(link[1])
        link = _link_of(link[1])
    return chain


def _is_plain(kind: type) -> bool:
    if issubclass(kind, _UNLIKE):
        return False
    return all(base in _OURS or _READ.isdisjoint(vars(base)) for base in ancestors_of(kind))


def _words_of(kind: type) -> str:
    module, name = module_of(kind), qualname_of(kind)
    return name if module in ("__main__", "builtins") else f"{module}.{name}"
