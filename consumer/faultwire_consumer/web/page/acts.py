"""Buttons of incidents: each verb on one incident, on those that were chosen, or on those of a query."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

import msgspec
from aiohttp import web

from faultwire_consumer.actions.incident import IncidentConflictError, load_incident
from faultwire_consumer.actions.verbs import Acted, ActOutcome, Expected, act_on, act_on_many
from faultwire_consumer.domain.access.next_path import HOME, next_path
from faultwire_consumer.domain.access.scope import AccessScope
from faultwire_consumer.domain.incident import Verb
from faultwire_consumer.domain.incident_name import incident_name
from faultwire_consumer.domain.lifecycle.arguments import ARGUMENTS, SENTENCES, Arguments
from faultwire_consumer.web.access.declared import AccessRoutes
from faultwire_consumer.web.access.told_acts import NOTHING_DONE
from faultwire_consumer.web.acting import act_of, chosen_incidents, tell_of_many
from faultwire_consumer.web.page.form import SentForm, read_form
from faultwire_consumer.web.page.notice import Notice, Undo
from faultwire_consumer.web.page.reader import Reader, reader_of
from faultwire_consumer.web.page.shell import go_to, show
from faultwire_consumer.web.request import incident_id_of
from faultwire_consumer.web.state import CLOCK, STORE
from faultwire_shared.taxonomy import FieldError, ValidationError

_VERBS: Final = "|".join(Verb)
_OWN_FIELDS: Final = ("note", "next", "version")
_MANY_FIELDS: Final = ("id", "query", "all", "note", "next", "dry_run")
# The list is one form with a field for each verb: what another verb takes is passed over.
_LIST_FIELDS: Final = (
    *_MANY_FIELDS,
    *{name for kind in ARGUMENTS.values() for name in kind.__struct_fields__},
)
_TOLD_MAX: Final = 5

DONE: Final = {
    Verb.ACKNOWLEDGE: "acknowledged",
    Verb.RESOLVE: "resolved",
    Verb.REOPEN: "open again",
    Verb.MUTE: "muted",
    Verb.UNMUTE: "no longer muted",
    Verb.ASSIGN: "assigned",
    Verb.UNASSIGN: "assigned to nobody",
    Verb.COMMENT: "commented on",
    Verb.MERGE: "merged",
    Verb.UNMERGE: "on its own again",
    Verb.LINK: "linked",
    Verb.UNLINK: "no longer linked",
}
"""What an incident is once a verb was done."""

UNDONE_BY: Final = {
    Verb.ACKNOWLEDGE: Verb.REOPEN,
    Verb.RESOLVE: Verb.REOPEN,
    Verb.MUTE: Verb.UNMUTE,
    Verb.ASSIGN: Verb.UNASSIGN,
    Verb.MERGE: Verb.UNMERGE,
    Verb.LINK: Verb.UNLINK,
}

routes = AccessRoutes()


@routes.post(f"/incidents/many/{{verb:{_VERBS}}}", access=AccessScope.ACT)
async def act_on_chosen(request: web.Request) -> web.Response:
    """Do what a button says to many incidents, or show first what it would do to each.

    The field ``all`` is a query, of whose incidents the effect is always shown first.
    """
    verb, form = Verb(request.match_info["verb"]), await read_form(request)
    path = next_path(form.text("next"))
    try:
        form.refuse_others(_LIST_FIELDS)
        form = _without_blanks(form)
        ids = await _chosen(request, form)
        if verb is Verb.MERGE:
            form, ids = _into_first(form, ids)
        arguments = arguments_of(verb, form, reader_of(request))
        act = act_of(request, arguments, note=form.text("note"))
    except ValidationError as error:
        return _refuse(request, path, error)
    is_dry = form.flag("dry_run") or form.flag("all")
    acted = await act_on_many(request.app[STORE], ids, act, dry_run=is_dry)
    tell_of_many(request, verb, acted, dry_run=is_dry)
    if is_dry:
        return await show(
            request,
            "incidents/preview.html",
            verb=verb,
            sentence=SENTENCES[verb],
            acted=acted,
            fields=_fields_of(form),
            following=path,
        )
    return go_to(path, notice_of_many(verb, acted))


@routes.post(f"/incidents/{{id}}/{{verb:{_VERBS}}}", access=AccessScope.ACT)
async def act_on_one(request: web.Request) -> web.Response:
    """Do what a button says, and show the incident again, or the page that the form names."""
    incident_id, verb = incident_id_of(request), Verb(request.match_info["verb"])
    form = await read_form(request)
    path = next_path(form.text("next"))
    if path == HOME:
        path = f"/incidents/{incident_name(incident_id)}"
    before = await load_incident(request.app[STORE], incident_id)
    try:
        form.refuse_others([*_OWN_FIELDS, *ARGUMENTS[verb].__struct_fields__])
        arguments = arguments_of(verb, form, reader_of(request))
        act = act_of(request, arguments, note=form.text("note"))
        acted = await act_on(request.app[STORE], incident_id, act, expected=_expected(form))
    except (ValidationError, IncidentConflictError) as error:
        return _refuse(request, path, error)
    if acted.outcome is not ActOutcome.CHANGED:
        request[NOTHING_DONE] = True
    return go_to(path, notice_of_one(verb, acted, had_it=before.assignee))


def arguments_of(verb: Verb, form: SentForm, reader: Reader) -> Arguments:
    """Return a verb's arguments from a form, in which everything is text and blank means nothing.

    Raises:
        ValidationError: a field cannot be read.
    """
    given: dict[str, Any] = {}
    for name in ARGUMENTS[verb].__struct_fields__:
        text = form.text(name).strip()
        if text:
            given[name] = _in_zone(text, reader) if name == "until" else text
    try:
        return msgspec.convert(given, type=ARGUMENTS[verb], strict=False)
    except msgspec.ValidationError as error:
        raise ValidationError(errors=[FieldError(verb.value, str(error))]) from None


def _in_zone(text: str, reader: Reader) -> datetime | str:
    """Return a time that a browser's field gives, which has no zone, as one of the reader's."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return text
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=reader.zone)


