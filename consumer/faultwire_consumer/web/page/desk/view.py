"""View models of the desk: pure functions of what the store gave."""

from collections.abc import Mapping, Sequence
from typing import Final
from urllib.parse import quote_plus, urlencode

from msgspec import Struct

from faultwire_consumer.domain.dead_body import BodyPlace, find_place
from faultwire_consumer.domain.dead_letter import DeadLetterStatus, edit_refused, replay_refused
from faultwire_consumer.domain.dead_letter_cure import cure_of
from faultwire_consumer.domain.outcome import StoreReason
from faultwire_consumer.store.dead_letters.queries import (
    DeadLetter,
    DeadLetterBody,
    DeadLetterFilter,
    ReasonCount,
)
from faultwire_consumer.web.letter_desk import numbers_by_reason
from faultwire_consumer.web.page.template import show_text
from faultwire_shared.event import MESSAGE_BYTES

PATH: Final = "/dead-letters"
_SHOWN_BYTES: Final = 12_000
"""Of a body on each side of what is wrong in it."""
_FORM_ROOM: Final = 8 * 1024
"""For the other fields of the form that brings a corrected body."""

_OUTCOMES: Final = {
    "would_replay": "would be replayed",
    "would_fail": "would fail again",
    "would_discard": "would be discarded",
    "unchanged": "stays as it is",
    "refused": "cannot be",
}


class StatusChip(Struct, frozen=True, kw_only=True):
    """A view of the list, by status."""

    name: str
    path: str
    count: int
    is_current: bool


class ReasonGroup(Struct, frozen=True, kw_only=True):
    """The dead letters of one reason: how many there are, what mends them, and the newest."""

    reason: str
    cure: str
    count: int
    letters: tuple[DeadLetter, ...]
    path: str
    """To all of them."""
    more: int
    """Those that are not among the letters."""


class DeskView(Struct, frozen=True, kw_only=True):
    """The list of dead letters."""

    chips: tuple[StatusChip, ...]
    groups: tuple[ReasonGroup, ...]
    status: str
    services: tuple[str, ...]
    reasons: tuple[str, ...]
    path: str
    """Of this list, to come back to it."""
    all_services_path: str
    all_reasons_path: str
    may_replay: bool
    may_discard: bool
    has_old: bool
    """Some are of days that are no longer kept, and may be taken under ids of today."""


class ShownBody(Struct, frozen=True, kw_only=True):
    """A body as text, with what is wrong in it; bytes that are none are escaped."""

    place: BodyPlace | None
    before: str
    wrong: str
    after: str
    hidden_before: int
    """Bytes that are not shown."""
    hidden_after: int


class LetterView(Struct, frozen=True, kw_only=True):
    """The things that can be done to one dead letter, and why others cannot."""

    cure: str
    body: ShownBody
    may_replay: bool
    replay_refused: str
    may_discard: bool
    is_old: bool
    editable: str | None
    """The text to be corrected; None where it cannot be here."""
    edit_refused: str


def list_path(status: str, reasons: Sequence[str] = (), services: Sequence[str] = ()) -> str:
    """Return the path of a list."""
    pairs = [("status", status)] if status != DeadLetterStatus.WAITING else []
    pairs += [("reason", reason) for reason in reasons] + [("service", service) for service in services]
    return f"{PATH}?{urlencode(pairs)}" if pairs else PATH


def desk_view(
    wanted: DeadLetterFilter,
    status: str,
    counts: Sequence[ReasonCount],
    newest: Mapping[str, Sequence[DeadLetter]],
) -> DeskView:
    """Arrange dead letters by their reasons, the most frequent first."""
    groups = tuple(
        _group(reason, number, tuple(newest[reason]), status, wanted.service)
        for reason, number in numbers_by_reason(counts, wanted).items()
        if newest.get(reason)
    )
    statuses = wanted.status or tuple(DeadLetterStatus)
    return DeskView(
        chips=_chips(status, counts, wanted),
        groups=groups,
        status=status,
        services=wanted.service,
        reasons=wanted.reason,
        path=list_path(status, wanted.reason, wanted.service),
        all_services_path=list_path(status, wanted.reason),
        all_reasons_path=list_path(status, (), wanted.service),
        may_replay=any(one is not DeadLetterStatus.REPLAYED for one in statuses),
        may_discard=DeadLetterStatus.WAITING in statuses,
        has_old=any(group.reason == StoreReason.PAST_RETENTION for group in groups),
    )


