"""The list of incidents as a page: its pure decisions."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from faultwire_consumer.domain.figures.order import IncidentOrder
from faultwire_consumer.domain.incident import Status
from faultwire_consumer.domain.incident_terms import NO_TERMS, Mute, Terms
from faultwire_consumer.domain.query.edit import parts_of
from faultwire_consumer.store.events.figures.facets import Facet, Facets, FacetValue
from faultwire_consumer.store.events.incidents import Incident
from faultwire_consumer.web.page.incidents.facets import VALUES_SHOWN, facet_lists
from faultwire_consumer.web.page.incidents.nothing import Why, sending_help, why_empty, wider_lists
from faultwire_consumer.web.page.incidents.rows import HEIGHT, STEPS, Beside, bars_of, flags_of, rows_of
from faultwire_consumer.web.page.incidents.search import Search
from faultwire_consumer.web.page.incidents.tiles import COUNTED_MAX, count_shown, questions, tiles_of
from faultwire_consumer.web.page.incidents.views import (
    COOKIE_CHARACTERS,
    KEPT_MAX,
    KeptView,
    keep_view,
    read_views,
    view_links,
    write_views,
)
from faultwire_consumer.web.page.incidents.visit import GAP, Visit, look, read_visit, write_visit
from faultwire_consumer.web.page.listed import TO_DO, list_path, path_from
from faultwire_shared.event import ErrorSeverity

NOW = datetime(2026, 11, 23, 12, 30, tzinfo=UTC)
SINCE = datetime(2026, 11, 22, 13, tzinfo=UTC)


def incident(**fields: Any) -> Incident:
    usual: dict[str, Any] = {
        "id": 5,
        "service": "billing",
        "title": "KeyError: 'x'",
        "culprit": "shop.app in pay",
        "severity": ErrorSeverity.HIGH,
        "category": "system",
        "code": "INTERNAL_ERROR",
        "status": Status.OPEN,
        "count": 20,
        "first_seen_at": NOW - timedelta(days=3),
        "last_seen_at": NOW,
        "episode": 1,
        "resolved_at": None,
        "last_release": None,
        "assignee": None,
        "version": 1,
        "terms": NO_TERMS,
        "urgency": 0,
        "growth": 0,
        "is_new": False,
        "users": 0,
        "users_exact": True,
    }
    return Incident(**usual | fields)


def search(text: str = TO_DO, **fields: Any) -> Search:
    return Search(text=text, parts=parts_of(text), **fields)


def flags(one: Incident, back: str | None = None) -> list[str]:
    return [flag.text for flag in flags_of(one, back, now=NOW)]


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, []),
        ({"episode": 2}, ["regressed in 2.4.1"]),
        ({"growth": 199}, []),
        ({"growth": 520}, ["\u00d75 in 2 h"]),
        ({"first_seen_at": NOW - timedelta(hours=23)}, ["new"]),
        ({"status": Status.ACKNOWLEDGED, "assignee": "ada"}, ["acknowledged", "ada has it"]),
        ({"status": Status.RESOLVED, "episode": 2, "growth": 900}, ["resolved"]),
        (
            {"terms": Terms(mute=Mute(at=NOW, until=NOW + timedelta(hours=1)))},
            ["muted until 2026-11-23 13:30:00Z"],
        ),
    ],
)
def test_flags_say_what_is_more_than_open(fields: dict[str, Any], expected: list[str]) -> None:
    assert flags(incident(**fields), "2.4.1") == expected


def test_a_regression_whose_release_is_not_known_is_one_all_the_same() -> None:
    assert flags(incident(episode=3)) == ["regressed"]
    assert flags(incident(episode=3), "") == ["regressed"]


@given(st.dictionaries(st.integers(-3, 30), st.integers(1, 10**9), max_size=30))
def test_bars_add_up_to_the_hours_that_they_show_and_never_look_empty(hours: dict[int, int]) -> None:
    counts = {SINCE + timedelta(hours=place): count for place, count in hours.items()}
    bars = bars_of(counts, since=SINCE)
    shown = {place: count for place, count in hours.items() if 0 <= place < STEPS}
    assert bars.total == sum(shown.values())
    assert (bars.before + bars.recent).count("M") == len(shown)
    assert "v-0" not in bars.before + bars.recent
    assert not shown or f"v-{HEIGHT}h" in bars.before + bars.recent


def test_bars_tell_the_present_from_the_hours_before() -> None:
    counts = {SINCE: 4, SINCE + timedelta(hours=23): 1}
    bars = bars_of(counts, since=SINCE)
    assert bars.before == "M0 24v-24h3v24z"
    assert bars.recent == "M92 24v-6h3v6z"
    assert bars.label == "5 events in 24 hours, at most 4 in one"
    assert bars_of({}, since=SINCE).label == "0 events in 24 hours"


def test_users_are_told_with_what_is_known_of_them() -> None:
    def shown(**fields: Any) -> tuple[str, str]:
        one = incident(**fields)
        beside = Beside(bars={5: bars_of({}, since=SINCE)}, origins={}, regressions={})
        (row,) = rows_of([one], beside, search=search(), now=NOW)
        return row.users, row.users_label

    assert shown() == ("\u2013", "no user is known")
    assert shown(users=1) == ("1", "1 user")
    assert shown(users=1234, users_exact=False) == ("≈1,234", "about 1,234 users")


def test_a_row_leads_back_to_its_list_unless_that_is_the_usual_one() -> None:
    assert path_from("/incidents/INC-5", TO_DO, IncidentOrder.URGENT) == "/incidents/INC-5"
    back = path_from("/incidents/INC-5", "is:worse", IncidentOrder.COUNT)
    assert back == "/incidents/INC-5?from=query%3Dis%253Aworse%26sort%3Dcount"
    assert path_from("/incidents/INC-5", "é" * 900, IncidentOrder.URGENT) == "/incidents/INC-5"


def test_a_look_within_half_an_hour_belongs_to_the_visit_and_a_later_one_begins_another() -> None:
    first = look(None, NOW)
    assert first == Visit(NOW)
    assert look(first, NOW + timedelta(seconds=30)) is first
    again = look(first, NOW + GAP)
    assert again == Visit(NOW + GAP)
    later = look(again, NOW + 3 * GAP)
    assert later == Visit(NOW + 3 * GAP, NOW + GAP)
    assert look(later, NOW + 3 * GAP + timedelta(minutes=5)).since == NOW + GAP
    assert look(Visit(NOW + GAP), NOW) == Visit(NOW), "a clock went back"


@pytest.mark.parametrize("visit", [Visit(NOW), Visit(NOW, NOW - timedelta(days=2))])
def test_a_visit_survives_its_cookie(visit: Visit) -> None:
    assert read_visit(write_visit(visit)) == visit


@given(st.text(max_size=30))
def test_a_cookie_that_is_not_ours_counts_as_none(text: str) -> None:
    read_visit(text)
    read_views(text)
    for broken in ("", "x-y", "-5", "٣", "9" * 12):
        assert read_visit(broken) is None


def test_tiles_ask_since_the_last_visit_once_there_was_one() -> None:
    *_, new = questions(None)
    assert new.text == "is:unresolved first:24h"
    *_, new = questions(NOW)
    assert new.text == "is:unresolved first:2026-11-23T12:30:00Z"
    tiles = tiles_of(questions(None), (0, 1, COUNTED_MAX, COUNTED_MAX + 1, 7))
    assert [tile.count for tile in tiles] == ["0", "1", "1,000", "1,000+"]
    assert [tile.is_none for tile in tiles] == [True, False, False, False]
    assert count_shown(999) == "999"


def test_views_are_bounded_and_one_of_the_same_name_is_replaced() -> None:
    views: tuple[KeptView, ...] = ()
    for number in range(KEPT_MAX):
        kept = keep_view(views, KeptView(f"v{number}", "is:new", IncidentOrder.COUNT))
        assert isinstance(kept, tuple)
        views = kept
    assert read_views(write_views(views)) == views
    assert "forget one" in keep_view(views, KeptView("more", ""))
    replaced = keep_view(views, KeptView("v0", "is:worse"))
    assert isinstance(replaced, tuple)
    assert (len(replaced), replaced[-1].text) == (KEPT_MAX, "is:worse")
    for name in ("", "x" * 41, "a\nb"):
        assert "printable" in keep_view((), KeptView(name, ""))
    long = (KeptView("a", "x" * 1_000), KeptView("b", "y" * 1_000))
    assert "too long" in keep_view(long, KeptView("c", "z" * 1_000))
    assert read_views("A" * (COOKIE_CHARACTERS + 1)) == ()


def test_the_view_that_is_shown_is_marked_and_mine_needs_a_name() -> None:
    links = view_links(search("is:muted"), account=None, kept=(), to_do="3")
    assert [link.name for link in links if link.is_current] == ["Muted"]
    assert "Mine" not in [link.name for link in links]
    assert [link.count for link in links if link.count] == ["3"]
    mine = view_links(search(), account="token:ci", kept=(), to_do="3")[4]
    assert (mine.name, mine.text) == ("Mine", 'is:unresolved assigned:"token:ci"')


def test_facets_fold_what_is_rare_and_pass_over_what_cannot_be_written() -> None:
    values = tuple(FacetValue(f"s{number}", f'service:"s{number}"', 1) for number in range(VALUES_SHOWN + 2))
    odd = Facet("tag.odd name", (FacetValue("x", "", 3),))
    status = Facet("status", (FacetValue("open", 'status:"open"', 3),))
    nobody = Facet("assigned", (FacetValue("", '-is:"assigned"', 3),))
    facets = Facets(3, complete=True, facets=(Facet("service", values), odd, status, nobody))
    service, assigned = facet_lists(facets, search("is:open service:s1"))
    assert (len(service.links), len(service.more)) == (VALUES_SHOWN, 2)
    assert [link.value for link in service.links if link.is_chosen] == ["s1"]
    assert service.links[1].path == list_path("is:open")
    assert service.links[2].path == list_path("is:open service:s1 service:s2")
    assert assigned.links[0].value == "nobody"
    assert assigned.links[0].path == list_path("is:open service:s1 -is:assigned")


def test_an_empty_list_says_why() -> None:
    assert why_empty(search(), has_any=False) is Why.NOTHING_YET
    assert why_empty(search(), has_any=True) is Why.ALL_DONE
    assert why_empty(search("is:worse"), has_any=True) is Why.NO_MATCH
    assert [one.text for one in wider_lists(search('a:b "x y"'.replace("a:b", "service:b")))] == [
        "service:b",
        '"x y"',
    ]


def test_help_names_the_address_that_works_here() -> None:
    own = sending_help("http://10.0.0.5:8787", has_broker=False, needs_token=True)
    assert 'broker_url="http://10.0.0.5:8787", token="fwt_…"' in own.code
    assert own.command.endswith(" --broker-url http://10.0.0.5:8787")
    brokered = sending_help("http://10.0.0.5:8787", has_broker=True, needs_token=True)
    assert 'broker_url="amqp://localhost/")' in brokered.code
    assert "10.0.0.5" not in brokered.code + brokered.command


def test_the_page_before_the_second_is_the_first() -> None:
    second = search("is:new", cursor="c1")
    assert second.path_before == "/?query=is%3Anew"
    assert search("is:new").path_before is None