def _expected(form: SentForm) -> Expected:
    text = form.text("version")
    is_number = text.isascii() and text.isdigit() and len(text) <= 18
    return Expected(version=int(text) if is_number else None)


def _without_blanks(form: SentForm) -> SentForm:
    """Return a form without fields that say nothing: a button with a name may stand beside a box for one."""
    return SentForm([(name, value) for name, value in form.pairs if value.strip() or name in _MANY_FIELDS])


async def _chosen(request: web.Request, form: SentForm) -> list[int]:
    ids, query = form.texts("id"), form.text("all") or form.text("query")
    if not ids and not query.strip():
        raise ValidationError(errors=[FieldError("id", "choose at least one incident")])
    by_query = form.flag("all") or not ids
    return await chosen_incidents(
        request.app[STORE],
        ids=None if by_query else ids,
        query=query if by_query else None,
        now=request.app[CLOCK](),
    )


def _into_first(form: SentForm, ids: Sequence[int]) -> tuple[SentForm, list[int]]:
    """Return a merge with the incident that the others become part of: the lowest, unless one is named.

    Raises:
        ValidationError: there is none that it could be merged with.
    """
    if form.text("into").strip():
        return form, list(ids)
    first, *others = sorted(ids)
    if not others:
        raise ValidationError(errors=[FieldError("id", "choose at least two incidents to merge")])
    kept = [(name, value) for name, value in form.pairs if name != "into"]
    return SentForm([*kept, ("into", incident_name(first))]), others


def _fields_of(form: SentForm) -> tuple[tuple[str, str], ...]:
    """Return the fields of a form that was shown first, for the one that does it."""
    if form.flag("all"):
        pairs = [("query" if name == "all" else name, value) for name, value in form.pairs if name != "id"]
        return tuple((name, value) for name, value in pairs if name not in ("dry_run", "next"))
    return tuple((name, value) for name, value in form.pairs if name not in ("dry_run", "next"))


def _refuse(request: web.Request, path: str, error: ValidationError | IncidentConflictError) -> web.Response:
    request[NOTHING_DONE] = True
    fields = error.errors if isinstance(error, ValidationError) else ()
    said = "; ".join(f"{one.field.replace('_', ' ')}: {one.message}" for one in fields)
    return go_to(path, Notice(f"Nothing was changed. {said or error}", refused=True))


def notice_of_one(verb: Verb, acted: Acted, *, had_it: str | None = None) -> Notice:
    """Return the sentence for one incident; an assign is taken back to who had it before."""
    if acted.outcome is not ActOutcome.CHANGED:
        return Notice(f"{acted.id}: {acted.detail}.")
    detail = f": {acted.detail}" if acted.detail else ""
    return Notice(f"{acted.id} is {DONE[verb]}{detail}.", undo=_undo(verb, (acted.id,), had_it))


def notice_of_many(verb: Verb, acted: Sequence[Acted]) -> Notice:
    """Return the sentence for many incidents: those that changed, and each reason why others did not."""
    changed = tuple(one.id for one in acted if one.outcome is ActOutcome.CHANGED)
    others = [one for one in acted if one.outcome is not ActOutcome.CHANGED]
    parts = [
        f"{len(changed):,} of {len(acted):,} incidents {'is' if len(changed) == 1 else 'are'} {DONE[verb]}"
    ]
    parts += [f"{one.id}: {one.detail}" for one in others[:_TOLD_MAX]]
    if len(others) > _TOLD_MAX:
        parts.append(f"and {len(others) - _TOLD_MAX:,} more")
    undo = _undo(verb, changed, None) if changed else None
    return Notice("; ".join(parts) + ".", refused=not changed, undo=undo)


def _undo(verb: Verb, ids: tuple[str, ...], had_it: str | None) -> Undo | None:
    if verb in (Verb.ASSIGN, Verb.UNASSIGN) and had_it:
        return Undo(Verb.ASSIGN.value, ids, had_it)
    by = UNDONE_BY.get(verb)
    return Undo(by.value, ids) if by is not None else None