def _group(
    reason: str, count: int, letters: tuple[DeadLetter, ...], status: str, services: tuple[str, ...]
) -> ReasonGroup:
    return ReasonGroup(
        reason=reason,
        cure=cure_of(reason),
        count=count,
        letters=letters,
        path=list_path(status, (reason,), services),
        more=max(0, count - len(letters)),
    )


def _chips(status: str, counts: Sequence[ReasonCount], wanted: DeadLetterFilter) -> tuple[StatusChip, ...]:
    of_reasons = [one for one in counts if not wanted.reason or one.reason in wanted.reason]
    return tuple(
        StatusChip(
            name=name,
            path=list_path(name, wanted.reason, wanted.service),
            count=sum(one.count for one in of_reasons if name in (one.status, "all")),
            is_current=name == status,
        )
        for name in (*DeadLetterStatus, "all")
    )


def letter_view(letter: DeadLetterBody) -> LetterView:
    """Find out what can be done to a dead letter, and what of its body is shown."""
    is_settled = letter.status is DeadLetterStatus.REPLAYED
    refused = "" if is_settled else _replay_refused(letter)
    editable, edit_words = (None, "") if is_settled else _editable(letter)
    return LetterView(
        cure=cure_of(letter.reason),
        body=shown_body(letter.body, size=letter.size, detail=letter.detail),
        may_replay=not is_settled and not refused,
        replay_refused=refused,
        may_discard=letter.status is DeadLetterStatus.WAITING,
        is_old=letter.reason == StoreReason.PAST_RETENTION and letter.edited_body is None,
        editable=editable,
        edit_refused=edit_words,
    )


def shown_body(body: bytes, *, size: int, detail: str) -> ShownBody:
    """Return the part of a body that is shown: around what is wrong in it, else its beginning."""
    place = find_place(body, size=size, detail=detail)
    begin, end = (0, 0) if place is None else (place.offset, place.offset + place.length)
    first, last = max(0, begin - _SHOWN_BYTES), min(len(body), end + _SHOWN_BYTES)
    return ShownBody(
        place=place,
        before=_text(body[first:begin]),
        wrong=_text(body[begin : min(end, begin + _SHOWN_BYTES)]),
        after=_text(body[end:last]),
        hidden_before=first,
        hidden_after=len(body) - last,
    )


def outcome_words(outcome: str) -> str:
    """Return what would become of a dead letter, in words."""
    return _OUTCOMES.get(outcome, outcome.replace("_", " "))


def _replay_refused(letter: DeadLetterBody) -> str:
    if not letter.replayed_body:
        return "its body made room for others, and nothing is left of it"
    return replay_refused(letter.size, len(letter.body), is_edited=letter.edited_body is not None) or ""


def _editable(letter: DeadLetterBody) -> tuple[str | None, str]:
    """Return the text to be corrected, or why it cannot be corrected on the page."""
    body = letter.replayed_body
    if not body:
        return "", ""
    by_command = f"correct it by faultwire dead-letters edit {letter.id}"
    try:
        text = body.decode().replace("\r\n", "\n")
    except UnicodeDecodeError:
        return None, f"The body is not text in UTF-8: {by_command}."
    if show_text(text) != text:
        return None, f"The body holds characters that a page cannot show: {by_command}."
    if edit_refused(letter.status, body) or len(quote_plus(text)) > MESSAGE_BYTES - _FORM_ROOM:
        return None, f"The body is too long for a form: {by_command}."
    return text, ""


def _text(piece: bytes) -> str:
    return piece.decode("utf-8", "backslashreplace")
