"""Buttons of notifications: send one again, and test a receiver."""

from typing import Final

from aiohttp import web

from faultwire_consumer.actions.notifications import (
    RESEND_NOTE_CHARACTERS,
    AlertConflictError,
    resend_notification,
)
from faultwire_consumer.domain.access.next_path import HOME, next_path
from faultwire_consumer.domain.access.scope import AccessScope
from faultwire_consumer.notify.trial import ReceiverNotFoundError, TooManyTestsError, TrialResult
from faultwire_consumer.web.access.actor import actor_of
from faultwire_consumer.web.access.declared import AccessRoutes
from faultwire_consumer.web.access.told_acts import NOTHING_DONE
from faultwire_consumer.web.page.form import read_fields
from faultwire_consumer.web.page.notice import Notice
from faultwire_consumer.web.page.shell import go_to
from faultwire_consumer.web.request import alert_id_of, check_text
from faultwire_consumer.web.state import CLOCK, POLICY, STORE, TRIAL
from faultwire_shared.taxonomy import ValidationError

_RESEND: Final = ("note", "next")
_TEST: Final = ("receiver", "next")

routes = AccessRoutes()


@routes.post("/told/{id}/resend", access=AccessScope.ACT)
async def send_again(request: web.Request) -> web.Response:
    """Have a notification sent again, and go back to where the button was."""
    alert_id = alert_id_of(request)
    fields = await read_fields(request, _RESEND)
    path = _path(fields["next"], f"/told/{alert_id}")
    try:
        alert = await resend_notification(
            request.app[STORE],
            alert_id,
            receivers=[one.name for one in request.app[POLICY]().receivers],
            actor=actor_of(request),
            now=request.app[CLOCK](),
            note=check_text("note", fields["note"], least=0, most=RESEND_NOTE_CHARACTERS),
        )
    except (AlertConflictError, ValidationError) as error:
        request[NOTHING_DONE] = True
        return go_to(path, Notice(f"Nothing was changed. {error}", refused=True))
    return go_to(path, Notice(f"Notification {alert_id} goes to {alert.receiver} again."))


@routes.post("/rules/test", access=AccessScope.ACT)
async def send_test(request: web.Request) -> web.Response:
    """Send a test to a receiver, and say what became of it."""
    fields = await read_fields(request, _TEST)
    path = _path(fields["next"], "/rules")
    try:
        result = await request.app[TRIAL].run(fields["receiver"], actor=actor_of(request))
    except (ReceiverNotFoundError, TooManyTestsError) as error:
        request[NOTHING_DONE] = True
        return go_to(path, Notice(f"Nothing was sent. {error}", refused=True))
    return go_to(path, test_notice(result))


def test_notice(result: TrialResult) -> Notice:
    """Return what became of a test in a sentence."""
    if result.outcome == "sent":
        return Notice(f"{result.receiver} took the test in {result.seconds:g} s.")
    why = ": ".join(text for text in ((result.reason or "").replace("_", " "), result.detail) if text)
    return Notice(f"The test did not reach {result.receiver}. {why}", refused=True)


def _path(given: str, usual: str) -> str:
    path = next_path(given)
    return usual if path == HOME else path
