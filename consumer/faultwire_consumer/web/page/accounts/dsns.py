"""DSNs, for admins: made here, and shown again among the tokens, for they hold no secret."""

import secrets
from typing import Final

from aiohttp import web

from faultwire_consumer.actions.tokens import issue_dsn
from faultwire_consumer.domain.access.dsn_draft import DsnDraft
from faultwire_consumer.domain.access.scope import AccessScope
from faultwire_consumer.domain.query.value import end_of
from faultwire_consumer.web.access.declared import AccessRoutes
from faultwire_consumer.web.access.visitor import source_of
from faultwire_consumer.web.page.accounts.tokens import DSN_FIELDS, PATH, tokens_page
from faultwire_consumer.web.page.accounts.view import split_services
from faultwire_consumer.web.page.form import SentForm, read_form
from faultwire_consumer.web.page.notice import Notice
from faultwire_consumer.web.page.shell import go_to
from faultwire_consumer.web.state import CLOCK, STORE
from faultwire_shared.clock import Clock
from faultwire_shared.taxonomy import FieldError, ValidationError

_DIGITS_MAX: Final = 19

routes = AccessRoutes()


@routes.post("/access/dsns", access=AccessScope.ADMIN)
async def make(request: web.Request) -> web.Response:
    """Make a DSN, which is then the first of the list."""
    form, clock = await read_form(request, fields_max=len(DSN_FIELDS) + 1), request.app[CLOCK]
    form.refuse_others(DSN_FIELDS)
    try:
        made = await issue_dsn(
            request.app[STORE],
            draft_of(form, clock=clock),
            source=source_of(request),
            now=clock(),
            draw=secrets.randbelow,
        )
    except ValidationError as error:
        wrong = {one.field: one.message for one in error.errors}
        return await tokens_page(request, dsn_typed=form, dsn_wrong=wrong, status=error.status)
    return go_to(PATH, Notice(f"{made.name} has a DSN, of project {made.project}; it stands in the list."))


def draft_of(form: SentForm, *, clock: Clock) -> DsnDraft:
    """Return the DSN that a form asks for.

    Raises:
        ValidationError: a field cannot be read.
    """
    project = form.text("project").strip()
    if project and not (project.isascii() and project.isdigit() and len(project) <= _DIGITS_MAX):
        raise ValidationError(errors=[FieldError("project", "a number, as at the end of the old DSN")])
    try:
        ends_at = end_of(form.text("expires"), now=clock())
    except ValueError as error:
        raise ValidationError(errors=[FieldError("expires_at", str(error))]) from None
    return DsnDraft(
        service=form.text("service").strip(),
        name=form.text("name").strip(),
        key=form.text("key").strip() or None,
        project=int(project) if project else None,
        origins=split_services(form.text("origins")),
        expires_at=ends_at,
    )
