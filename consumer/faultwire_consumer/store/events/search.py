"""SQL conditions on what kept events say, their texts and their values, in one of two ways.

What hardly any event says is looked up in the index of texts or of values, and its events or incidents are
sorted. What many say is found within the newest by walking over them in the list's own order, where a
look-up would give most of the store. A sample of the newest texts decides which; both ways give the same.
"""

from collections.abc import Iterable, Sequence
from datetime import date
from typing import Any, Final

from msgspec import Struct
from sqlalchemy import (
    ColumnElement,
    Select,
    and_,
    column,
    exists,
    func,
    literal,
    not_,
    or_,
    select,
    table,
)

from faultwire_consumer.domain.query.query import VALUED, Key, Pattern, Query, Term
from faultwire_consumer.domain.search_text import TRIGRAM, fold, fold_as_before
from faultwire_consumer.store.contract.store import StoreReader
from faultwire_consumer.store.events.pattern import escape_like, is_like
from faultwire_consumer.store.schema.events import fingerprints, incidents
from faultwire_consumer.store.schema.search import event_texts, event_values
from faultwire_shared.event_id import day_of

SAMPLED: Final = 1_000
"""The newest texts among which a query's frequency is estimated."""
_TRIGRAMS: Final = 30
"""The most trigrams of one text that are looked up; the candidates are verified anyway."""
_COMMON_EVENTS: Final = 50
_COMMON_GROUPS: Final = 25
"""From so many in the sample on, events or fingerprints that match are common."""

# SQLite's trigram indexes; see migrations 0008 and 0013.
_incidents_search: Final = table("incidents_search", column("rowid"), column("incidents_search"))
_texts_search: Final = table("event_texts_search", column("rowid"), column("event_texts_search"))


class Frequency(Struct, frozen=True):
    """The number of matches in the sample of the newest texts."""

    events: int = 0
    groups: int = 0

    @property
    def is_common(self) -> bool:
        """True if lists of events find their rows among the newest."""
        return self.events >= _COMMON_EVENTS

    @property
    def is_common_in_incidents(self) -> bool:
        """True if lists of incidents do."""
        return self.groups >= _COMMON_GROUPS


def event_day(term: Term) -> date | None:
    """Return the day in an event's id, or None if the term is not one."""
    try:
        return day_of(str(term.values[0])) if term.key is Key.TEXT else None
    except ValueError:
        return None


def kept_terms(query: Query, *, negated: bool = False) -> tuple[Term, ...]:
    """Return the terms that are answered by what kept events say."""
    asked = query.of(Key.TEXT, *VALUED, negated=negated)
    return tuple(term for term in asked if event_day(term) is None)


def asks_kept(query: Query) -> bool:
    """Return True if any of a query is answered by what kept events say."""
    return bool(kept_terms(query) or kept_terms(query, negated=True))


async def estimate_frequency(store: StoreReader, query: Query) -> Frequency:
    """Look how often the newest kept events say what a query requires.

    Raises:
        StoreUnavailableError: the database cannot be used now.
    """
    terms = kept_terms(query)
    if not terms:
        return Frequency()
    rows = await store.read(select_sample(store.name, terms))
    return Frequency(rows[0].events, rows[0].groups)


def select_sample(database: str, terms: Sequence[Term]) -> Select[Any]:
    """Select how many of the newest texts match, and of how many fingerprints these are."""
    order = (event_texts.c.occurred_at.desc(), event_texts.c.event_id.desc())
    newest = select(event_texts).order_by(*order).limit(SAMPLED).subquery("newest")
    found: Any = select(
        func.count().label("events"), func.count(newest.c.fingerprint.distinct()).label("groups")
    )
    sample: Select[Any] = found.where(*says(terms, newest, database=database, common=True))
    return sample


def says(terms: Iterable[Term], texts: Any, *, database: str, common: bool) -> list[ColumnElement[bool]]:
    """Return the conditions of ``event_texts``, or of an alias of it, that say all of this.

    Args:
        terms: texts and values, none of them negated.
        texts: the table or its alias.
        database: the kind of database.
        common: many rows match, so that no index is to be looked up for that.
    """
    conditions: list[ColumnElement[bool]] = []
    for term in terms:
        if term.key is Key.TEXT:
            conditions += _text(texts, fold(str(term.values[0])), database, common=common)
        else:
            conditions.append(_has_value(term, texts, database, common=common))
    return conditions


