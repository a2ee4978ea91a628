"""What an incident's page shows is decided by pure functions: its sentence, its answers, its trace."""

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from faultwire_consumer.domain.figures.order import IncidentOrder
from faultwire_consumer.domain.incident import Status, TransitionReason, Verb
from faultwire_consumer.domain.incident_terms import Mute, Resolution, Terms
from faultwire_consumer.domain.lifecycle.arguments import ARGUMENTS
from faultwire_consumer.domain.lifecycle.offer import offered_verbs
from faultwire_consumer.domain.lifecycle.table import LifeState
from faultwire_consumer.domain.query.text import parse_query
from faultwire_consumer.domain.report.trace import trace_lines
from faultwire_consumer.domain.sending import NotificationState
from faultwire_consumer.store.events.figures.reading import (
    IncidentFigures,
    KeyCount,
    ReleaseCount,
    ValueCount,
)
from faultwire_consumer.store.events.incidents import HistoryEntry, Incident
from faultwire_consumer.store.events.position import EventPlace
from faultwire_consumer.store.outbox.queries import StoredNotification
from faultwire_consumer.web.page.incident import answers
from faultwire_consumer.web.page.incident.asked import ChartSpan, PageAsked, search_events
from faultwire_consumer.web.page.incident.event_part import heading, in_common
from faultwire_consumer.web.page.incident.facts import crumb_of, place_words
from faultwire_consumer.web.page.incident.source import colour, view_source
from faultwire_consumer.web.page.incident.stack import ExceptionView, FrameView, TraceOrder, view_chain
from faultwire_consumer.web.page.incident.state import state_sentence
from faultwire_consumer.web.page.incident.timeline import SHOWN, timeline
from faultwire_consumer.web.page.listed import FROM_CHARACTERS, read_from
from faultwire_consumer.web.page.verb_choices import SHAPED, VerbChoices
from faultwire_shared.event import ErrorSeverity, Event, ExceptionInfo, Frame

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


def make_incident(**fields: Any) -> Incident:
    given: dict[str, Any] = {
        "id": 7,
        "service": "billing",
        "title": "ValueError: bad",
        "culprit": "shop.pay in charge",
        "severity": ErrorSeverity.HIGH,
        "category": "system",
        "code": "",
        "status": Status.OPEN,
        "count": 42,
        "first_seen_at": NOW - 72 * HOUR,
        "last_seen_at": NOW,
        "episode": 1,
        "resolved_at": None,
        "last_release": "2.4.1",
        "assignee": None,
        "version": 3,
        "terms": Terms(),
        "urgency": 0,
        "growth": 0,
        "is_new": False,
        "users": 3,
        "users_exact": True,
    }
    return Incident(**given | fields)


def entry(reason: TransitionReason, hours: int, actor: str = "ada", **fields: Any) -> HistoryEntry:
    given: dict[str, Any] = {
        "event_id": None,
        "before": None,
        "after": "open",
        "detail": None,
        "note": None,
        "release": None,
    }
    return HistoryEntry(at=NOW - hours * HOUR, actor=actor, reason=reason.value, **given | fields)


def sentence(incident: Incident, *history: HistoryEntry) -> str:
    clauses = state_sentence(incident, history)
    said = []
    for clause in clauses:
        hours = "" if clause.at is None else f" {round((NOW - clause.at) / HOUR)}h {clause.form}"
        said.append(f"{'*' if clause.is_strong else ''}{clause.text}{hours}")
    return "; ".join(said)


def test_an_open_incident_says_since_when_and_that_nobody_has_it() -> None:
    assert sentence(make_incident()) == "open for 72h since; *nobody has acknowledged it"
    reopened = entry(TransitionReason.REOPENED, 2)
    assert sentence(make_incident(assignee="ada"), reopened) == "open again for 2h since; ada has it"


