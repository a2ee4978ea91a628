"""How an incident's state changes, as pure decisions: the whole table, and what stands behind its words."""

from datetime import UTC, datetime, timedelta
from itertools import product
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from tests.tools.incident import NOON, standing, touched

from faultwire_consumer.domain.incident import (
    WORKER,
    IncidentState,
    NotPossible,
    Status,
    Touched,
    Transition,
    TransitionReason,
    Verb,
)
from faultwire_consumer.domain.incident_terms import (
    NO_TERMS,
    Mute,
    Resolution,
    ResolutionBound,
    Terms,
    describe_mute,
    describe_resolution,
    encode_terms,
    read_terms,
)
from faultwire_consumer.domain.lifecycle.arguments import (
    ARGUMENTS,
    AcknowledgeArguments,
    Arguments,
    AssignArguments,
    CommentArguments,
    LinkArguments,
    MergeArguments,
    MuteArguments,
    ReopenArguments,
    ResolveArguments,
    UnassignArguments,
    UnlinkArguments,
    UnmergeArguments,
    UnmuteArguments,
    check_arguments,
    verb_of,
)
from faultwire_consumer.domain.lifecycle.decision import Act, decide, grow_quiet, join, state_now
from faultwire_consumer.domain.lifecycle.judgement import Evidence, Occurrence, judge
from faultwire_consumer.domain.lifecycle.table import (
    TABLE,
    Cause,
    Cell,
    CellNothing,
    CellRefusal,
    CellStep,
    Happening,
    LifeState,
    causes,
    state_of,
)
from faultwire_shared.event import ErrorSeverity

NOW = NOON
HOUR = timedelta(hours=1)
ISSUE = "https://git.example/issues/7"
MUTE = Mute(at=NOW - HOUR, until=NOW + HOUR)
SAID: dict[Verb, Arguments] = {
    Verb.ACKNOWLEDGE: AcknowledgeArguments(for_seconds=7200),
    Verb.RESOLVE: ResolveArguments(release="2.4.2"),
    Verb.REOPEN: ReopenArguments(),
    Verb.MUTE: MuteArguments(for_seconds=7200),
    Verb.UNMUTE: UnmuteArguments(),
    Verb.ASSIGN: AssignArguments(to="ada"),
    Verb.UNASSIGN: UnassignArguments(),
    Verb.COMMENT: CommentArguments(),
    Verb.MERGE: MergeArguments(into="INC-3"),
    Verb.UNMERGE: UnmergeArguments(),
    Verb.LINK: LinkArguments(url="https://git.example/issues/8"),
    Verb.UNLINK: UnlinkArguments(),
}


def act(arguments: Arguments, **fields: Any) -> Act:
    values: dict[str, Any] = {"arguments": arguments, "actor": "ada", "at": NOW, "note": "known"}
    return Act(**values | fields)


def terms_of(state: LifeState) -> Terms:
    return Terms(
        acknowledged_until=NOW + HOUR if state.status is Status.ACKNOWLEDGED else None,
        mute=MUTE if state.is_muted else None,
        link=ISSUE,
    )


def found_in(state: LifeState, **fields: Any) -> IncidentState:
    """An incident that an operator finds in a state; somebody has it."""
    values: dict[str, Any] = {
        "status": state.status,
        "resolved_at": NOW - HOUR if state is LifeState.RESOLVED else None,
        "terms": terms_of(state),
        "assignee": "bob",
        "merged_into": 3 if state is LifeState.MERGED else None,
    }
    return standing(**values | fields)


def left_in(state: LifeState, **fields: Any) -> Touched:
    values: dict[str, Any] = {
        "status": state.status,
        "resolved_at": NOW - HOUR if state is LifeState.RESOLVED else None,
        "terms": terms_of(state),
    }
    return touched(**values | fields)


