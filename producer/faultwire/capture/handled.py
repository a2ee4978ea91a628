"""An error as a service handed it over: when, what it means, how severe, and what was said about it."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, Final, TypedDict

import msgspec
from msgspec import Struct

from faultwire.capture.chain import is_exception
from faultwire_shared.event import NAME_CHARACTERS, Category, ErrorSeverity
from faultwire_shared.foreign.interruption import pass_interruption
from faultwire_shared.foreign.trail import Trail, trail_of
from faultwire_shared.snapshot import clean_text
from faultwire_shared.taxonomy import DEFAULTS, Classification, classify

Details = Mapping[str, object]


class ExtraFields(TypedDict, total=False):
    """Details that a caller may add to an error, by keyword; anything is taken and cut to bounds.

    Keys:
        tags: names and short values to filter by.
        user: who met the error, as a mapping or just an id.
        request: what was asked for, as a mapping.
        transaction: the route or job, without its arguments: ``/orders/{id}/pay``.
        fingerprint: groups by these parts; ``{{ default }}`` stands for the usual ones.
        handled: False for what would have ended the process or request.
        template: the message before its values were put in: ``order {order} refused``.
    """

    tags: Details | None
    user: Details | str | int | None
    request: Details | None
    transaction: str | None
    fingerprint: Iterable[str] | None
    handled: bool
    template: str | None


class Extras(Struct, frozen=True, kw_only=True):
    """``ExtraFields`` and the context, as one value."""

    context: object = None
    tags: object = None
    user: object = None
    request: object = None
    transaction: object = None
    fingerprint: Any = None
    handled: bool = True
    template: object = None


NO_EXTRAS: Final = Extras()


class Handled(Struct, frozen=True):
    """One call of ``handle_error``. ``spelling`` is the severity as given, where it was another's word."""

    error: object
    at: datetime
    meaning: Classification
    severity: ErrorSeverity
    spelling: str | None
    extras: Extras
    trail: Trail | None = None
    """The calls of the error, where it is an exception."""


def judge(error: object, *, at: datetime, severity: object = None, extras: Extras = NO_EXTRAS) -> Handled:
    """Judge an error: never raises, no matter what it is handed.

    Args:
        error: an exception, raised or not; a text in place of one is taken too.
        at: when it occurred, in UTC and milliseconds, as it travels.
        severity: any usual spelling; without one, what the kind of error says.
        extras: what the caller adds.
    """
    meaning = meaning_of(error)
    try:
        level, spelling = _severity(severity, meaning)
    except BaseException as failure:  # noqa: BLE001 - a class may declare anything as its severity, and a caller hand over anything
        pass_interruption(failure)
        level, spelling = meaning.severity, None
        if type(level) is not ErrorSeverity:
            level = DEFAULTS[Category.SYSTEM].severity
    return Handled(error, at, meaning, level, spelling, extras, _trail_of(error))


def _trail_of(error: object) -> Trail | None:
    try:
        return trail_of(error.__traceback__) if is_exception(error) else None
    except BaseException as failure:  # noqa: BLE001 - a class may have put anything in the place of its traceback
        pass_interruption(failure)
        return None


def meaning_of(error: object) -> Classification:
    """The meaning of an error, even if its class declares nonsense."""
    try:
        meaning = classify(error) if is_exception(error) else DEFAULTS[Category.SYSTEM]
        if type(meaning.category) is not Category:
            meaning = msgspec.structs.replace(meaning, category=Category(meaning.category))
        if type(meaning.code) is str and meaning.code.isascii() and len(meaning.code) <= NAME_CHARACTERS:
            return meaning
        return msgspec.structs.replace(meaning, code=clean_text(meaning.code, NAME_CHARACTERS))
    except BaseException as failure:  # noqa: BLE001 - a subclass may declare its code as a property that raises
        pass_interruption(failure)
        return DEFAULTS[Category.SYSTEM]


def _severity(given: object, meaning: Classification) -> tuple[ErrorSeverity, str | None]:
    if type(given) is ErrorSeverity:
        return given, None
    if given is None:
        given = meaning.severity
        if type(given) is ErrorSeverity:
            return given, None
    # issubclass, as isinstance would ask a hostile object for its __class__.
    number = issubclass(type(given), int)
    return ErrorSeverity.parse(int(given) if number else clean_text(given, NAME_CHARACTERS))  # type: ignore[call-overload]  # it is one