def test_an_incident_that_came_back_says_in_which_release() -> None:
    back = entry(TransitionReason.REGRESSED, 1, "worker", event_id="e1", release="2.4.1")
    again = make_incident(episode=2)
    assert sentence(again, back).startswith("*came back in 2.4.1 1h ago; *nobody")
    assert "for the 2nd time" in sentence(make_incident(episode=3), back)


def test_a_resolved_incident_says_in_which_release_and_by_whom() -> None:
    resolved = make_incident(
        status=Status.RESOLVED, resolved_at=NOW, terms=Terms(resolution=Resolution(release="2.4.1"))
    )
    said = sentence(resolved, entry(TransitionReason.RESOLVED, 2))
    assert said == "resolved in release 2.4.1 by ada, 2h ago"
    quiet = entry(TransitionReason.AUTO_RESOLVED, 1, "worker", detail="nothing for 14 days")
    assert sentence(make_incident(status=Status.RESOLVED), quiet) == "resolved, 1h ago; nothing for 14 days"


def test_an_acknowledged_incident_says_by_whom_and_until_when() -> None:
    until = Terms(acknowledged_until=NOW + 3 * HOUR)
    said = sentence(
        make_incident(status=Status.ACKNOWLEDGED, terms=until), entry(TransitionReason.ACKNOWLEDGED, 5)
    )
    assert said == "acknowledged by ada, 5h ago; until -3h short"


@pytest.mark.parametrize(
    ("mute", "words"),
    [
        (Mute(at=NOW, until=NOW + HOUR), "*muted by ada until -1h short"),
        (Mute(at=NOW, count=100, within_seconds=3600), "*muted until 100 more within 1h by ada"),
        (Mute(at=NOW, reason="a partner's fault"), "*muted for ever by ada: a partner's fault"),
    ],
)
def test_a_muted_incident_says_until_when_and_why(mute: Mute, words: str) -> None:
    muted = make_incident(terms=Terms(mute=mute))
    assert sentence(muted, entry(TransitionReason.MUTED, 1)).endswith(words)


def test_verbs_that_would_change_nothing_are_not_offered() -> None:
    assert Verb.REOPEN not in offered_verbs(LifeState.OPEN)
    assert Verb.ACKNOWLEDGE not in offered_verbs(LifeState.ACKNOWLEDGED)
    resolved = offered_verbs(LifeState.RESOLVED)
    assert Verb.REOPEN in resolved
    assert not {Verb.RESOLVE, Verb.ACKNOWLEDGE, Verb.MUTE, Verb.UNMERGE} & set(resolved)
    assert Verb.UNMUTE in offered_verbs(LifeState.OPEN_MUTED)
    assert Verb.UNASSIGN not in offered_verbs(LifeState.OPEN)
    assert {Verb.UNASSIGN, Verb.UNLINK} < set(offered_verbs(LifeState.OPEN, is_assigned=True, is_linked=True))
    assert offered_verbs(LifeState.MERGED) == (Verb.UNMERGE,)


FIGURES = IncidentFigures(
    counted_since=None,
    releases=(ReleaseCount("1.9.0", NOW - 9 * HOUR, NOW, 3), ReleaseCount("1.10.0", NOW - HOUR, NOW, 39)),
    more_releases=0,
    tags=(
        KeyCount("environment", (ValueCount("production", 30), ValueCount("staging", 12)), 0),
        KeyCount("host", (ValueCount("web-1", 42),), 0),
        KeyCount("tag.request", tuple(ValueCount(f"r{number}", 1) for number in range(20)), 22),
        KeyCount("tag.region", (ValueCount("eu", 40), ValueCount("us", 2)), 0),
        KeyCount("tag.plan", (ValueCount("team", 5),), 0),
    ),
    uncounted_tags=0,
)


def test_the_release_of_origin_is_the_first_seen_and_never_the_first_by_name() -> None:
    sights = {"1.8.0": NOW - 90 * HOUR, "1.9.0": NOW - 9 * HOUR, "1.10.0": NOW - HOUR}
    found = answers.began(make_incident(), FIGURES, sights)
    assert (found.release, found.before) == ("1.9.0", "1.8.0")
    nowhere = answers.began(
        make_incident(),
        IncidentFigures(counted_since=None, releases=(), more_releases=0, tags=(), uncounted_tags=0),
        {},
    )
    assert (nowhere.release, nowhere.before) == (None, None)


