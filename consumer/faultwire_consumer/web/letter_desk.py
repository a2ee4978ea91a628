"""Changes of dead letters as the API and the page ask for them: replay, correction, discard, dry runs."""

from collections.abc import Sequence
from typing import Any, Final

from aiohttp import web
from msgspec import Struct
from msgspec.structs import replace

from faultwire_consumer.actions import dead_letters as actions
from faultwire_consumer.actions.dead_letters import DeadLetterConflictError, DeadLetterNotFoundError
from faultwire_consumer.domain.dead_letter import DeadLetterStatus, ReplayOutcome
from faultwire_consumer.ingest.replay import REHEARSED
from faultwire_consumer.store.dead_letters.queries import DeadLetterBody, DeadLetterFilter, ReasonCount
from faultwire_consumer.web.access.actor import actor_of
from faultwire_consumer.web.request import check_text
from faultwire_consumer.web.state import CLOCK, REPLAYER, STORE
from faultwire_shared.taxonomy import FieldError, ValidationError

LETTERS_MAX: Final = 200
"""Dead letters of one request: each is a transaction or two, so on a busy machine they take ten seconds."""
_WHY_CHARACTERS: Final = 500
_STATUS_READ: Final = "its status was read"


class AskedChange(Struct, frozen=True, kw_only=True):
    """A change of a dead letter: who asks for it, why, and whether it is only tried."""

    actor: str
    why: str = ""
    dry_run: bool = False
    accept_old: bool = False
    """Of a replay: take an event that retention refused under an id of today."""


class ChangeResult(Struct, frozen=True, kw_only=True):
    """The outcome of a change of one dead letter."""

    id: int
    status: DeadLetterStatus | None
    """Its status now; None where there is no such letter."""
    outcome: str
    """``replayed``, ``replay_failed``, ``discarded``, ``edited``, ``unchanged``, ``refused``; ``would_…``."""
    detail: str = ""
    attempts: int = 0
    events: tuple[dict[str, Any], ...] = ()
    examined: str = ""
    """The extent to which a dry run tried it; empty for what was done."""


def asked_change(
    request: web.Request, *, actor: str | None = None, why: str, dry_run: bool, accept_old: bool = False
) -> AskedChange:
    """Return a change as a request asks for it.

    Raises:
        ValidationError: the name or the words cannot go into a history.
    """
    words = check_text("why", why, least=0, most=_WHY_CHARACTERS)
    return AskedChange(actor=actor_of(request, actor), why=words, dry_run=dry_run, accept_old=accept_old)


async def replay_letter(request: web.Request, letter: DeadLetterBody, asked: AskedChange) -> ChangeResult:
    """Put a dead letter through ingest again, or say what that would do.

    Raises:
        DeadLetterConflictError: its body was cut.
        StoreUnavailableError: the store cannot take it now; nothing was marked.
    """
    if asked.dry_run:
        return await _rehearse(request, letter, accept_old=asked.accept_old)
    done = await actions.replay_dead_letter(
        request.app[STORE],
        letter.id,
        request.app[REPLAYER].replay,
        actor=asked.actor,
        now=request.app[CLOCK],
        why=asked.why,
        accept_old=asked.accept_old,
    )
    letter = await actions.load_dead_letter(request.app[STORE], letter.id)
    if done is None:
        return _result(letter, "unchanged", "it was replayed before")
    return _result(letter, "replayed" if done.is_kept else "replay_failed", done.detail, done.events)


async def _rehearse(request: web.Request, letter: DeadLetterBody, *, accept_old: bool) -> ChangeResult:
    if letter.status is DeadLetterStatus.REPLAYED:
        return _result(letter, "unchanged", "it was replayed before", examined=_STATUS_READ)
    actions.check_replay(letter)
    if accept_old:
        letter, _ = actions.with_today_s_id(letter, today=request.app[CLOCK]().date())
    attempt = await request.app[REPLAYER].rehearse(letter)
    outcome = "would_replay" if attempt.is_kept else "would_fail"
    return _result(letter, outcome, attempt.detail, attempt.events, examined=REHEARSED)


