"""Conditions that an incident began, or came back, in a release."""

from sqlalchemy import ColumnElement, Select, literal_column, select

from faultwire_consumer.domain.figures.value_count import RELEASE
from faultwire_consumer.domain.incident import TransitionReason
from faultwire_consumer.domain.query.query import Key, Term
from faultwire_consumer.store.events.pattern import is_like
from faultwire_consumer.store.schema.events import fingerprints, history, incidents, sightings
from faultwire_consumer.store.schema.figures import value_counts


def in_release(term: Term, database: str) -> ColumnElement[bool]:
    """Return the condition of incidents that began in a release, or came back in it, as the key says."""
    found = _began_in(term, database) if term.key is Key.FIRST_RELEASE else _came_back_in(term, database)
    return incidents.c.id.not_in(found) if term.negated else incidents.c.id.in_(found)


def _began_in(term: Term, database: str) -> Select[tuple[int]]:
    """Select those of which the first event, by when it occurred, named the release."""
    counted, own = value_counts.c, incidents.alias("own")
    joined = (
        sightings.join(
            value_counts,
            (counted.fingerprint == sightings.c.fingerprint)
            & (counted.key == RELEASE)
            & (counted.value == sightings.c.release),
        )
        .join(fingerprints, fingerprints.c.fingerprint == sightings.c.fingerprint)
        .join(own, own.c.id == fingerprints.c.incident_id)
    )
    return (
        select(fingerprints.c.incident_id)
        .select_from(joined)
        .where(
            sightings.c.release != "",
            is_like(sightings.c.release, term.values, database),
            counted.first_seen_at <= own.c.first_seen_at,
        )
    )


def _came_back_in(term: Term, database: str) -> Select[tuple[int]]:
    # Written out, so that the partial index is taken whatever the plan.
    regressed: ColumnElement[str] = literal_column(f"'{TransitionReason.REGRESSED}'")
    return select(history.c.incident_id).where(
        history.c.reason == regressed, is_like(history.c.release, term.values, database)
    )