def what_happens(state: LifeState, happening: Happening) -> Transition | None:  # noqa: PLR0911 - one for each
    """Make it happen to an incident in that state, and decide."""
    match happening:
        case Happening.CAME:
            return judge(left_in(state, newest_at=NOW - 2 * HOUR), now=NOW)
        case Happening.CAME_AGAIN:
            return judge(left_in(state, newest_at=NOW), now=NOW)
        case Happening.ROSE:
            worse = ErrorSeverity.CRITICAL
            return judge(left_in(state, newest_at=NOW - 2 * HOUR, severity=worse), now=NOW)
        case Happening.ACKNOWLEDGE_OVER:
            until = replace(terms_of(state), acknowledged_until=NOW - HOUR)
            terms = until if state.status is Status.ACKNOWLEDGED else terms_of(state)
            at = NOW - 2 * HOUR if state is LifeState.RESOLVED else NOW - timedelta(minutes=1)
            return judge(left_in(state, terms=terms, newest_at=at), now=NOW)
        case Happening.MUTE_OVER:
            terms = terms_of(state)
            if state.is_muted:
                muted = Mute(at=NOW - 2 * HOUR, until=NOW - HOUR)
                terms = replace(terms, mute=muted)
            at = NOW - 2 * HOUR if state is LifeState.RESOLVED else NOW - timedelta(minutes=1)
            return judge(left_in(state, terms=terms, newest_at=at), now=NOW)
        case Happening.QUIET:
            return grow_quiet(found_in(state), rule="critical", days=30, now=NOW)
    severity = ErrorSeverity.CRITICAL if happening is Happening.JOINED_BY_WORSE else ErrorSeverity.LOW
    status = Status.RESOLVED if happening is Happening.JOINED else Status.OPEN
    source = standing(incident_id=9, status=status, severity=severity)
    return join(act(MergeArguments(into="INC-7")), found_in(state), [source])


def test_the_table_has_every_state_with_every_cause() -> None:
    assert set(TABLE) == set(product(LifeState, causes()))


@pytest.mark.parametrize(
    ("state", "cause"),
    [
        pair
        for pair in product(LifeState, causes())
        if not (pair[0] is LifeState.MERGED and isinstance(pair[1], Happening))
    ],
)
def test_every_cell_of_the_table_is_what_comes_of_it(state: LifeState, cause: Cause) -> None:
    cell = TABLE[state, cause]
    if isinstance(cause, Verb):
        made = decide(act(SAID[cause]), found_in(state))
    else:
        made = what_happens(state, cause)
    if isinstance(cell, CellRefusal):
        assert isinstance(made, NotPossible)
        assert "{" not in made.why
        return
    if isinstance(cell, CellNothing):
        assert made is None
        return
    assert isinstance(made, Transition)
    assert made.reason is cell.reason
    assert made.before is state.status or cause is Verb.UNMERGE
    if cell.after is not LifeState.MERGED:
        after = state_of(made.after, is_muted=made.terms.mute is not None)
        assert after is cell.after


@pytest.mark.parametrize(("key", "cell"), list(TABLE.items()))
def test_the_table_keeps_the_domain_s_laws(key: tuple[LifeState, Cause], cell: Cell) -> None:
    state, cause = key
    after = cell.after if isinstance(cell, CellStep) else state
    if cause is Happening.CAME:
        assert isinstance(cell, CellNothing), "what a resolve covers never reopens"
    if state is LifeState.RESOLVED and isinstance(cause, Happening) and after is not LifeState.RESOLVED:
        assert cause in (Happening.CAME_AGAIN, Happening.JOINED_BY_UNRESOLVED, Happening.JOINED_BY_WORSE)
    if cause in (Happening.CAME_AGAIN, Happening.ROSE, Happening.JOINED_BY_WORSE) and isinstance(
        cell, CellStep
    ):
        assert after is LifeState.OPEN, "a change for the worse hides behind nothing"
    if cause in (Verb.ASSIGN, Verb.UNASSIGN, Verb.COMMENT) and state is not LifeState.MERGED:
        assert after is state
    if isinstance(cell, CellRefusal):
        assert isinstance(cause, Verb), "what happens cannot be refused"
        assert state in (LifeState.RESOLVED, LifeState.MERGED) or cause is Verb.UNMERGE


