"""Reports as answers: Markdown within a size that the caller may state."""

from typing import Final

from aiohttp import web

from faultwire_consumer.domain.report.layout import CHARACTERS, CHARACTERS_LEAST, CHARACTERS_MOST
from faultwire_consumer.store.contract.store import Store
from faultwire_consumer.store.events.event import StoredEvent, find_readable, get_event
from faultwire_consumer.web.openapi.answer import GivenAnswer
from faultwire_consumer.web.parameter import Parameters
from faultwire_shared import codec
from faultwire_shared.event import Event

MARKDOWN_TYPE: Final = "text/markdown"
MARKDOWN: Final = GivenAnswer(
    content={MARKDOWN_TYPE: None}, about="The report, within the size that was asked for."
)


def characters_of(parameters: Parameters) -> int:
    """The most characters of the report, by the parameter ``characters``."""
    about = "The most characters of the report."
    return parameters.number(
        "characters", least=CHARACTERS_LEAST, most=CHARACTERS_MOST, usual=CHARACTERS, about=about
    )


def markdown_answer(report: str) -> web.Response:
    """A report (RFC 7763)."""
    return web.Response(body=report.encode(), content_type=MARKDOWN_TYPE, charset="utf-8")


def decoded(stored: StoredEvent) -> Event | None:
    """The event of a stored row; None where its body is not kept or can no longer be read."""
    if stored.doc is None:
        return None
    try:
        return codec.decode(stored.doc)
    except codec.Undecodable:
        return None


async def readable(store: Store, stored: StoredEvent) -> StoredEvent:
    """The stored event, or the nearest of its kind that has a body where it has none."""
    if stored.doc is not None:
        return stored
    nearest = (await find_readable(store, stored)).nearest
    found = await get_event(store, nearest) if nearest is not None else None
    return stored if found is None else found