def test_where_shows_the_environment_and_the_tags_that_tell_most() -> None:
    shown = answers.telling(FIGURES, PageAsked())
    assert [one.key for one in shown] == ["environment", "region", "plan"]
    assert [(value.value, value.percent) for value in shown[0].values] == [
        ("production", 71),
        ("staging", 29),
    ]
    assert shown[1].values[0].address == "?query=tag.region%3A%22eu%22#events"
    everything = answers.tag_shares(FIGURES, PageAsked())
    assert [one.key for one in everything] == ["request", "region", "plan", "host"]
    assert everything[0].more == 39


def test_a_tag_whose_name_the_language_cannot_write_is_searched_as_text() -> None:
    for name, value in (("region", "e u"), ("<b>", 'say "hi"'), ("a b", "x" * 500)):
        assert parse_query(answers.tag_term(name, value)).terms


def test_the_chart_has_the_span_that_is_asked_for_and_the_releases_that_began_in_it() -> None:
    hours = {NOW - HOUR: 5, NOW - 100 * HOUR: 2}
    day = answers.how_often(hours, FIGURES, PageAsked(), now=NOW)
    assert (len(day.chart.bars), day.chart.total) == (24, 5)
    assert [mark.label for mark in day.chart.marks] == ["1.9.0", "1.10.0"]
    week = answers.how_often(hours, FIGURES, PageAsked(span=ChartSpan.WEEK), now=NOW)
    assert (len(week.chart.bars), week.chart.total) == (28, 7)
    assert [link.is_shown for link in week.spans] == [False, True, False]
    assert day.spans[2].address == "?span=30d#often"


def test_growth_is_said_only_where_it_is_worse() -> None:
    assert answers.growth_words(make_incident(growth=150)) is None
    assert answers.growth_words(make_incident(growth=900)) == "\N{MULTIPLICATION SIGN}9 in the last 2 hours"


def notification(state: NotificationState, **fields: Any) -> StoredNotification:
    given: dict[str, Any] = {
        "id": 5,
        "idempotency_key": "k",
        "receiver": "oncall",
        "rule": "high",
        "kind": "incident",
        "reason": "new",
        "incident_id": 7,
        "severity": ErrorSeverity.HIGH,
        "event_id": None,
        "detail": "",
        "created_at": NOW,
        "due_at": NOW + HOUR,
        "state": state,
        "state_reason": None,
        "carrier_id": None,
        "attempts": 1,
        "attempted_at": NOW,
        "finished_at": NOW,
    }
    return StoredNotification(**given | fields)


@pytest.mark.parametrize(
    ("one", "mark", "words"),
    [
        (notification(NotificationState.SENT), "ok", "new"),
        (notification(NotificationState.SENT, attempts=2), "ok", "new, at try 2"),
        (notification(NotificationState.GIVEN_UP, state_reason="refused"), "no", "new, given up: refused"),
        (notification(NotificationState.STOPPED, state_reason="muted"), "soft", "new, not sent: muted"),
        (notification(NotificationState.CARRIED), "soft", "new, in a summary"),
        (notification(NotificationState.WAITING), "soft", "new, waits until"),
    ],
)
def test_a_notification_says_what_became_of_it(one: StoredNotification, mark: str, words: str) -> None:
    line = answers.told_line(one)
    assert (line.mark, line.words) == (mark, words)
    assert line.at == (NOW + HOUR if one.state is NotificationState.WAITING else NOW)


def test_what_would_be_told_next_is_said_unless_nothing_would() -> None:
    grows = (10, 100, 1_000)
    assert answers.told(make_incident(), (), is_more=False, grows=grows).next_words == (
        "when it passes 100 events"
    )
    for quiet in (
        make_incident(status=Status.RESOLVED),
        make_incident(terms=Terms(mute=Mute(at=NOW))),
        make_incident(count=5_000),
    ):
        assert not answers.told(quiet, (), is_more=False, grows=grows).next_words