@pytest.mark.parametrize("state", [state for state in LifeState if state is not LifeState.MERGED])
def test_whoever_has_an_incident_keeps_it_whatever_happens(state: LifeState) -> None:
    made = [what_happens(state, happening) for happening in Happening]
    made += [one for verb in Verb if isinstance(one := decide(act(SAID[verb]), found_in(state)), Transition)]
    assert {one.assignment.to for one in made if one is not None and one.assignment is not None} == {
        "ada",
        None,
    }
    assert all(
        one.reason in (TransitionReason.ASSIGNED, TransitionReason.UNASSIGNED)
        for one in made
        if one is not None and one.assignment is not None
    )


@pytest.mark.parametrize("state", [state for state in LifeState if state is not LifeState.MERGED])
def test_an_incident_keeps_its_link_whatever_happens_but_an_unlink_or_another(state: LifeState) -> None:
    made = [what_happens(state, happening) for happening in Happening]
    others = [verb for verb in Verb if verb not in (Verb.LINK, Verb.UNLINK)]
    made += [
        one for verb in others if isinstance(one := decide(act(SAID[verb]), found_in(state)), Transition)
    ]
    assert {one.terms.link for one in made if one is not None} == {ISSUE}
    linked = decide(act(SAID[Verb.LINK]), found_in(state))
    unlinked = decide(act(SAID[Verb.UNLINK]), found_in(state))
    assert isinstance(linked, Transition)
    assert isinstance(unlinked, Transition)
    assert (linked.terms.link, linked.detail) == ("https://git.example/issues/8", "to git.example/issues/8")
    assert (unlinked.terms.link, unlinked.detail) == (None, "")
    assert linked.terms.mute == unlinked.terms.mute == terms_of(state).mute


def test_the_same_link_again_and_an_unlink_of_nothing_change_nothing() -> None:
    found = found_in(LifeState.OPEN)
    assert decide(act(LinkArguments(url=ISSUE)), found) is None
    assert decide(act(UnlinkArguments()), replace(found, terms=NO_TERMS)) is None


def test_an_incident_that_takes_others_takes_a_link_of_theirs_only_if_it_has_none() -> None:
    theirs = standing(incident_id=9, terms=Terms(link="https://git.example/issues/9"))
    merge = act(MergeArguments(into="INC-7"))
    assert join(merge, found_in(LifeState.OPEN), [theirs]).terms.link == ISSUE
    bare = replace(found_in(LifeState.OPEN), terms=NO_TERMS)
    assert join(merge, bare, [standing(incident_id=8), theirs]).terms.link == "https://git.example/issues/9"


@pytest.mark.parametrize(
    "url",
    [
        *(
            "",
            "git.example/7",
            "javascript:alert(1)",
            "ftp://git.example/7",
            "https://",
            "https:///7",
            "//a/7",
        ),
        *(
            "https://ada:pw@git.example/7",
            "https://git.example/a b",
            "https://git.example/\t",
            "https://é.example/",
        ),
        *(
            "https://git.example\\@evil/",
            "https://git.example:port/",
            "https://git.example/<b>",
            "https://[::1",
        ),
        *(
            "https://git.example/" + "a" * 2000,
            "https://git.example/\n",
            'https://git.example/"',
            "data:text/html,x",
        ),
    ],
)
def test_what_is_not_a_link_is_refused(url: str) -> None:
    faults = check_arguments(LinkArguments(url=url), note="", now=NOW)
    assert [fault.field for fault in faults] == ["url"]


@pytest.mark.parametrize(
    "url",
    [
        "https://git.example/issues/7?a=b#c",
        "http://localhost:3000",
        "HTTPS://Git.Example/7",
        "http://[::1]:8/",
    ],
)
def test_what_is_a_link_is_taken(url: str) -> None:
    assert not check_arguments(LinkArguments(url=url), note="", now=NOW)


def test_the_first_sight_opens_and_names_its_event() -> None:
    opened = judge(touched(first_sight=True), now=NOW)
    assert opened is not None
    assert (opened.reason, opened.before, opened.after) == (TransitionReason.OPENED, None, Status.OPEN)
    assert (opened.actor, opened.event_id, opened.episode) == (WORKER, "error_20261123_abcdefgh", 1)


