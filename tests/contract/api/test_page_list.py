"""The list of incidents as a page: answers before a click, the query, views, facets, rows and acts."""

import re
from collections.abc import Mapping
from datetime import timedelta
from html import unescape
from itertools import pairwise
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from tests.contract.api.conftest import Site, serve
from tests.contract.api.people import Browser, add_person
from tests.contract.api.test_pages import HOSTILE, Outline, outline
from tests.tools.clock import FixedClock

from faultwire_consumer.domain.query.text import parse_query
from faultwire_consumer.store.contract.store import Store
from faultwire_consumer.store.events.figures.beside import (
    count_matches,
    read_hours_of,
    read_origins,
    read_regressions,
)
from faultwire_consumer.store.events.figures.facets import read_facets
from faultwire_consumer.store.events.figures.journal import fold_journal
from faultwire_consumer.store.events.figures.standing import pass_time
from faultwire_consumer.web.page.incidents.search import Search
from faultwire_consumer.web.page.incidents.views import KEPT_MAX, VIEWS_COOKIE, read_views
from faultwire_consumer.web.page.incidents.visit import VISIT_COOKIE
from faultwire_consumer.web.page.listed import TO_DO, list_path
from faultwire_shared.event import ErrorSeverity

on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


async def add_up(site: Site) -> None:
    while await fold_journal(site.store, now=site.clock()):
        pass
    await pass_time(site.store, now=site.clock())


async def act(site: Site, verb: str, incident: str = "INC-1", **arguments: object) -> None:
    status, document = await site.post(f"/api/v1/incidents/{incident}/{verb}", json=arguments)
    assert status == 200, document


async def listed(site: Site, query: str | None = None, **more: str) -> tuple[str, list[str]]:
    """The page, and its incidents in their order."""
    path = f"/?{urlencode({'query': query, **more})}" if query is not None else "/"
    status, page = await site.page(path)
    assert status == 200, page
    outline(page)
    return page, re.findall(r'data-incident="(INC-\d+)"', page)


async def leads_to(site: Site, path: str) -> str:
    async with site.client.get(path, headers={"Accept": "text/html"}, allow_redirects=False) as answer:
        assert answer.status == 303, await answer.text()
        return answer.headers["Location"]


def query_at(path: str) -> str:
    return parse_qs(urlsplit(path).query, keep_blank_values=True)["query"][0]


def tiles_in(page: str) -> dict[str, tuple[str, str]]:
    """Each tile's kind with its number and its query."""
    found = re.findall(r'<a class="tile (\w+)[^"]*" href="([^"]+)"[^>]*><b>([^<]+)</b>', page)
    return {kind: (count, query_at(unescape(href))) for kind, href, count in found}


def row_in(page: str, incident: str) -> str:
    """The text of one row."""
    (row,) = re.findall(rf'<li class="row[^"]*" id="{incident}".*?</li>', page, re.DOTALL)
    return re.sub(r"\s+", " ", outline(row).text)


# What the store says beside a list, on both databases.


async def test_bars_of_all_rows_are_read_at_once_and_add_up_to_each_incident_s_events(site: Site) -> None:
    start = site.clock()
    await site.send(kind="A", count=3)
    await site.send(kind="A", environment="staging")
    site.clock.advance(timedelta(hours=3))
    await site.send(kind="A")
    await site.send(kind="B")
    found = await read_hours_of(site.store, [1, 2, 77], since=start - timedelta(hours=1))
    assert {number: sum(hours.values()) for number, hours in found.items()} == {1: 5, 2: 1}
    assert sorted(found[1].values()) == [1, 4]
    assert await read_hours_of(site.store, [1], since=site.clock() + timedelta(hours=1)) == {}
    assert await read_hours_of(site.store, [], since=start) == {}