def test_one_timeline_has_everything_newest_first_and_is_bounded() -> None:
    history = [
        entry(TransitionReason.COMMENTED, 1, note="the partner knows"),
        entry(TransitionReason.OPENED, 9, "worker", event_id="e1", release="1.9.0"),
    ]
    told = [notification(NotificationState.SENT, finished_at=NOW - 2 * HOUR)]
    found = timeline(history, told, FIGURES.releases)
    assert [one.words for one in found.entries] == ["", "first seen in", "oncall: new", "opened"]
    comment, release, _, opened = found.entries
    assert (comment.by, comment.note) == ("ada", "the partner knows")
    assert (release.release, opened.release, opened.by) == ("1.10.0", "1.9.0", "")
    many = timeline([entry(TransitionReason.MUTED, number) for number in range(99)], told, ())
    assert (len(many.entries), many.is_more) == (SHOWN, True)


def test_a_reason_that_this_version_does_not_know_is_told_in_its_own_words() -> None:
    strange = HistoryEntry(
        at=NOW,
        actor="ada",
        reason="put_aside",
        event_id=None,
        before=None,
        after="open",
        detail="x",
        note=None,
        release=None,
    )
    assert timeline([strange], [], ()).entries[0].words == "put aside x"


@pytest.mark.parametrize(
    ("place", "words"),
    [
        (EventPlace(0, 0), "1 of 1"),
        (EventPlace(2, 7), "3 of 10"),
        (EventPlace(None, 0), "the newest"),
        (EventPlace(None, 12), "12 newer"),
        (EventPlace(4, None), "number 5"),
        (EventPlace(None, None), ""),
    ],
)
def test_an_event_says_which_it_is_as_far_as_that_was_counted(place: EventPlace, words: str) -> None:
    assert place_words(place) == words


def test_a_heading_is_the_type_and_what_events_have_in_common() -> None:
    def event(value: str) -> Event:
        raised = ExceptionInfo(type="GatewayDown", module="acme", value=value)
        return Event(
            id="e",
            schema_version=1,
            occurred_at=NOW,
            severity=ErrorSeverity.HIGH,
            service="s",
            exceptions=[raised],
        )

    title = "GatewayDown: order 17 refused after 3 tries"
    assert heading(title, event("order 90 refused after 3 tries")) == (
        "GatewayDown",
        "order … refused after 3 tries",
    )
    assert heading(title, event("order 17 refused after 3 tries"))[1] == "order 17 refused after 3 tries"
    assert heading(title, None) == ("GatewayDown", "order 17 refused after 3 tries")
    assert heading("GatewayDown", event("")) == ("GatewayDown", "")
    assert heading("no such file: 'x'", None) == ("no such file: 'x'", "")
    long = f"GatewayDown: {'word ' * 40}"[:200]
    assert heading(long, None)[1].endswith("wo…")
    assert in_common("order 17 (web-3)", "order") == "order … (…)"


def frame(number: int, *, in_app: bool = True, **fields: Any) -> Frame:
    given: dict[str, Any] = {
        "file": f"shop/f{number}.py",
        "qualname": "Shop.call",
        "line": 10 + number,
        "context": ["    call()"],
    }
    return Frame(in_app=in_app, **given | fields)


def frames_in(views: tuple[ExceptionView, ...]) -> list[FrameView]:
    return [call for view in views for fold in view.folds for call in fold.frames]