@given(st.timedeltas(min_value=timedelta(days=-40), max_value=timedelta(days=40)), st.datetimes())
def test_a_resolved_incident_regresses_exactly_by_what_occurred_after_it(
    later: timedelta, arrived: datetime
) -> None:
    found = judge(
        touched(status=Status.RESOLVED, resolved_at=NOW, newest_at=NOW + later),
        now=arrived.replace(tzinfo=UTC),
    )
    assert (found is not None) == (later > timedelta(0))
    if found is not None:
        assert (found.reason, found.episode) == (TransitionReason.REGRESSED, 2)
        assert found.resolved_at is None
        assert found.terms == NO_TERMS


@pytest.mark.parametrize(("before", "after"), list(product(ErrorSeverity, repeat=2)))
def test_an_acknowledge_and_a_mute_end_with_a_rise_of_severity_and_only_then(
    before: ErrorSeverity, after: ErrorSeverity
) -> None:
    for state in (LifeState.ACKNOWLEDGED, LifeState.OPEN_MUTED, LifeState.ACKNOWLEDGED_MUTED):
        found = judge(left_in(state, severity_before=before, severity=after), now=NOW)
        assert (found is not None) == (after.rank > before.rank)
        if found is not None:
            assert (found.after, found.episode) == (Status.OPEN, 1)
            assert (found.terms.mute, found.terms.acknowledged_until) == (None, None)


def resolved_in(resolution: Resolution, *occurrences: Occurrence, **first_seen: datetime) -> str | None:
    """The event by which an incident, resolved at noon, comes back."""
    newest = max(occurrences, key=lambda one: one.at)
    found = judge(
        touched(
            status=Status.RESOLVED,
            resolved_at=NOW,
            terms=Terms(resolution=resolution),
            newest_at=newest.at,
            newest_event_id=newest.event_id,
        ),
        now=NOW + HOUR,
        evidence=Evidence(occurrences=occurrences, first_seen=first_seen),
    )
    return found.event_id if found is not None else None


def after_noon(
    name: str, release: str | None, environment: str = "production", *, minutes: int = 5
) -> Occurrence:
    return Occurrence(name, NOW + timedelta(minutes=minutes), release, environment)


@pytest.mark.parametrize(
    ("release", "bound", "comes", "again"),
    [
        ("2.4.2", ResolutionBound.FROM, "2.4.1", False),
        ("2.4.2", ResolutionBound.FROM, "2.4.2", True),
        ("2.4.2", ResolutionBound.FROM, "2.10.0", True),
        ("2.4.2", ResolutionBound.FROM, "2.4.2-rc.1", False),
        ("2.4.2", ResolutionBound.FROM, None, True),
        ("2.4.2", ResolutionBound.FROM, "", True),
        ("2.4.1", ResolutionBound.AFTER, "2.4.1", False),
        ("2.4.1", ResolutionBound.AFTER, "2.4.0", False),
        ("2.4.1", ResolutionBound.AFTER, "2.4.2", True),
        ("2.4.1", ResolutionBound.AFTER, None, True),
    ],
)
def test_an_older_release_only_counts_and_an_unknown_one_falls_back_to_time(
    release: str, bound: ResolutionBound, comes: str | None, again: bool
) -> None:
    resolution = Resolution(release=release, bound=bound)
    assert (resolved_in(resolution, after_noon("e", comes)) == "e") is again


def test_not_even_the_release_itself_reopens_what_occurred_before_the_resolve() -> None:
    before = Occurrence("e", NOW - timedelta(seconds=1), "2.4.2", "production")
    assert resolved_in(Resolution(release="2.4.2"), before) is None


def test_the_event_that_comes_again_is_found_behind_newer_ones_that_the_resolve_covers() -> None:
    covered = after_noon("covered", "2.4.1", minutes=9)
    assert (
        resolved_in(Resolution(release="2.4.2"), after_noon("again", "2.4.3", minutes=3), covered) == "again"
    )


def test_another_environment_only_counts_where_the_resolve_names_one() -> None:
    staging = after_noon("e", None, "staging")
    assert resolved_in(Resolution(environment="production"), staging) is None
    assert resolved_in(Resolution(environment="staging"), staging) == "e"
    assert resolved_in(Resolution(release="2.0"), staging) == "e"


