"""Tiles above the list: the questions of a morning as queries, each with its number."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final

from msgspec import Struct

from faultwire_consumer.domain.query.query import Query
from faultwire_consumer.domain.query.text import parse_query
from faultwire_consumer.web.page.listed import TO_DO, list_path

COUNTED_MAX: Final = 1_000
"""Incidents to which a tile counts: of more it says so."""


class Question(Struct, frozen=True):
    """A question and the query that answers it."""

    kind: str
    label: str
    text: str


class Tile(Struct, frozen=True, kw_only=True):
    """A question with its answer, a link to the list of it."""

    kind: str
    label: str
    text: str
    path: str
    count: str
    is_none: bool


_STANDING: Final = (
    Question("critical", "critical, nobody has them", "severity:critical is:open -is:assigned"),
    Question("back", "came back", "is:regressed"),
    Question("worse", "getting worse", "is:worse"),
)


def questions(since: datetime | None) -> tuple[Question, ...]:
    """Return the questions of a reader, whose last visit ended at ``since`` if that is known."""
    if since is None:
        return (*_STANDING, Question("new", "new since yesterday", "is:unresolved first:24h"))
    moment = f"{since.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
    return (*_STANDING, Question("new", "new since your last visit", f"is:unresolved first:{moment}"))


def queries_of(asked: Sequence[Question]) -> list[Query]:
    """Return the queries whose matches are counted: the questions', and that of what there is to do."""
    return [parse_query(text) for text in (*(one.text for one in asked), TO_DO)]


def tiles_of(asked: Sequence[Question], counts: Sequence[int]) -> tuple[Tile, ...]:
    """Return the tiles."""
    return tuple(
        Tile(
            kind=one.kind,
            label=one.label,
            text=one.text,
            path=list_path(one.text),
            count=count_shown(count),
            is_none=count == 0,
        )
        for one, count in zip(asked, counts, strict=False)
    )


def count_shown(count: int) -> str:
    """Return a number that was counted to a bound."""
    return f"{count:,}" if count <= COUNTED_MAX else f"{COUNTED_MAX:,}+"