def test_the_order_of_calls_and_causes_can_be_turned() -> None:
    chain = [
        ExceptionInfo(type="Outer", frames=[frame(1), frame(2)]),
        ExceptionInfo(type="Inner", frames=[frame(3)]),
    ]
    first = view_chain(chain)
    assert [(view.relation, view.type) for view in first] == [("Raised", "Outer"), ("Caused by", "Inner")]
    assert [call.place for call in frames_in(first)] == ["shop/f2.py:12", "shop/f1.py:11", "shop/f3.py:13"]
    python = view_chain(chain, order=TraceOrder.PYTHON)
    assert [(view.relation, view.type) for view in python] == [("Raised", "Inner"), ("Led to", "Outer")]
    assert [call.place for call in frames_in(python)] == ["shop/f3.py:13", "shop/f1.py:11", "shop/f2.py:12"]


def test_calls_of_libraries_are_folded_unless_there_are_no_others() -> None:
    mixed = [frame(1, in_app=False), frame(2, in_app=False), frame(3)]
    folds = view_chain([ExceptionInfo(type="E", frames=mixed)])[0].folds
    assert [(fold.folded, len(fold.frames)) for fold in folds] == [(False, 1), (True, 2)]
    folds = view_chain([ExceptionInfo(type="E", frames=mixed[:2])])[0].folds
    assert [fold.folded for fold in folds] == [False]


def test_a_trace_is_bounded_however_it_is_nested() -> None:
    many = [frame(number) for number in range(500)]
    (view,) = view_chain([ExceptionInfo(type="RecursionError", frames=many)])
    assert len(frames_in((view,))) + view.left_out == 500
    assert (view.folds[0].frames[0].place, view.left_out) == ("shop/f499.py:509", 380)

    def nested(depth: int) -> list[ExceptionInfo]:
        members = [nested(depth - 1) for _ in range(3)] if depth else []
        return [ExceptionInfo(type="Group", members=members, frames=[frame(depth)])]

    def count(views: tuple[ExceptionView, ...]) -> int:
        return sum(1 + sum(map(count, view.members)) for view in views)

    views = view_chain(nested(8))
    assert count(views) == 40
    assert views[0].more_members > 0 or any(view.more_members for view in views[0].members[-1])
    assert not view_chain([])


def test_local_variables_are_shown_where_they_came_and_links_where_they_are_known() -> None:
    given = frame(1, vars={f"v{number}": "x" * 2_000 for number in range(90)})
    (call,) = frames_in(
        view_chain([ExceptionInfo(type="E", frames=[given])], link_of=lambda one: f"https://x/{one.line}")
    )
    assert (len(call.variables), len(call.variables[0][1]), call.link) == (50, 1_000, "https://x/11")


def test_the_line_that_ran_is_marked_with_its_number_and_empty_edges_are_left_out() -> None:
    lines = view_source(2, ["", "", "a = 1", "b()", ""], is_python=True)
    assert [(line.number, "".join(piece.text for piece in line.pieces), line.ran) for line in lines] == [
        (2, "a = 1", True),
        (3, "b()", False),
    ]
    (only,) = view_source(0, ["go()"], is_python=False)
    assert (only.number, only.ran) == (None, True)
    assert view_source(5, [], is_python=True) == ()
    long = view_source(500, ["x" * 900] * 99, is_python=False)
    assert len(long) == 11
    assert max(len(line.pieces[0].text) for line in long) == 201


def test_source_is_coloured_by_kinds_and_its_text_stays_the_same() -> None:
    lines = ('def pay(self):  # "x"', '    """A', '    b"""', "    return 3 and 'a\\n'", "")
    rows = colour(lines)
    assert ["".join(piece.text for piece in row) for row in rows] == list(lines)
    kinds = {piece.kind for row in rows for piece in row}
    assert {"k", "d", "c", "s", "n", ""} <= kinds


@pytest.mark.parametrize("text", ["'", '"""', "f'{", "\\", "\x00\u202e", "if ((((", "é = 1", ""])
def test_source_that_is_no_python_is_shown_as_it_is(text: str) -> None:
    assert ["".join(piece.text for piece in row) for row in colour((text, "x"))] == [text, "x"]