async def test_an_incident_s_origin_is_the_release_that_was_seen_first_and_not_the_first_by_name(
    site: Site,
) -> None:
    await site.send(kind="A", release="1.9.0")
    await site.send(kind="A", release="1.10.0")
    await site.send(kind="B", release="2.0.0")
    await site.send(kind="C")
    assert await read_origins(site.store, [1, 2, 3]) == {1: "1.9.0", 2: "2.0.0"}, "by their sights"
    await add_up(site)
    assert await read_origins(site.store, [1, 2, 3]) == {1: "1.9.0", 2: "2.0.0"}
    await act(site, "merge", "INC-2", into="INC-1")
    assert await read_origins(site.store, [1]) == {1: "1.9.0"}
    assert await read_origins(site.store, []) == {}


async def test_a_regression_is_of_the_release_of_the_event_that_came_back_last(site: Site) -> None:
    for release in ("1.0", "1.1", "1.2"):
        await site.send(kind="A", release=release)
        await act(site, "resolve")
        site.clock.advance(timedelta(minutes=1))
    await site.send(kind="A", release="1.3")
    await site.send(kind="A", release="1.4")
    await site.send(kind="B", release="7.0")
    assert await read_regressions(site.store, [1, 2]) == {1: "1.3"}
    await act(site, "resolve")
    site.clock.advance(timedelta(minutes=1))
    await site.send(kind="A")
    assert await read_regressions(site.store, [1]) == {}, "that event names no release"


async def test_matches_of_several_queries_are_counted_at_once_and_up_to_a_bound(site: Site) -> None:
    for kind in ("A", "B", "C"):
        await site.send(kind=kind)
    await act(site, "assign", to="ada")
    queries = [parse_query(text) for text in ("", "is:assigned", "is:resolved", "first:24h")]
    assert await count_matches(site.store, queries, most=1000, now=site.clock()) == (3, 1, 0, 3)
    assert await count_matches(site.store, queries, most=1, now=site.clock()) == (2, 1, 0, 2)
    assert await count_matches(site.store, [], most=1, now=site.clock()) == ()


async def test_who_has_incidents_is_a_facet_once_somebody_has_one(site: Site) -> None:
    for kind in ("A", "B", "C"):
        await site.send(kind=kind)
    before = await read_facets(site.store, parse_query(""), now=site.clock())
    assert "assigned" not in [facet.key for facet in before.facets]
    await act(site, "assign", to="ada")
    status, document = await site.get("/api/v1/incidents/facets?query=is:unresolved")
    assert status == 200
    (assigned,) = [facet for facet in document["facets"] if facet["key"] == "assigned"]
    assert assigned["values"] == [
        {"value": "", "term": '-is:"assigned"', "count": 2},
        {"value": "ada", "term": 'assigned:"ada"', "count": 1},
    ]
    for value in assigned["values"]:
        _, found = await site.get(f"/api/v1/incidents?{urlencode({'query': 'is:open ' + value['term']})}")
        assert len(found["incidents"]) == value["count"]


async def test_what_gets_worse_is_found_until_it_is_resolved(site: Site) -> None:
    await site.send(kind="A")
    await site.send(kind="B")
    site.clock.advance(timedelta(hours=5))
    await site.send(kind="A", count=400)
    await add_up(site)
    for query, expected in (("is:worse", ["INC-1"]), ("-is:worse", ["INC-2"])):
        _, document = await site.get(f"/api/v1/incidents?{urlencode({'query': query})}")
        assert [one["id"] for one in document["incidents"]] == expected
    await act(site, "resolve")
    assert (await site.get("/api/v1/incidents?query=is:worse"))[1]["incidents"] == []


# The page.


@on_sqlite
async def test_tiles_count_what_their_queries_find(site: Site) -> None:
    await site.send(kind="Old", severity=ErrorSeverity.CRITICAL)
    await site.send(kind="Back")
    await act(site, "resolve", "INC-2")
    site.clock.advance(timedelta(days=2))
    await site.send(kind="Back", release="2.4.1")
    await site.send(kind="New", severity=ErrorSeverity.CRITICAL)
    await site.send(kind="Taken", severity=ErrorSeverity.CRITICAL)
    await act(site, "assign", "INC-4", to="ada")
    await site.send(kind="Old", count=200, severity=ErrorSeverity.CRITICAL)
    await add_up(site)
    page, _ = await listed(site)
    tiles = tiles_in(page)
    assert {kind: count for kind, (count, _) in tiles.items()} == {
        "critical": "2",
        "back": "1",
        "worse": "1",
        "new": "2",
    }
    for count, query in tiles.values():
        assert len((await listed(site, query))[1]) == int(count), query
        assert f'value="{query}"' in (await listed(site, query))[0]