async def edit_letter(
    request: web.Request, letter: DeadLetterBody, text: str, asked: AskedChange
) -> tuple[ChangeResult, ReplayOutcome]:
    """Correct the body that a replay takes, or only say what that replay would do; it is said in any case.

    Raises:
        ValidationError: the text cannot be written as UTF-8.
        DeadLetterConflictError: it was replayed, or the body is empty or too large.
    """
    corrected = request.app[REPLAYER].scrub(_encoded(text))
    actions.check_edit(letter.id, letter.status, corrected)
    attempt = await request.app[REPLAYER].rehearse(replace(letter, edited_body=corrected))
    detail = f"a replay would {'keep it' if attempt.is_kept else 'fail'}: {attempt.detail}"
    if asked.dry_run:
        return _result(letter, "would_edit", detail, attempt.events, examined=REHEARSED), attempt
    await actions.edit_dead_letter(
        request.app[STORE],
        letter.id,
        corrected,
        actor=asked.actor,
        now=request.app[CLOCK](),
        why=asked.why,
    )
    letter = await actions.load_dead_letter(request.app[STORE], letter.id)
    return _result(letter, "edited", detail, attempt.events), attempt


async def discard_letter(request: web.Request, letter: DeadLetterBody, asked: AskedChange) -> ChangeResult:
    """Say that nobody wants a dead letter, or whether that can be; the body stays.

    Raises:
        DeadLetterConflictError: it was replayed.
    """
    if asked.dry_run:
        actions.check_discard(letter.id, letter.status)
        return _result(letter, "would_discard", "", examined=_STATUS_READ)
    changed = await actions.discard_dead_letter(
        request.app[STORE], letter.id, actor=asked.actor, now=request.app[CLOCK](), why=asked.why
    )
    letter = await actions.load_dead_letter(request.app[STORE], letter.id)
    detail = "" if changed else "it was discarded before"
    return _result(letter, "discarded" if changed else "unchanged", detail)


async def change_many(
    request: web.Request, verb: str, ids: Sequence[int], asked: AskedChange
) -> list[ChangeResult]:
    """Replay or discard each of these; one that cannot be keeps none of the others from it.

    Raises:
        StoreUnavailableError: the store went away; those before it are done.
    """
    change, results = _MANY[verb], []
    for letter_id in ids:
        try:
            letter = await actions.load_dead_letter(request.app[STORE], letter_id)
        except DeadLetterNotFoundError as error:
            results.append(ChangeResult(id=letter_id, status=None, outcome="refused", detail=str(error)))
            continue
        try:
            results.append(await change(request, letter, asked))
        except DeadLetterConflictError as error:
            results.append(_result(letter, "refused", str(error)))
    return results


def numbers_by_reason(counts: Sequence[ReasonCount], wanted: DeadLetterFilter) -> dict[str, int]:
    """Return how many dead letters of each reason a filter finds, the most frequent first."""
    numbers: dict[str, int] = {}
    for one in counts:
        is_status = not wanted.status or one.status in wanted.status
        if is_status and (not wanted.reason or one.reason in wanted.reason):
            numbers[one.reason] = numbers.get(one.reason, 0) + one.count
    return {reason: numbers[reason] for reason in sorted(numbers, key=lambda one: (-numbers[one], one))}


_MANY: Final = {"replay": replay_letter, "discard": discard_letter}


def _encoded(text: str) -> bytes:
    """Return a corrected body's bytes.

    Raises:
        ValidationError: half a surrogate pair stands alone in it.
    """
    try:
        return text.encode()
    except UnicodeEncodeError:
        raise ValidationError(errors=[FieldError("body", "a text that can be written as UTF-8")]) from None


def _result(
    letter: DeadLetterBody,
    outcome: str,
    detail: str,
    events: tuple[dict[str, Any], ...] = (),
    *,
    examined: str = "",
) -> ChangeResult:
    return ChangeResult(
        id=letter.id,
        status=letter.status,
        outcome=outcome,
        detail=detail,
        attempts=letter.attempts,
        events=events,
        examined=examined,
    )