def _contains(text: ColumnElement[str], form: str, database: str) -> ColumnElement[bool]:
    # Neither is ever looked up in an index.
    find = func.strpos if database == "postgresql" else func.instr
    return find(text, form) > 0


def _text(texts: Any, form: str, database: str, *, common: bool) -> list[ColumnElement[bool]]:
    contains = _contains(texts.c.text, form, database)
    if common:
        return [contains]
    if database == "postgresql":
        return [_like(texts.c.text, form)]
    if len(form) < TRIGRAM:
        return [contains]
    matches = select(_texts_search.c.rowid).where(
        _texts_search.c.event_texts_search.op("MATCH")(_trigrams(form))
    )
    return [texts.c.id.in_(matches), contains]


def _has_value(term: Term, texts: Any, database: str, *, common: bool) -> ColumnElement[bool]:
    if not common:
        chosen: ColumnElement[bool] = texts.c.id.in_(
            select(event_values.c.text_id).where(*_values(term, database))
        )
        return chosen
    said = _values_of_a_text(term, database) if _has_pattern(term) else _values(term, database)
    of_text = (event_values.c.fingerprint == texts.c.fingerprint, event_values.c.text_id == texts.c.id)
    found: Any = select(literal(1)).select_from(event_values).where(*said, *of_text).limit(1)
    # As a value, not by EXISTS: PostgreSQL might read all that says so, once for each group of events.
    is_there: ColumnElement[bool] = found.correlate(texts).scalar_subquery().is_not(None)
    return is_there


def _values_of_a_text(term: Term, database: str) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    """Match values of a text at hand by its key: the index of values has all that begins like a pattern."""
    table = event_values.c
    return table.name.concat("") == term.value_name, is_like(table.value, term.values, database)


def _values(term: Term, database: str) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    table = event_values.c
    return table.name == term.value_name, is_like(table.value, term.values, database, ordered=True)


def says_so(
    terms: Iterable[Term], columns: Any, *, database: str, negated: bool = False
) -> list[ColumnElement[bool]]:
    """Return the conditions of events that say all of this, or with ``negated`` none of it.

    Args:
        terms: texts and values.
        columns: the columns of ``events``, or of an alias of it.
        database: the kind of database.
        negated: the events' kept texts say none of it; those without any match.
    """

    def found(*some: Term) -> ColumnElement[bool]:
        of_event = (
            event_texts.c.occurred_day == columns.occurred_day,
            event_texts.c.event_id == columns.event_id,
        )
        said = says(some, event_texts, database=database, common=True)
        return exists(
            select(literal(1)).select_from(event_texts).where(*of_event, *said).correlate_except(event_texts)
        )

    if negated:
        return [not_(found(term)) for term in terms]
    wanted = tuple(terms)
    return [found(*wanted)] if wanted else []


def incidents_that_say(terms: Sequence[Term], *, database: str, common: bool) -> list[ColumnElement[bool]]:
    """Return the conditions of incidents of which one kept event says all of this.

    Where only texts are asked for, an incident's own text may say it all as well: it is kept when its
    first event is not.
    """
    if not terms:
        return []
    of_itself = _own_texts(terms, database, common=common)
    if common:
        # As a value, not by EXISTS: PostgreSQL might answer that for all incidents at once.
        found = _probe(terms, database).scalar_subquery().is_not(None)
        return [or_(of_itself, found) if of_itself is not None else found]
    chosen: Any = _groups(terms, database)
    if of_itself is not None:
        chosen = chosen.union(select(incidents.c.id).where(of_itself))
    return [incidents.c.id.in_(chosen)]


def incident_never_says(term: Term, *, database: str) -> list[ColumnElement[bool]]:
    """Return the conditions of incidents of which no kept event says this, nor their own text."""
    never = _probe((term,), database).scalar_subquery().is_(None)
    own = _own_texts((term,), database, common=True)
    return [never] if own is None else [not_(own), never]