@on_sqlite
async def test_the_most_urgent_comes_first_and_another_order_stays_chosen(site: Site) -> None:
    await site.send(kind="A", severity=ErrorSeverity.CRITICAL)
    site.clock.advance(timedelta(hours=30))
    await site.send(kind="B", severity=ErrorSeverity.LOW)
    await add_up(site)
    assert (await listed(site))[1] == ["INC-1", "INC-2"]
    page, found = await listed(site, TO_DO, sort="last")
    assert found == ["INC-2", "INC-1"]
    assert '<option value="last" selected>' in page
    assert "sort=last" in page.partition('id="facets"')[2], "narrowing it down keeps the order"


@on_sqlite
async def test_a_row_says_in_two_lines_what_an_operator_asks(site: Site) -> None:
    await site.send(kind="Gone", text="gateway refused", release="2.3.0", user={"id": "1"})
    await act(site, "resolve")
    site.clock.advance(timedelta(days=3))
    await site.send(kind="Gone", text="gateway refused", release="2.4.1", user={"id": "2"}, count=1499)
    await act(site, "assign", to="ada")
    await add_up(site)
    page, _ = await listed(site)
    row = row_in(page, "INC-1")
    for told in (
        "Gone: gateway refused",
        "regressed in 2.4.1",
        "ada has it",
        "billing",
        "shop.app in handle",
    ):
        assert told in row
    assert "1,499 in 24 h, of 1,500" in row
    assert "3 d ago 2.3.0" in row
    assert re.search(r'title="2 users">2<', page)
    assert "new" not in row.split()
    assert "open" not in row
    assert "1,499 events in 24 hours, at most 1,499 in one" in page
    await act(site, "mute", for_seconds=3600)
    assert "muted until" in row_in((await listed(site, "is:muted"))[0], "INC-1")


@on_sqlite
async def test_what_stands_beside_a_row_is_never_older_than_the_row(site: Site) -> None:
    await site.send(kind="A")
    assert "1 in 24 h, of 1" in row_in((await listed(site))[0], "INC-1")
    await site.send(kind="A", release="1.0", count=4)
    row = row_in((await listed(site))[0], "INC-1")
    assert "5 in 24 h, of 5" in row
    assert "1.0" in row, "the first release that it has was not known before"
    await site.send(kind="B", count=3)
    await act(site, "merge", "INC-2", into="INC-1")
    assert "8 in 24 h, of 8" in row_in((await listed(site))[0], "INC-1")
    await act(site, "unmerge", "INC-2")
    assert "5 in 24 h, of 5" in row_in((await listed(site))[0], "INC-1")
    site.clock.advance(timedelta(hours=25))
    assert "0 in 24 h, of 5" in row_in((await listed(site))[0], "INC-1")


@on_sqlite
async def test_facets_and_tiles_follow_every_act_at_once(site: Site) -> None:
    for kind in ("A", "B"):
        await site.send(kind=kind, severity=ErrorSeverity.CRITICAL)
    page, _ = await listed(site)
    assert tiles_in(page)["critical"][0] == "2"
    await act(site, "assign", to="ada")
    page, _ = await listed(site)
    assert tiles_in(page)["critical"][0] == "1"
    assert "Assigned" in outline(page).text


@on_sqlite
async def test_a_long_title_ends_with_an_ellipsis(site: Site) -> None:
    await site.send(kind="Long", text="x" * 5000)
    page, _ = await listed(site)
    assert re.search(r">Long: x+…</a>", page)


