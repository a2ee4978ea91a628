"""The five answers at the head of an incident: began, how often, who, where, told."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final
from urllib.parse import urlencode

from msgspec import Struct

from faultwire_consumer.domain.figures.urgency import WORSE_PERCENT
from faultwire_consumer.domain.figures.value_count import ENVIRONMENT, HOST, TAG
from faultwire_consumer.domain.incident import Status
from faultwire_consumer.domain.query.query import Key, any_of, print_query
from faultwire_consumer.domain.release_order import FirstSights
from faultwire_consumer.domain.sending import NotificationState
from faultwire_consumer.store.events.figures.reading import IncidentFigures, KeyCount
from faultwire_consumer.store.events.incidents import Incident
from faultwire_consumer.store.events.people import PeopleNamed
from faultwire_consumer.store.outbox.queries import StoredNotification
from faultwire_consumer.web.page.chart import Chart, draw_chart
from faultwire_consumer.web.page.incident.asked import ChartSpan, PageAsked
from faultwire_consumer.web.page.listed import list_address

_TELLING: Final = 2
"""The tags that stand beside the environment."""
_VALUES: Final = 3
_KEYS: Final = 12
_TOLD: Final = 4
_MARKS: Final = 8
_QUERY_VALUE_CHARACTERS: Final = 200


class ValueShare(Struct, frozen=True, kw_only=True):
    """A value, how many of a key's events have it, and where they are."""

    value: str
    count: int
    percent: int
    address: str


class KeyShares(Struct, frozen=True, kw_only=True):
    """A key and its commonest values."""

    key: str
    values: tuple[ValueShare, ...]
    more: int
    """Events with other values."""


class BeganAnswer(Struct, frozen=True, kw_only=True):
    """The release and time of the first event."""

    release: str | None
    at: datetime
    before: str | None
    """The service's last release that was seen before it, in which it was not."""
    news: str
    """Where the incidents stand that began in the same release; without one, the service's releases."""


class SpanLink(Struct, frozen=True):
    """A time that the chart may show."""

    span: ChartSpan
    address: str
    is_shown: bool


class OftenAnswer(Struct, frozen=True, kw_only=True):
    """Events by time."""

    chart: Chart
    spans: tuple[SpanLink, ...]
    label: str
    peak_at: datetime | None


class NamedPerson(Struct, frozen=True):
    """A user, how many of the newest events name it, and where those are."""

    name: str
    count: int
    address: str


class ToldLine(Struct, frozen=True, kw_only=True):
    """A notification in a line."""

    mark: str
    """``ok``, ``no`` or ``soft``: went out, will never, or neither."""
    receiver: str
    words: str
    at: datetime
    address: str


class ToldAnswer(Struct, frozen=True, kw_only=True):
    """The last notifications, and the next one."""

    lines: tuple[ToldLine, ...]
    total: int
    is_more: bool
    next_words: str
    all_address: str


def began(incident: Incident, figures: IncidentFigures, sights: FirstSights) -> BeganAnswer:
    """Return when an incident began, in which release, and in which it was not seen yet."""
    first = figures.releases[0] if figures.releases else None
    release = first.release if first is not None and not figures.more_releases else None
    since = sights.get(release, incident.first_seen_at) if release else incident.first_seen_at
    older = {name: at for name, at in sights.items() if at < since and name != release}
    before = max(older, key=lambda name: (older[name], name), default=None)
    news = f"/releases?{urlencode({'service': incident.service})}"
    if release:
        service = any_of(Key.SERVICE, [incident.service])
        news = list_address(service + any_of(Key.FIRST_RELEASE, [release]))
    return BeganAnswer(release=release, at=incident.first_seen_at, before=before, news=news)


def how_often(
    hours: Mapping[datetime, int], figures: IncidentFigures, asked: PageAsked, *, now: datetime
) -> OftenAnswer:
    """Return the chart of a span with the releases that began within it."""
    marks = [(one.first_seen_at, one.release) for one in figures.releases[-_MARKS:]]
    span = asked.span
    chart = draw_chart(hours, now=now, steps=span.steps, hours=span.hours, marks=marks)
    tallest = max(chart.bars, key=lambda bar: bar.count)
    events = "event" if chart.total == 1 else "events"
    step = {1: "an hour", 6: "in six hours", 24: "a day"}[span.hours]
    return OftenAnswer(
        chart=chart,
        spans=tuple(SpanLink(one, asked.to(anchor="often", span=one), one is span) for one in ChartSpan),
        label=f"{chart.total:,} {events} in {span.value}, at most {chart.most:,} {step}",
        peak_at=tallest.at if tallest.count else None,
    )


def growth_words(incident: Incident) -> str | None:
    """Return how much more often it occurs now; None where it does not."""
    if incident.growth < WORSE_PERCENT:
        return None
    return f"\N{MULTIPLICATION SIGN}{incident.growth / 100:.0f} in the last 2 hours"


