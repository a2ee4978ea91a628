"""``GET /api/v1/digests/preview``: the digest that would be sent if it were due at once."""

from datetime import datetime
from typing import Any

from aiohttp import web
from msgspec import Struct

from faultwire_consumer.domain.access.scope import AccessScope
from faultwire_consumer.notify.digest.document import digest_document
from faultwire_consumer.notify.digest.view import facts_in
from faultwire_consumer.notify.digest_maker import schedule_of
from faultwire_consumer.notify.digest_preview import (
    DigestRuleNotFoundError,
    find_digest_rule,
    preview,
)
from faultwire_consumer.notify.message import message_of
from faultwire_consumer.web.access.declared import AccessRoutes
from faultwire_consumer.web.openapi.operation import describe
from faultwire_consumer.web.parameter import Parameters
from faultwire_consumer.web.request import API_PREFIX, json_answer
from faultwire_consumer.web.state import CLOCK, POLICY, PUBLIC_URL, STORE

routes = AccessRoutes()


class DigestWanted(Struct, frozen=True):
    """The digest that is looked at."""

    rule: str | None
    receiver: str | None


class DigestPreview(Struct, frozen=True, kw_only=True):
    """A digest that was neither made nor sent."""

    rule: str
    receiver: str
    receivers: tuple[str, ...]
    """All receivers of the rule."""
    since: datetime | None
    until: datetime | None
    """The end of the period: the time of the request."""
    due_at: datetime
    """The hour at which it is due."""
    is_empty: bool
    """Nothing is pending for it; then none is sent, unless its rule wants empty ones."""
    subject: str
    text: str
    digest: dict[str, Any]
    """What it tells, as a webhook is told it."""


def digest_wanted(parameters: Parameters) -> DigestWanted:
    """The rule, and the receiver, of the digest."""
    return DigestWanted(
        rule=parameters.text("rule", "A rule that sends daily or weekly; the first unless given."),
        receiver=parameters.text("receiver", "One of the rule's receivers; the first unless given."),
    )


@routes.get(f"{API_PREFIX}/digests/preview", access=AccessScope.READ)
@describe(reads=digest_wanted, answers=DigestPreview, raises=[DigestRuleNotFoundError])
async def show_preview(request: web.Request, wanted: DigestWanted) -> web.Response:
    """The digest that a rule would send if it were due at once; nothing is made, sent or changed."""
    rule, receiver = find_digest_rule(request.app[POLICY](), wanted.rule, wanted.receiver)
    now = request.app[CLOCK]()
    told = await preview(request.app[STORE], rule, receiver, now=now, public_url=request.app[PUBLIC_URL])
    message = message_of(told)
    return json_answer(
        DigestPreview(
            rule=rule.name,
            receiver=receiver,
            receivers=rule.receivers,
            since=told.since,
            until=told.until,
            due_at=schedule_of(rule, receiver).next_after(now),
            is_empty=facts_in(told).is_empty,
            subject=message.subject,
            text=message.text,
            digest=digest_document(told),
        )
    )