@on_sqlite
async def test_what_is_muted_is_not_to_do_and_every_view_shows_its_query(site: Site) -> None:
    for kind in ("A", "B", "C", "D"):
        await site.send(kind=kind)
    await act(site, "mute", "INC-2", for_seconds=3600)
    await act(site, "acknowledge", "INC-3")
    await act(site, "resolve", "INC-4")
    page, found = await listed(site)
    assert sorted(found) == ["INC-1", "INC-3"]
    links = re.findall(r'<li><a href="([^"]+)" title="[^"]*"(?: aria-current="page")?>([^<]+)<', page)
    views = {name.strip(): query_at(unescape(path)) for path, name in links}
    assert list(views) == ["To do", "New", "Came back", "Worse", "Acknowledged", "Muted", "Resolved", "All"]
    expected = {"Muted": ["INC-2"], "Acknowledged": ["INC-3"], "Resolved": ["INC-4"], "Worse": []}
    for name, ids in expected.items():
        page, found = await listed(site, views[name])
        assert found == ids, name
        assert f'value="{views[name]}"' in page
        assert re.search(rf'aria-current="page">{name}', page)
    assert len((await listed(site, views["All"]))[1]) == 4


@on_sqlite
async def test_a_facet_adds_its_term_to_the_text_and_takes_it_away_again(site: Site) -> None:
    await site.send(kind="A", service="billing", tags={"region": "eu west"})
    await site.send(kind="B", service="stock")
    await add_up(site)
    page, _ = await listed(site, "level:>=low")
    facets = page.partition('id="facets"')[2].partition("</details>")[0]
    links = {
        re.sub(r"<[^>]+>", "", text).split()[0]: unescape(path)
        for path, text in re.findall(r'<a href="([^"]+)"[^>]*>(.*?)</a>', facets)
    }
    assert query_at(links["billing"]) == "level:>=low service:billing"
    assert query_at(links["eu"]) == 'level:>=low tag.region:"eu west"'
    page, found = await listed(site, query_at(links["billing"]))
    assert found == ["INC-1"]
    chosen = [query_at(unescape(one)) for one in re.findall(r'<a href="([^"]+)" aria-current="true"', page)]
    assert chosen == ["severity:low,medium,critical service:billing", "level:>=low"]


@on_sqlite
async def test_a_time_that_is_chosen_is_written_into_the_query(site: Site) -> None:
    await site.send()
    path = await leads_to(site, "/?query=service:billing+since:7d&seen=24h&was=7d&sort=count")
    assert (query_at(path), path.endswith("&sort=count")) == ("service:billing since:24h", True)
    page, _ = await listed(site, query_at(path))
    assert '<option value="24h" selected>' in page
    assert query_at(await leads_to(site, "/?query=since:24h+service:a&seen=&was=24h")) == "service:a"
    written = await leads_to(site, "/?query=since:monday&seen=24h&was=24h")
    assert query_at(written) == "since:monday", "what was written since wins over what was not touched"
    assert query_at(await leads_to(site, "/?query=since:7d&seen=soon&was=7d")) == "since:7d"


@on_sqlite
@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/?view=all", ""),
        ("/?view=unresolved&severity=&service=&search=", "is:unresolved"),
        ("/?view=resolved&severity=high&service=a+b", 'status:resolved severity:high service:"a b"'),
        ("/?status=open", "status:open"),
        ("/?status=open&status=acknowledged", "status:open,acknowledged"),
        ("/?severity=low", "is:unresolved severity:low"),
        ("/?search=timed+out", 'is:unresolved "timed out"'),
        ("/?query=is:resolved&view=unresolved", "is:resolved"),
        ("/?query=service:a&view=all", "service:a"),
        ("/?view=open&query=severty:x", "severty:x status:open"),
    ],
)
async def test_addresses_of_earlier_versions_lead_to_the_query_that_says_the_same(
    site: Site, path: str, expected: str
) -> None:
    assert query_at(await leads_to(site, path)) == expected


