"""Lists without rows: why there are none, and what to do."""

from enum import StrEnum
from typing import Final

from msgspec import Struct

from faultwire_consumer.domain.query.edit import QueryPart
from faultwire_consumer.web.page.incidents.search import Search
from faultwire_consumer.web.page.listed import TO_DO

_BROKER: Final = "amqp://localhost/"


class Why(StrEnum):
    """The reason why a list has no rows."""

    NOTHING_YET = "nothing_yet"
    ALL_DONE = "all_done"
    NO_MATCH = "no_match"


class Wider(Struct, frozen=True):
    """A term, and the list without it."""

    text: str
    path: str


class SendingHelp(Struct, frozen=True, kw_only=True):
    """The code and the command that send a first event here, and what they need."""

    code: str
    command: str
    has_broker: bool
    needs_token: bool


def why_empty(search: Search, *, has_any: bool) -> Why:
    """Return the reason why nothing was found."""
    if not has_any:
        return Why.NOTHING_YET
    return Why.ALL_DONE if search.text == TO_DO else Why.NO_MATCH


def wider_lists(search: Search) -> tuple[Wider, ...]:
    """Return a list for each term of the query, without it."""
    parts = search.parts
    return tuple(Wider(part.text, search.path_of(_others(parts, place))) for place, part in enumerate(parts))


def _others(parts: tuple[QueryPart, ...], place: int) -> tuple[QueryPart, ...]:
    return parts[:place] + parts[place + 1 :]


def sending_help(address: str, *, has_broker: bool, needs_token: bool) -> SendingHelp:
    """Return the code that sends an event to this worker, to be copied as it stands.

    Args:
        address: the worker's own, as its reader knows it.
        has_broker: the worker takes events from a broker, whose address it does not tell.
        needs_token: its intake asks who sends.
    """
    url = _BROKER if has_broker else address
    token = ', token="fwt_…"' if needs_token and not has_broker else ""
    at = f" --broker-url {url}" if not has_broker else ""
    return SendingHelp(
        code=_CODE.format(arguments=f'service="billing", broker_url="{url}"{token}'),
        command=f'faultwire send --service billing --message "gateway refused order 17"{at}',
        has_broker=has_broker,
        needs_token=needs_token,
    )


_CODE: Final = """\
import asyncio

from faultwire import ErrorManager


async def main():
    async with ErrorManager({arguments}) as errors:
        try:
            1 / 0
        except ZeroDivisionError as error:
            await errors.handle_error(error, context={{"order": 17}})


asyncio.run(main())
"""
