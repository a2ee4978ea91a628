"""The verbs of operators as they are declared once for the API, the command line and agents."""

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Final

from msgspec import Struct

from faultwire_consumer.domain.incident import Verb
from faultwire_consumer.domain.links.tracker import link_fault

NAME_CHARACTERS: Final = 100
RELEASE_CHARACTERS: Final = 200
NOTE_CHARACTERS: Final = 4000
COUNT_MAX: Final = 10**12
SECONDS_MIN: Final = 60
SECONDS_MAX: Final = 366 * 86400
WINDOW_SECONDS_MAX: Final = 7 * 86400
"""What counts in windows is kept for a week."""


class AcknowledgeArguments(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Until when; without a time, until it is resolved, comes back or becomes more severe."""

    until: datetime | None = None
    for_seconds: int | None = None


class ResolveArguments(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """In what; without anything, now and everywhere."""

    release: str | None = None
    """This release and newer ones regress; older ones only count."""
    next_release: bool = False
    """Releases after the newest that is known regress."""
    environment: str | None = None
    """Only events from there regress."""


class ReopenArguments(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Nothing."""


class MuteArguments(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Until when: one of a time, a number of events, a release, or for ever."""

    until: datetime | None = None
    for_seconds: int | None = None
    count: int | None = None
    """Until so many more came."""
    within_seconds: int | None = None
    """With ``count``: within this time."""
    next_release: bool = False
    for_ever: bool = False
    reason: str = ""
    """Needed by one for ever."""


class UnmuteArguments(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Nothing."""


class AssignArguments(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """To whom."""

    to: str


class UnassignArguments(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Nothing."""


class CommentArguments(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Nothing but the note that every verb takes, and this one needs."""


class MergeArguments(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Into which incident."""

    into: str


class UnmergeArguments(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Nothing: an incident that was merged comes back with what was its own."""


class LinkArguments(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """To which issue."""

    url: str


class UnlinkArguments(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Nothing."""


Arguments = (
    AcknowledgeArguments
    | ResolveArguments
    | ReopenArguments
    | MuteArguments
    | UnmuteArguments
    | AssignArguments
    | UnassignArguments
    | CommentArguments
    | MergeArguments
    | UnmergeArguments
    | LinkArguments
    | UnlinkArguments
)

ARGUMENTS: Final[Mapping[Verb, type[Arguments]]] = {
    Verb.ACKNOWLEDGE: AcknowledgeArguments,
    Verb.RESOLVE: ResolveArguments,
    Verb.REOPEN: ReopenArguments,
    Verb.MUTE: MuteArguments,
    Verb.UNMUTE: UnmuteArguments,
    Verb.ASSIGN: AssignArguments,
    Verb.UNASSIGN: UnassignArguments,
    Verb.COMMENT: CommentArguments,
    Verb.MERGE: MergeArguments,
    Verb.UNMERGE: UnmergeArguments,
    Verb.LINK: LinkArguments,
    Verb.UNLINK: UnlinkArguments,
}
"""The one declaration of the verbs: every surface offers these, with these arguments."""

SENTENCES: Final[Mapping[Verb, str]] = {
    Verb.ACKNOWLEDGE: "Say that somebody looks after it.",
    Verb.RESOLVE: "Say that it is mended; what occurs from now on, or from a release on, is a regression.",
    Verb.REOPEN: "Take an acknowledge or resolve back.",
    Verb.MUTE: "Hold notifications of it back; it is counted on.",
    Verb.UNMUTE: "End its mute.",
    Verb.ASSIGN: "Say who has it.",
    Verb.UNASSIGN: "Say that nobody has it.",
    Verb.COMMENT: "Write into its history.",
    Verb.MERGE: "Make it part of another incident, which has its events from now on.",
    Verb.UNMERGE: "Make an incident that was merged one of its own again, for good.",
    Verb.LINK: "Remember the issue in a tracker that is about it.",
    Verb.UNLINK: "Forget that issue.",
}
"""The meaning of each verb, as the API and agents are told it."""

_WHO: Final = {kind: verb for verb, kind in ARGUMENTS.items()}

ARGUMENTLESS: Final[Mapping[Verb, Arguments]] = {
    Verb.ACKNOWLEDGE: AcknowledgeArguments(),
    Verb.RESOLVE: ResolveArguments(),
    Verb.REOPEN: ReopenArguments(),
    Verb.UNMUTE: UnmuteArguments(),
    Verb.UNASSIGN: UnassignArguments(),
    Verb.UNLINK: UnlinkArguments(),
}
"""The verbs that need to be told nothing more."""


class ArgumentFault(Struct, frozen=True):
    """An argument that cannot be, and what it has to be."""

    field: str
    message: str


def verb_of(arguments: Arguments) -> Verb:
    """Return the verb that arguments are for."""
    return _WHO[type(arguments)]


def check_arguments(arguments: Arguments, *, note: str, now: datetime) -> list[ArgumentFault]:
    """List what is wrong with a verb's arguments."""
    return list(_faults(arguments, note, now))


def _faults(arguments: Arguments, note: str, now: datetime) -> Iterator[ArgumentFault]:
    if len(note) > NOTE_CHARACTERS or not _is_printable(note):
        yield ArgumentFault("note", f"at most {NOTE_CHARACTERS} printable characters")
    match arguments:
        case AcknowledgeArguments():
            yield from _time_faults(arguments, now)
        case ResolveArguments():
            yield from _resolve_faults(arguments)
        case MuteArguments():
            yield from _time_faults(arguments, now)
            yield from _mute_faults(arguments, note)
        case AssignArguments():
            yield from _text_faults("to", arguments.to, NAME_CHARACTERS)
        case LinkArguments() if (fault := link_fault(arguments.url)) is not None:
            yield ArgumentFault("url", fault)
        case CommentArguments() if not note.strip():
            yield ArgumentFault("note", "a comment needs a text")
        case _:
            pass


def _time_faults(arguments: AcknowledgeArguments | MuteArguments, now: datetime) -> Iterator[ArgumentFault]:
    if arguments.until is not None and arguments.for_seconds is not None:
        yield ArgumentFault("for_seconds", "until or for_seconds, not both")
    if arguments.until is not None and not _is_ahead(arguments.until, now):
        yield ArgumentFault("until", "a time with its zone, in the year that follows now")
    if arguments.for_seconds is not None and not SECONDS_MIN <= arguments.for_seconds <= SECONDS_MAX:
        yield ArgumentFault("for_seconds", f"from {SECONDS_MIN} to {SECONDS_MAX} seconds")


def _is_ahead(until: datetime, now: datetime) -> bool:
    return until.tzinfo is not None and now < until <= now + timedelta(seconds=SECONDS_MAX)


def _resolve_faults(arguments: ResolveArguments) -> Iterator[ArgumentFault]:
    if arguments.release is not None and arguments.next_release:
        yield ArgumentFault("next_release", "release or next_release, not both")
    if arguments.release is not None:
        yield from _text_faults("release", arguments.release, RELEASE_CHARACTERS)
    if arguments.environment is not None:
        yield from _text_faults("environment", arguments.environment, RELEASE_CHARACTERS)


def _mute_faults(arguments: MuteArguments, note: str) -> Iterator[ArgumentFault]:
    timed = arguments.until is not None or arguments.for_seconds is not None
    if sum((timed, arguments.count is not None, arguments.next_release, arguments.for_ever)) != 1:
        yield ArgumentFault("until", "one of until, for_seconds, count, next_release and for_ever")
    if arguments.count is not None and not 1 <= arguments.count <= COUNT_MAX:
        yield ArgumentFault("count", f"from 1 to {COUNT_MAX} events")
    if arguments.within_seconds is not None:
        if arguments.count is None:
            yield ArgumentFault("within_seconds", "needs count")
        if not SECONDS_MIN <= arguments.within_seconds <= WINDOW_SECONDS_MAX:
            yield ArgumentFault("within_seconds", f"from {SECONDS_MIN} to {WINDOW_SECONDS_MAX} seconds")
    if arguments.for_ever and not (arguments.reason.strip() or note.strip()):
        yield ArgumentFault("reason", "a mute for ever needs a reason")
    if len(arguments.reason) > RELEASE_CHARACTERS or not arguments.reason.isprintable():
        yield ArgumentFault("reason", f"at most {RELEASE_CHARACTERS} printable characters")


def _text_faults(field: str, value: str, most: int) -> Iterator[ArgumentFault]:
    if not (value.isprintable() and len(value.strip()) >= 1 and len(value) <= most):
        yield ArgumentFault(field, f"1 to {most} printable characters")


def _is_printable(text: str) -> bool:
    return all(line.isprintable() for line in text.split("\n"))
