"""An incident's page as one value, made of what was read: its template decides nothing."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final
from urllib.parse import urlencode

from msgspec import Struct

from faultwire_consumer.domain.incident import Status, Verb
from faultwire_consumer.domain.incident_name import incident_name
from faultwire_consumer.domain.lifecycle.offer import offered_verbs
from faultwire_consumer.domain.lifecycle.table import state_of
from faultwire_consumer.domain.links.source import NO_SOURCE_LINKS, SourceLinks
from faultwire_consumer.domain.links.tracker import short_link
from faultwire_consumer.domain.release_order import newest_release
from faultwire_consumer.store.events.figures.reading import ReleaseCount
from faultwire_consumer.store.events.incidents import Incident
from faultwire_consumer.web.page.incident import answers
from faultwire_consumer.web.page.incident.asked import PageAsked
from faultwire_consumer.web.page.incident.event_part import EventPart, event_part, heading
from faultwire_consumer.web.page.incident.reading import PageMaterial
from faultwire_consumer.web.page.incident.state import StateClause, state_sentence
from faultwire_consumer.web.page.incident.table import EventTable, table_of
from faultwire_consumer.web.page.incident.timeline import Timeline, timeline
from faultwire_consumer.web.page.verb_choices import VerbChoices

_RELEASES: Final = 20


class LinksOut(Struct, frozen=True):
    """Links that lead out: to lines of source, and to a new issue in a tracker."""

    sources: SourceLinks = NO_SOURCE_LINKS
    has_tracker: bool = False


NO_LINKS: Final = LinksOut()


class ListCrumb(Struct, frozen=True, kw_only=True):
    """The way back to the list, and to the incidents beside this one there."""

    list_address: str
    list_text: str
    previous: str | None
    following: str | None


class IncidentView(Struct, frozen=True, kw_only=True):
    """The whole page."""

    incident: Incident
    name: str
    type: str
    message: str
    sentence: tuple[StateClause, ...]
    growth: str | None
    crumb: ListCrumb
    choices: VerbChoices
    began: answers.BeganAnswer
    often: answers.OftenAnswer
    people: tuple[answers.NamedPerson, ...]
    people_sampled: int
    where: tuple[answers.KeyShares, ...]
    told: answers.ToldAnswer
    event: EventPart | None
    table: EventTable
    timeline: Timeline
    tags: tuple[answers.KeyShares, ...]
    uncounted_tags: int
    releases: tuple[ReleaseCount, ...]
    more_releases: int
    merged: tuple[str, ...]
    counted_since: datetime | None


def view_incident(
    found: PageMaterial,
    asked: PageAsked,
    *,
    now: datetime,
    grows: Sequence[int],
    me: str,
    links: LinksOut = NO_LINKS,
) -> IncidentView:
    """Return the page of an incident.

    Args:
        found: everything that was read.
        asked: what the address chooses.
        now: the time.
        grows: the counts that are told as growth.
        me: the name of who reads, as histories keep it; empty where nobody signs in.
        links: where sources and issues are.
    """
    incident, figures = found.incident, found.figures
    kind, message = heading(incident.title, found.shown.event if found.shown is not None else None)
    more_told = found.more_told
    return IncidentView(
        incident=incident,
        name=incident_name(incident.id),
        type=kind,
        message=message,
        sentence=state_sentence(incident, found.history),
        growth=answers.growth_words(incident),
        crumb=_crumb(found, asked),
        choices=_choices(found, me, links),
        began=answers.began(incident, figures, found.sights),
        often=answers.how_often(found.hours, figures, asked, now=now),
        people=answers.people(found.people, asked),
        people_sampled=found.people.sampled,
        where=answers.telling(figures, asked),
        told=answers.told(incident, found.told, is_more=more_told, grows=grows),
        event=event_part(found.shown, asked, links.sources) if found.shown is not None else None,
        table=table_of(found, asked),
        timeline=timeline(found.history, found.told, figures.releases),
        tags=answers.tag_shares(figures, asked),
        uncounted_tags=figures.uncounted_tags,
        releases=figures.releases[-_RELEASES:],
        more_releases=figures.more_releases + max(0, len(figures.releases) - _RELEASES),
        merged=tuple(map(incident_name, found.merged)),
        counted_since=figures.counted_since,
    )


def _crumb(found: PageMaterial, asked: PageAsked) -> ListCrumb:
    came_from, listed = asked.list_before, found.listed
    previous, following = (
        asked.elsewhere(f"/incidents/{incident_name(one)}") if one is not None else None
        for one in (listed.previous, listed.following)
    )
    return ListCrumb(
        list_address=came_from.address if came_from is not None else "/",
        list_text=came_from.text if came_from is not None else "",
        previous=previous,
        following=following,
    )


def _choices(found: PageMaterial, me: str, links: LinksOut) -> VerbChoices:
    incident = found.incident
    state = state_of(incident.status, is_muted=incident.terms.mute is not None)
    environments = next((key.values for key in found.figures.tags if key.key == "environment"), ())
    similar = found.shown.similar if found.shown is not None else ()
    path = f"/incidents/{incident_name(incident.id)}"
    return VerbChoices(
        path=path,
        version=incident.version,
        verbs=offered_verbs(
            state, is_assigned=incident.assignee is not None, is_linked=incident.terms.link is not None
        ),
        main=_main_verb(incident.status),
        me=me,
        people=found.accounts,
        last_release=newest_release(found.sights),
        environments=tuple(value.value for value in environments),
        similar=tuple((incident_name(one.id), one.title) for one in similar),
        silence=f"/rules?{urlencode({'service': incident.service, 'code': incident.code})}#new",
        link=incident.terms.link,
        new_issue=f"{path}/new-issue" if links.has_tracker else None,
        link_text=short_link(incident.terms.link) if incident.terms.link is not None else "",
    )


def _main_verb(status: Status) -> Verb:
    return {
        Status.OPEN: Verb.ACKNOWLEDGE,
        Status.ACKNOWLEDGED: Verb.RESOLVE,
        Status.RESOLVED: Verb.REOPEN,
    }[status]