def people(named: PeopleNamed, asked: PageAsked) -> tuple[NamedPerson, ...]:
    """Return the users whom its newest events name most often."""
    return tuple(
        NamedPerson(user.value, user.count, _search(asked, print_query(any_of(Key.USER, [user.value]))))
        for user in named.users
    )


def telling(figures: IncidentFigures, asked: PageAsked) -> tuple[KeyShares, ...]:
    """Return the environments, and the tags that tell most."""
    keys = [key for key in figures.tags if key.key == ENVIRONMENT]
    tags = [key for key in figures.tags if key.key.startswith(TAG)]
    ranked = sorted(tags, key=lambda tag: (-_weight(tag), tag.key))
    return tuple(shares_of(key, asked) for key in (*keys, *ranked[:_TELLING]))


def tag_shares(figures: IncidentFigures, asked: PageAsked) -> tuple[KeyShares, ...]:
    """Return every key that is counted, up to a number of them: tags, then hosts."""
    order = {TAG: 0, HOST: 1}
    keys = [key for key in figures.tags if key.key != ENVIRONMENT]
    ranked = sorted(keys, key=lambda key: order.get(key.key, 0))
    return tuple(shares_of(key, asked) for key in ranked[:_KEYS])


def _weight(tag: KeyCount) -> float:
    """Return how much a tag tells: how many events have one of its three commonest values."""
    return float(sum(value.count for value in tag.values[:_VALUES])) - tag.other


def shares_of(key: KeyCount, asked: PageAsked) -> KeyShares:
    """Return a key's commonest values, each with its share of the events that have the key."""
    total = sum(value.count for value in key.values) + key.other
    shown = key.values[:_VALUES]
    return KeyShares(
        key=key.key.removeprefix(TAG),
        values=tuple(
            ValueShare(
                value=one.value,
                count=one.count,
                percent=round(100 * one.count / total) if total else 0,
                address=_search(asked, _term(key.key, one.value)),
            )
            for one in shown
        ),
        more=total - sum(one.count for one in shown),
    )


def _term(key: str, value: str) -> str:
    if key.startswith(TAG):
        return tag_term(key.removeprefix(TAG), value)
    return print_query(any_of(Key(key), [value[:_QUERY_VALUE_CHARACTERS]]))


def tag_term(name: str, value: str) -> str:
    """Return the term of the operators' language for a tag; as a text where its name cannot be written."""
    is_name = all(character.isalnum() or character in "_.-" for character in name) and name
    if not is_name:
        return print_query(any_of(Key.TEXT, [f"{name}:{value}"[:_QUERY_VALUE_CHARACTERS]]))
    written = print_query(any_of(Key.USER, [value[:_QUERY_VALUE_CHARACTERS]])).removeprefix("user:")
    return f"{TAG}{name}:{written}"


def _search(asked: PageAsked, text: str) -> str:
    return asked.to(anchor="events", query=text, cursor=None, trail=())


def told(
    incident: Incident, notifications: Sequence[StoredNotification], *, is_more: bool, grows: Sequence[int]
) -> ToldAnswer:
    """Return the last notifications of an incident, and what would bring the next one.

    Args:
        incident: the incident.
        notifications: the newest first.
        is_more: there are older ones.
        grows: the counts that are told as growth.
    """
    waiting = [one for one in notifications if one.state is NotificationState.WAITING]
    following = next((number for number in grows if number > incident.count), None)
    quiet = incident.status is Status.RESOLVED or incident.muted is not None
    words = f"when it passes {following:,} events" if following and not quiet else ""
    return ToldAnswer(
        lines=tuple(map(told_line, notifications[:_TOLD])),
        total=len(notifications),
        is_more=is_more,
        next_words="" if waiting else words,
        all_address=f"/told?incident=INC-{incident.id}",
    )


class _StateWords(Struct, frozen=True):
    mark: str
    words: str


_LINES: Final = {
    NotificationState.SENT: _StateWords("ok", "{about}"),
    NotificationState.GIVEN_UP: _StateWords("no", "{about}, given up{why}"),
    NotificationState.STOPPED: _StateWords("soft", "{about}, not sent{why}"),
    NotificationState.CARRIED: _StateWords("soft", "{about}, in a summary"),
    NotificationState.WAITING: _StateWords("soft", "{about}, waits{why} until"),
}


def told_line(one: StoredNotification) -> ToldLine:
    """Return a notification in a line: to whom, why, and what became of it."""
    about = one.reason.replace("_", " ")
    why = f": {one.state_reason.replace('_', ' ')}" if one.state_reason else ""
    line = _LINES[one.state]
    words = line.words.format(about=about, why=why)
    if one.state is NotificationState.SENT and one.attempts > 1:
        words += f", at try {one.attempts}"
    at = one.due_at if one.state is NotificationState.WAITING else one.finished_at or one.created_at
    return ToldLine(mark=line.mark, receiver=one.receiver, words=words, at=at, address=f"/told/{one.id}")