def _probe(terms: Sequence[Term], database: str) -> Select[Any]:
    """Select one row if a kept event of the incident at hand says all of this.

    Each of its fingerprints is asked for by a value of its own, not by a join: a plan that was made for small
    tables, and kept, would read all that says so once for each incident.
    """
    said = _said_by_group(terms, database).limit(1).correlate(fingerprints).scalar_subquery()
    its = (fingerprints.c.incident_id == incidents.c.id, said.is_not(None))
    found: Any = select(literal(1)).select_from(fingerprints).where(*its)
    probe: Select[Any] = found.limit(1).correlate(incidents)
    return probe


def _said_by_group(terms: Sequence[Term], database: str) -> Any:
    """Select the kept events of the fingerprint at hand that say all of this."""
    if any(term.key is Key.TEXT or _has_pattern(term) for term in terms):
        said = says(terms, event_texts, database=database, common=True)
        of_group = event_texts.c.fingerprint == fingerprints.c.fingerprint
        return select(literal(1)).select_from(event_texts).where(of_group, *said)
    first, *others = terms
    of_group = event_values.c.fingerprint == fingerprints.c.fingerprint
    beside = (_beside(other, database) for other in others)
    return select(literal(1)).select_from(event_values).where(*_values(first, database), of_group, *beside)


def _has_pattern(term: Term) -> bool:
    return any(isinstance(value, Pattern) for value in term.values)


def _groups(terms: Sequence[Term], database: str) -> Select[tuple[int]]:
    """Select the incidents whose kept events say all of this."""
    texts = [term for term in terms if term.key is Key.TEXT]
    if texts:
        joined = event_texts.join(fingerprints, fingerprints.c.fingerprint == event_texts.c.fingerprint)
        said = says(terms, event_texts, database=database, common=False)
        return select(fingerprints.c.incident_id).select_from(joined).where(*said)
    first, *others = terms
    joined = event_values.join(fingerprints, fingerprints.c.fingerprint == event_values.c.fingerprint)
    return (
        select(fingerprints.c.incident_id)
        .select_from(joined)
        .where(*_values(first, database), *(_beside(other, database) for other in others))
    )


def _beside(term: Term, database: str) -> ColumnElement[bool]:
    """Return the condition that the event of a value has this one too."""
    other = event_values.alias()
    same = (other.c.fingerprint == event_values.c.fingerprint, other.c.text_id == event_values.c.text_id)
    like = is_like(other.c.value, term.values, database, ordered=True)
    return exists().where(other.c.name == term.value_name, like, *same).correlate(event_values)


def _own_texts(terms: Sequence[Term], database: str, *, common: bool) -> ColumnElement[bool] | None:
    if any(term.key is not Key.TEXT for term in terms):
        return None
    return and_(
        *(own_text_contains(str(term.values[0]), database=database, looked_up=not common) for term in terms)
    )


def own_text_contains(text: str, *, database: str, looked_up: bool = True) -> ColumnElement[bool]:
    """Match incidents whose own text contains another, ignoring case: exactly what Python's ``in`` says.

    What was stored before texts were normalised is found as it was then.
    """
    forms = dict.fromkeys((fold(text), fold_as_before(text)))
    own = incidents.c.search_text
    if not looked_up:
        return or_(*(_contains(own, form, database) for form in forms))
    if database == "postgresql":
        return or_(*(_like(own, form) for form in forms))
    contains = or_(*(_contains(own, form, database) for form in forms))
    if min(map(len, forms)) < TRIGRAM:
        return contains
    candidates = " OR ".join(f"({_trigrams(form)})" for form in forms)
    matches = select(_incidents_search.c.rowid).where(
        _incidents_search.c.incidents_search.op("MATCH")(candidates)
    )
    return and_(incidents.c.id.in_(matches), contains)


def _like(text: ColumnElement[str], form: str) -> ColumnElement[bool]:
    return text.like(f"%{escape_like(form)}%", escape="\\")


def _trigrams(folded: str) -> str:
    """Return FTS5's query for rows that may contain the text: every third of its trigrams, and the last."""
    last = len(folded) - TRIGRAM
    places = sorted({*range(0, last, TRIGRAM), last})[-_TRIGRAMS:]
    trigrams = dict.fromkeys(folded[place : place + TRIGRAM] for place in places)
    quoted = (trigram.replace('"', '""') for trigram in trigrams)
    return " AND ".join(f'"{trigram}"' for trigram in quoted)