def test_a_breadcrumb_is_one_line_with_its_seconds_before() -> None:
    at = NOW
    crumb = crumb_of(
        {
            "timestamp": "2026-11-23T11:59:59.100Z",
            "category": "http",
            "message": "GET\n/pay",
            "level": "error",
            "data": {"status": 503, "list": [1]},
        },
        at,
    )
    assert (crumb.seconds, crumb.kind, crumb.message) == ("\N{MINUS SIGN}0.9 s", "http", "GET /pay")
    assert (crumb.data, crumb.is_bad) == ("status 503 · list [1]", True)
    assert crumb_of({"timestamp": (NOW - HOUR).timestamp(), "x": 1}, at).seconds == "\N{MINUS SIGN}60 min"
    for strange in ({}, {"timestamp": "soon"}, {"timestamp": None}, {"timestamp": "9999-12-31T23:59:59"}):
        assert crumb_of(strange, at).message == ""


def test_an_address_keeps_what_was_chosen_and_finds_the_way_back() -> None:
    asked = PageAsked(span=ChartSpan.WEEK, came_from="query=is%3Aopen")
    assert asked.to() == "?span=7d&from=query%3Dis%253Aopen"
    second = PageAsked(cursor="c1", trail=("0",))
    assert second.newer() == "?#events"
    third = PageAsked(cursor="c2", trail=("0", "c1"))
    assert third.newer() == "?cursor=c1&back=0#events"
    assert second.older("c2") == "?cursor=c2&back=0~c1#events"
    assert PageAsked().newer() is None
    assert third.elsewhere("/e/x") == "/e/x"


def test_a_search_among_events_stays_within_the_incident() -> None:
    found = search_events(7, "user:18 incident:INC-9")
    assert found.problem is None
    assert len(found.query.terms) == 3
    assert search_events(7, "usr:18").problem is not None


def test_the_list_before_is_read_from_its_query_string_and_no_other_text() -> None:
    found = read_from("query=service%3Abilling&sort=users")
    assert found is not None
    assert (found.text, found.order) == ('service:"billing"', IncidentOrder.USERS)
    assert found.address == "/?query=service%3Abilling&sort=users"
    usual = read_from("sort=urgent")
    assert usual is not None
    assert usual.text == 'is:"unresolved" -is:"muted"'
    for wrong in ("", "query=usr%3Ax", "sort=no", "x" * (FROM_CHARACTERS + 1), "query=a\nb", "severity=loud"):
        assert read_from(wrong) is None


def test_python_s_form_is_what_python_prints() -> None:
    import traceback  # noqa: PLC0415 - here alone

    def crash() -> None:
        raise ValueError("two\nlines")

    def fail() -> None:
        try:
            crash()
        except ValueError as error:
            error.add_note("a note")
            raise KeyError("outer") from error

    with pytest.raises(KeyError) as caught:
        fail()
    raised = caught.value
    chain = []
    one: BaseException | None = raised
    while one is not None:
        frames = [
            Frame(file=call.filename, qualname=call.name, line=call.lineno or 0, context=[call.line or ""])
            for call in traceback.extract_tb(one.__traceback__)
        ]
        notes = list(getattr(one, "__notes__", ()))
        chain.append(
            ExceptionInfo(
                type=type(one).__name__, module="builtins", value=str(one), notes=notes, frames=frames
            )
        )
        one = one.__cause__
    printed = "".join(traceback.format_exception(raised)).splitlines()
    without_carets = [line for line in printed if set(line.strip()) - set("^~") or not line]
    assert trace_lines(chain) == without_carets


def test_a_verb_without_a_menu_has_a_form_that_takes_all_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("faultwire_consumer.web.page.verb_choices.SHAPED", SHAPED - {Verb.MUTE, Verb.LINK})
    choices = VerbChoices(path="/x", version=1, verbs=tuple(Verb), main=None, me="ada")
    forms = {form.verb: {field.name for field in form.fields} for form in choices.plain_forms}
    assert forms == {
        verb: {field.name for field in msgspec.structs.fields(ARGUMENTS[verb])}
        for verb in (Verb.MUTE, Verb.LINK)
    }