def test_releases_without_numbers_are_judged_by_their_first_sight() -> None:
    seen = {"aaaa": NOW - 3 * HOUR, "bbbb": NOW - 2 * HOUR, "cccc": NOW + timedelta(minutes=1)}
    resolution = Resolution(release="bbbb")
    assert resolved_in(resolution, after_noon("e", "aaaa"), **seen) is None
    assert resolved_in(resolution, after_noon("e", "bbbb"), **seen) == "e"
    assert resolved_in(resolution, after_noon("e", "cccc"), **seen) == "e"


def test_a_release_that_was_misspelt_cannot_hide_what_comes_in_new_ones() -> None:
    seen = {"aaaa": NOW - 3 * HOUR, "cccc": NOW + timedelta(minutes=1)}
    assert resolved_in(Resolution(release="bbb"), after_noon("e", "aaaa"), **seen) is None
    assert resolved_in(Resolution(release="bbb"), after_noon("e", "cccc"), **seen) == "e"


def muted_until(mute: Mute, *, count: int = 6, **evidence: Any) -> bool:
    found = judge(
        touched(terms=Terms(mute=mute), count=count, newest_at=NOW, newest_event_id="e"),
        now=NOW,
        evidence=Evidence(**evidence),
    )
    assert found is None or (found.reason, found.after) == (TransitionReason.MUTE_ENDED, Status.OPEN)
    return found is not None


def test_a_mute_ends_with_the_first_event_that_occurs_after_its_time() -> None:
    assert not muted_until(Mute(at=NOW - HOUR, until=NOW + timedelta(microseconds=1)))
    assert muted_until(Mute(at=NOW - HOUR, until=NOW))


def test_a_mute_until_n_more_ends_with_the_last_of_them() -> None:
    assert not muted_until(Mute(at=NOW, count=100, count_from=6), count=105)
    assert muted_until(Mute(at=NOW, count=100, count_from=6), count=106)


def test_a_mute_until_n_within_a_time_ends_by_its_window_alone() -> None:
    mute = Mute(at=NOW, count=2, count_from=0, within_seconds=60)
    assert not muted_until(mute, count=1000)
    assert muted_until(mute, is_window_full=True)


@pytest.mark.parametrize(
    ("known", "comes", "ends"),
    [
        ("2.4.1", "2.4.1", False),
        ("2.4.1", "2.4.0", False),
        ("2.4.1", "2.5.0", True),
        ("2.4.1", None, False),
        (None, "1.0", True),
    ],
)
def test_a_mute_until_the_next_release_ends_with_a_newer_one(
    known: str | None, comes: str | None, ends: bool
) -> None:
    mute = Mute(at=NOW - HOUR, next_release=True, after_release=known)
    assert muted_until(mute, occurrences=[Occurrence("e", NOW, comes, "production")]) is ends


def test_a_mute_for_ever_is_ended_by_no_event() -> None:
    mute = Mute(at=NOW - HOUR, reason="a partner's fault")
    assert not muted_until(mute, count=10**9, occurrences=[Occurrence("e", NOW, "9.9", "production")])


@pytest.mark.parametrize(
    "verb", [verb for verb in Verb if verb not in (Verb.COMMENT, Verb.MERGE, Verb.UNMERGE)]
)
@pytest.mark.parametrize("state", list(LifeState))
def test_asking_twice_changes_nothing_the_second_time(state: LifeState, verb: Verb) -> None:
    said = {
        **SAID,
        Verb.ACKNOWLEDGE: AcknowledgeArguments(until=NOW + HOUR),
        Verb.MUTE: MuteArguments(until=NOW + HOUR),
    }
    made = decide(act(said[verb]), found_in(state))
    if not isinstance(made, Transition):
        return
    again = found_in(
        state,
        status=made.after,
        terms=made.terms,
        resolved_at=made.resolved_at,
        assignee=made.assignment.to if made.assignment is not None else "bob",
    )
    assert decide(act(said[verb]), again) is None


def test_a_comment_is_always_written_and_a_verb_s_note_with_it() -> None:
    made = decide(act(CommentArguments(), note="the partner knows"), found_in(LifeState.RESOLVED))
    assert isinstance(made, Transition)
    assert (made.reason, made.note, made.after) == (
        TransitionReason.COMMENTED,
        "the partner knows",
        Status.RESOLVED,
    )
    assert made.resolved_at == NOW - HOUR