@on_sqlite
async def test_a_wrong_parameter_is_refused_by_its_name(site: Site) -> None:
    for path, name in (("/?view=new", "view"), ("/?sort=loudest", "sort"), ("/?cursor=x", "cursor")):
        status, page = await site.page(path)
        assert status == 400
        assert f"<b>{name}</b>" in page
    assert (await site.page("/?colour=red"))[0] == 400


@on_sqlite
async def test_pages_go_on_and_back(site: Site) -> None:
    for number in range(120):
        await site.send(kind=f"Kind{number}")
    page, first = await listed(site, "severity:high", sort="last")
    assert 'rel="prev"' not in page
    pages = [first]
    for _ in range(2):
        (following,) = re.findall(r'<a href="([^"]+)" rel="next"', page)
        _, page = await site.page(unescape(following))
        pages.append(re.findall(r'data-incident="(INC-\d+)"', page))
    assert [len(one) for one in pages] == [50, 50, 20]
    assert len({one for ids in pages for one in ids}) == 120
    assert 'rel="next"' not in page
    for ids in (pages[1], pages[0]):
        (before,) = re.findall(r'<a href="([^"]+)" rel="prev"', page)
        _, page = await site.page(unescape(before))
        assert re.findall(r'data-incident="(INC-\d+)"', page) == ids


@on_sqlite
async def test_where_nothing_matches_each_term_can_be_taken_away(site: Site) -> None:
    await site.send()
    page, _ = await listed(site, "service:billing severity:low nowhere")
    assert "Nothing matches" in page
    widened = re.findall(r'<a href="([^"]+)">without <code>([^<]+)</code>', page)
    assert {text: query_at(unescape(path)) for path, text in widened} == {
        "service:billing": "severity:low nowhere",
        "severity:low": "service:billing nowhere",
        "nowhere": "service:billing severity:low",
    }
    assert "whose bodies are kept" in page
    await act(site, "resolve")
    assert "All quiet" in (await listed(site))[0]


@on_sqlite
async def test_a_worker_without_a_broker_tells_the_code_that_works_here(site: Site) -> None:
    page = unescape((await listed(site))[0])
    address = str(site.client.make_url("")).rstrip("/")
    assert f'ErrorManager(service="billing", broker_url="{address}")' in page
    (code,) = re.findall(r"<pre[^>]*>(import asyncio.*?)</pre>", page, re.DOTALL)
    compile(code, "page", "exec")
    assert "fwt_" not in page


@on_sqlite
async def test_a_worker_with_a_broker_tells_of_the_broker_and_one_with_a_door_of_tokens(
    store: Store, clock: FixedClock
) -> None:
    async with serve(store, clock, has_broker=True) as site:
        assert 'broker_url="amqp://localhost/"' in unescape((await listed(site))[0])
    async with serve(store, clock, public_url="https://errors.example.com") as site:
        assert 'broker_url="https://errors.example.com"' in unescape((await listed(site))[0])


@on_sqlite
async def test_who_signs_in_has_a_view_of_their_own_and_is_told_of_tokens(door: Site) -> None:
    await add_person(door.store)
    ada = Browser(door)
    await ada.ask("POST", "/sign-in", data={"name": "ada", "password": "correct horse battery"})
    page = unescape(await (await ada.ask("GET", "/")).text())
    assert 'token="fwt_…"' in page
    assert "faultwire access token create" in page
    assert query_at(re.findall(r'<a href="([^"]+)"[^>]*>Mine<', page)[0]) == "is:unresolved assigned:ada"


@on_sqlite
async def test_acts_on_many_are_one_form_that_works_without_a_script(site: Site) -> None:
    for kind in ("A", "B", "C"):
        await site.send(kind=kind)
    page, _ = await listed(site)
    first = re.findall(r"<button[^>]*>", page.partition('id="acts"')[2])[0]
    assert "disabled" in first, "Enter in a field presses the first button of a form"
    blank = {"to": "", "reason": "", "note": "", "next": "/"}
    await press(site, "acknowledge", blank | {"id": ["INC-1", "INC-2"]})
    assert sorted((await listed(site, "is:acknowledged"))[1]) == ["INC-1", "INC-2"]
    await press(site, "mute", blank | {"id": ["INC-3"], "for_seconds": "3600", "to": "typed, and left"})
    assert (await listed(site, "is:muted"))[1] == ["INC-3"]
    told = await press(site, "merge", blank | {"id": ["INC-3", "INC-2"]})
    assert "merged into INC-2" in told or "INC-2" in told
    assert sorted((await listed(site, ""))[1]) == ["INC-1", "INC-2"]
    assert "choose at least two" in await press(site, "merge", blank | {"id": ["INC-1"]})
    assert "choose at least one" in await press(site, "resolve", blank)


async def press(site: Site, verb: str, fields: Mapping[str, object]) -> str:
    """What the page says after a button of the list."""
    pairs = [
        (name, one)
        for name, value in fields.items()
        for one in (value if isinstance(value, list) else [value])
    ]
    async with site.client.post(
        f"/incidents/many/{verb}", data=pairs, headers={"Accept": "text/html"}
    ) as answer:
        assert answer.status == 200
        return unescape(await answer.text())


@on_sqlite
async def test_all_that_match_are_looked_at_before_anything_happens_to_them(site: Site) -> None:
    for number in range(60):
        await site.send(kind=f"Kind{number}")
    page, found = await listed(site, "severity:high")
    assert len(found) == 50
    assert "all 60 that match" in page
    shown = await press(site, "resolve", {"id": ["INC-1"], "all": "severity:high", "next": "/"})
    assert "60 incidents of 60 would change" in shown
    assert (await listed(site, "is:resolved"))[1] == []
    fields = dict(re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', shown))
    assert fields == {"query": "severity:high", "next": "/"}
    assert "60 of 60 incidents are resolved" in await press(site, "resolve", fields)
    assert (await listed(site, "is:unresolved"))[1] == []


@on_sqlite
async def test_nobody_is_offered_what_they_may_not_do(door: Site) -> None:
    from faultwire_consumer.domain.access.scope import AccountRole  # noqa: PLC0415 - for this test alone

    await door.send()
    await add_person(door.store, role=AccountRole.VIEWER)
    ada = Browser(door)
    await ada.ask("POST", "/sign-in", data={"name": "ada", "password": "correct horse battery"})
    page = await (await ada.ask("GET", "/")).text()
    assert 'data-incident="INC-1"' in page
    assert 'name="id"' not in page
    assert "/incidents/many/" not in page


@on_sqlite
async def test_a_query_is_kept_by_name_and_forgotten_again(site: Site) -> None:
    ada = Browser(site)
    kept = {"name": "Ours <b>", "query": "service:bill*", "sort": "count", "next": "/"}
    await ada.ask("POST", "/views/keep", data=kept)
    page = await (await ada.ask("GET", "/?query=service:bill*&sort=count")).text()
    assert re.search(
        r'href="/\?query=service%3Abill%2A&amp;sort=count"[^>]*aria-current="page">Ours &lt;b&gt;', page
    )
    for number in range(KEPT_MAX - 1):
        await ada.ask("POST", "/views/keep", data=kept | {"name": f"View {number}"})
    assert len(read_views(ada.jar[VIEWS_COOKIE])) == KEPT_MAX
    await ada.ask("POST", "/views/keep", data=kept | {"name": "One more"})
    assert "forget one of them first" in await (await ada.ask("GET", "/")).text()
    await ada.ask("POST", "/views/keep", data=kept | {"name": "x", "query": "severty:x"})
    assert "This query cannot be kept" in await (await ada.ask("GET", "/")).text()
    for name in ("Ours <b>", *(f"View {number}" for number in range(KEPT_MAX - 1))):
        await ada.ask("POST", "/views/forget", data={"name": name, "next": "/"})
    assert VIEWS_COOKIE not in ada.jar


@on_sqlite
async def test_new_since_the_last_visit_begins_where_that_ended(site: Site) -> None:
    ada = Browser(site)
    assert "new since yesterday" in await (await ada.ask("GET", "/")).text()
    await site.send(kind="A")
    site.clock.advance(timedelta(minutes=10))
    assert "new since yesterday" in await (await ada.ask("GET", "/")).text(), "the same visit"
    site.clock.advance(timedelta(hours=2))
    await site.send(kind="B")
    page = await (await ada.ask("GET", "/")).text()
    assert "new since your last visit" in page
    count, query = tiles_in(page)["new"]
    site.clock.advance(timedelta(minutes=10))
    assert tiles_in(await (await ada.ask("GET", "/")).text())["new"] == (count, query)
    assert (count, (await listed(site, query))[1]) == ("1", ["INC-2"])
    site.client.session.cookie_jar.clear()
    ada.jar[VISIT_COOKIE] = "nonsense"
    assert "new since yesterday" in await (await ada.ask("GET", "/")).text()


@on_sqlite
async def test_the_chart_of_all_events_marks_releases(site: Site) -> None:
    await site.send(release="2.4.1", count=7)
    await add_up(site)
    page, _ = await listed(site)
    assert "7 events in 24 hours, at most 7 in one" in page
    assert "billing 2.4.1" in outline(page).text


@on_sqlite
async def test_programs_get_what_the_list_shows(site: Site) -> None:
    await site.send()
    page, _ = await listed(site, "service:billing", sort="last")
    for path in re.findall(
        r'href="(/api/v1/[^"]+)"', page.partition('class="foot"')[2].partition("</div>")[0]
    ):
        async with site.client.get(unescape(path)) as answer:
            assert answer.status == 200
            assert "billing" in await answer.text()
    assert f"{str(site.client.make_url('')).rstrip('/')}/?query=service%3Abilling&amp;sort=last" in page


@on_sqlite
async def test_a_row_leads_to_its_incident_and_back_to_this_list(site: Site) -> None:
    await site.send()
    assert 'href="/incidents/INC-1"' in (await listed(site))[0]
    page, _ = await listed(site, "service:billing", sort="last")
    (path,) = re.findall(r'<a href="(/incidents/INC-1[^"]*)"', page)
    _, incident = await site.page(unescape(path))
    assert 'href="/?query=service%3Abilling&amp;sort=last"' in incident


@on_sqlite
async def test_stored_text_is_text_in_every_place_of_the_list(site: Site) -> None:
    text = HOSTILE.replace("\x00", "")
    await site.send(
        kind="Evil<b>",
        text=text,
        service="svc<i>",
        environment="<env>",
        release="<rel>",
        tags={"<tag>": text},
    )
    await act(site, "assign", to="<i>ada")
    await act(site, "mute", for_ever=True, reason="<b>why")
    await add_up(site)
    for query in (TO_DO, "is:muted", '"<script>" nothing', 'severty:"<script>"'):
        _, page = await site.page(list_path(query))
        read: Outline = outline(page)
        assert "\x1b" not in page
        assert "\u202e" not in page
        assert not [given for tag, given in read.tags if tag == "script" and "src" not in given]
        assert "<i>" not in page


@on_sqlite
async def test_ids_on_the_list_are_unique_and_its_headings_are_in_order(site: Site) -> None:
    await site.send(release="1.0", tags={"region": "eu"})
    await add_up(site)
    for query in (TO_DO, "nowhere", "is:muted"):
        _, page = await site.page(list_path(query))
        read = outline(page)
        ids = [given["id"] for _, given in read.tags if "id" in given]
        assert len(ids) == len(set(ids))
        levels = [int(tag[1]) for tag, _ in read.tags if re.fullmatch(r"h[1-6]", tag)]
        assert levels[0] == 1
        assert all(after - before <= 1 for before, after in pairwise(levels))


def test_a_page_s_own_address_asks_for_the_same_page() -> None:
    search = Search(text="a b", parts=(), cursor="c2", back=("c1",))
    assert search.path == "/?query=a+b&cursor=c2&back=c1"
    assert search.path_before == "/?query=a+b&cursor=c1"
    assert search.path_after("c3") == "/?query=a+b&cursor=c3&back=c1&back=c2"