def test_the_next_release_is_after_the_newest_and_refused_where_there_is_none() -> None:
    made = decide(act(ResolveArguments(next_release=True), newest_release="2.4.1"), found_in(LifeState.OPEN))
    assert isinstance(made, Transition)
    assert made.terms.resolution == Resolution(release="2.4.1", bound=ResolutionBound.AFTER)
    assert isinstance(decide(act(ResolveArguments(next_release=True)), found_in(LifeState.OPEN)), NotPossible)


@pytest.mark.parametrize(
    ("arguments", "field"),
    [
        (MuteArguments(), "until"),
        (MuteArguments(for_seconds=60, for_ever=True, reason="x"), "until"),
        (MuteArguments(for_ever=True), "reason"),
        (MuteArguments(for_ever=True, reason="a\x1b[2Jb"), "reason"),
        (MuteArguments(within_seconds=60, for_seconds=60), "within_seconds"),
        (MuteArguments(count=5, within_seconds=59), "within_seconds"),
        (MuteArguments(count=0), "count"),
        (MuteArguments(until=NOW), "until"),
        (MuteArguments(until=datetime(2026, 11, 24)), "until"),  # noqa: DTZ001 - what has no zone is refused
        (MuteArguments(until=NOW + timedelta(days=400)), "until"),
        (AcknowledgeArguments(for_seconds=59), "for_seconds"),
        (AcknowledgeArguments(for_seconds=60, until=NOW + HOUR), "for_seconds"),
        (ResolveArguments(release="1", next_release=True), "next_release"),
        (ResolveArguments(release=" "), "release"),
        (ResolveArguments(environment="x" * 201), "environment"),
        (AssignArguments(to="a\nb"), "to"),
        (CommentArguments(), "note"),
    ],
)
def test_what_an_argument_has_to_be_is_said_by_its_name(arguments: Arguments, field: str) -> None:
    assert field in [fault.field for fault in check_arguments(arguments, note="", now=NOW)]


def test_a_note_may_have_lines_and_nothing_else_that_cannot_be_printed() -> None:
    assert not check_arguments(CommentArguments(), note="one\ntwo", now=NOW)
    assert check_arguments(CommentArguments(), note="one\x07", now=NOW)
    assert check_arguments(CommentArguments(), note="x" * 4001, now=NOW)


def test_every_verb_has_its_arguments_and_they_know_their_verb() -> None:
    assert set(ARGUMENTS) == set(Verb)
    assert all(verb_of(SAID[verb]) is verb for verb in Verb)


moments = st.datetimes(min_value=datetime(2000, 1, 1), max_value=datetime(2100, 1, 1)).map(  # noqa: DTZ001 - given one below
    lambda moment: moment.replace(tzinfo=UTC)
)
mutes = st.builds(
    Mute,
    at=moments,
    until=st.none() | moments,
    count=st.none() | st.integers(1, 10**12),
    count_from=st.integers(0, 10**15),
    within_seconds=st.none() | st.integers(60, 604800),
    next_release=st.booleans(),
    after_release=st.none() | st.text(max_size=50),
    reason=st.text(max_size=50),
)
resolutions = st.builds(
    Resolution,
    release=st.none() | st.text(),
    bound=st.sampled_from(ResolutionBound),
    environment=st.none() | st.text(),
)


@given(
    st.builds(
        Terms,
        acknowledged_until=st.none() | moments,
        mute=st.none() | mutes,
        resolution=st.none() | resolutions,
    )
)
def test_terms_are_read_as_they_were_written_and_can_be_said(terms: Terms) -> None:
    assert read_terms(encode_terms(terms)) == terms
    if terms.mute is not None:
        assert describe_mute(terms.mute)
    if terms.resolution is not None:
        assert isinstance(describe_resolution(terms.resolution), str)


def test_no_terms_are_no_text() -> None:
    assert encode_terms(NO_TERMS) is None
    assert read_terms(None) is NO_TERMS


@pytest.mark.parametrize("state", list(LifeState))
def test_a_state_is_read_from_what_stands_in_the_row(state: LifeState) -> None:
    assert state_now(found_in(state)) is state
