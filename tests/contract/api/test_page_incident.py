"""One incident with its event in it: the page answers before a click, and every verb is there."""

import re
from datetime import timedelta
from html import unescape
from urllib.parse import urlencode, urlsplit

import msgspec
import pytest
from tests.contract.api.conftest import Site
from tests.contract.api.people import PUBLIC, Browser, add_person
from tests.contract.api.test_figures_api import add_up
from tests.contract.api.test_narrow_event import send_flood
from tests.contract.api.test_pages import HOSTILE, outline

from faultwire_consumer.domain.access.scope import AccountRole
from faultwire_consumer.domain.incident import Verb
from faultwire_consumer.domain.lifecycle.arguments import ARGUMENTS
from faultwire_shared.event import ErrorSeverity, ExceptionInfo, Frame

# Nothing here depends on the database; the store's own functions have tests on both.
pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


async def text_of(site: Site, path: str, status: int = 200) -> str:
    answered, page = await site.page(path)
    assert answered == status
    return " ".join(outline(page).text.split())


def spaced(page: str) -> str:
    """The text of a page with a blank between its elements, as cells of a table are read."""
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", page)).split())


async def post(site: Site, path: str, **fields: str) -> str:
    """Press a button; returns the address that follows."""
    async with site.client.post(path, data=fields, allow_redirects=False) as answer:
        assert answer.status == 303
        return answer.headers["Location"]


async def test_an_incident_says_its_state_in_one_sentence_whatever_it_is(site: Site) -> None:
    await site.send(release="1.0")
    assert "nobody has acknowledged it · billing · shop.app in handle_valueerror" in await text_of(
        site, "/incidents/INC-1"
    )
    await post(site, "/incidents/INC-1/acknowledge", for_seconds="3600")
    assert re.search(r"acknowledged by page, \d+ s ago, until", await text_of(site, "/incidents/INC-1"))
    await post(site, "/incidents/INC-1/mute", count="100", within_seconds="3600")
    assert "muted until 100 more within 1h by page" in await text_of(site, "/incidents/INC-1")
    await post(site, "/incidents/INC-1/resolve", release="1.1")
    assert "resolved in release 1.1 by page" in await text_of(site, "/incidents/INC-1")
    await site.send(release="1.1")
    assert "came back in 1.1" in await text_of(site, "/incidents/INC-1")


async def test_the_five_answers_stand_before_a_click(site: Site) -> None:
    await site.send(kind="Other", release="0.9")
    for number in range(4):
        await site.send(
            release="1.10.0" if number == 3 else "1.9.0",
            user={"id": f"u{number % 2}", "email": f"u{number % 2}@example.org"},
            tags={"region": "eu", "request": f"r{number}"},
            environment="staging" if number == 3 else "production",
        )
    await add_up(site)
    text = spaced((await site.page("/incidents/INC-2"))[1])
    assert "Began release 1.9.0" in text
    assert "not in 0.9" in text
    assert "4 events · 4 events in 24h, at most 4 an hour" in text
    assert "u0 2 u1 2 of the newest 200 kept" in text
    assert "environment 75 % production 75 % 25 % staging 25 %" in text
    assert "region 100 % eu 100 %" in text
    assert "log new, waits until" in text


async def test_the_chart_shows_the_span_that_is_asked_for(site: Site) -> None:
    await site.send()
    for span, bars in (("24h", 24), ("7d", 28), ("30d", 30)):
        _, page = await site.page(f"/incidents/INC-1?span={span}")
        (counts,) = re.findall(r'data-counts="([^"]+)"', page)
        assert len(counts.split(",")) == bars
    assert (await site.page("/incidents/INC-1?span=1y"))[0] == 400


async def test_one_event_of_many_is_shown_with_the_ways_to_the_others(site: Site) -> None:
    sent = [await site.send(text=f"order {number} is bad") for number in range(5)]
    _, page = await site.page("/incidents/INC-1")
    assert "5 of 5" in outline(page).text
    assert f'href="/e/{sent[3].id}"' in page
    text = await text_of(site, f"/e/{sent[2].id}")
    assert "3 of 5" in text
    assert "order 2 is bad" in text
    _, page = await site.page(f"/e/{sent[2].id}?span=7d")
    for key, event in (("p", sent[1]), ("n", sent[3])):
        assert re.search(rf'href="/e/{event.id}\?span=7d" data-key="{key}"', page)
    assert f'href="/e/{sent[0].id}?span=7d"' in page
    assert f'href="/e/{sent[4].id}?span=7d"' in page


async def test_each_value_of_an_event_leads_to_what_shares_it(site: Site) -> None:
    await site.send(
        user={"id": 42, "email": "ada@example.org"},
        trace_id="8FA624f71fab5884e29aaceaf49c9eba",
        release="2.4.1",
        host="web-3",
        tags={"region": "eu west"},
        context={"order": 17, "cart": [{"sku": 1}]},
        request={"method": "POST"},
        transaction="POST /pay",
    )
    _, page = await site.page("/incidents/INC-1")
    addresses = [unescape(address) for address in re.findall(r'href="([^"]+)"', page)]
    for query in (
        'user:"42"',
        'user:"ada@example.org"',
        'trace:"8fa624f71fab5884e29aaceaf49c9eba"',
        'release:"2.4.1"',
        'environment:"production"',
        'host:"web-3"',
    ):
        address = f"/?{urlencode({'query': query})}"
        assert address in addresses, query
        assert "INC-1" in (await site.page(address))[1]
    (own,) = [one for one in addresses if one.startswith("?query=tag.region") and "eu%20west" in one][:1]
    assert "None of its events fits" not in await text_of(site, f"/incidents/INC-1{own.partition('#')[0]}")
    text = outline(page).text
    for shown in ("POST /pay", "order 17", '[{"sku": 1}]', "method POST"):
        assert shown in " ".join(text.split())


async def test_the_trace_is_turned_by_a_link_and_copied_as_python_prints_it(site: Site) -> None:
    source = ["    try:", "        x = 1", "        raise error", "", ""]
    own = Frame(
        file="shop/pay.py", module="shop.pay", qualname="charge", line=9, context=source, vars={"n": 3}
    )
    library = Frame(file="lib/http.py", module="lib.http", qualname="get", line=3, in_app=False)
    inner = ExceptionInfo(type="Inner", value="first", frames=[own])
    event = await site.send(
        exceptions=[ExceptionInfo(type="Outer", value="no", notes=["a note"], frames=[own, library]), inner]
    )
    _, page = await site.page("/incidents/INC-1")
    text = " ".join(outline(page).text.split())
    assert "1 library frame" in text
    assert "1 local variable" in text
    assert re.search(r'<mark class="ln"><i>9</i><span> +<span class="k">raise</span> error', unescape(page))
    assert text.index("Raised Outer") < text.index("Caused by Inner")
    turned = await text_of(site, f"/e/{event.id}?order=python")
    assert turned.index("Raised Inner") < turned.index("Led to Outer")
    (copied,) = re.findall(r'id="trace-text">(.*?)</pre>', page, re.DOTALL)
    assert unescape(copied).splitlines()[:3] == [
        "Traceback (most recent call last):",
        '  File "shop/pay.py", line 9, in charge',
        "    raise error",
    ]
    assert "library" not in copied
    assert f'data-copy-url="api/v1/events/{event.id}/report"' in page


async def test_no_block_of_source_is_a_stop_for_the_keyboard(site: Site) -> None:
    await site.send()
    tags = outline((await site.page("/incidents/INC-1"))[1]).tags
    assert not [given for tag, given in tags if tag == "pre" and "tabindex" in given]


async def test_breadcrumbs_are_a_line_each_with_their_seconds(site: Site) -> None:
    site.clock.advance(timedelta(seconds=1))
    at = site.clock()
    crumbs = [
        {
            "timestamp": (at - timedelta(seconds=90 - number)).isoformat(),
            "category": "http",
            "message": f"m{number}",
        }
        for number in range(60)
    ]
    site.clock.advance(timedelta(seconds=-1))
    await site.send(breadcrumbs=crumbs)
    text = spaced((await site.page("/incidents/INC-1"))[1])
    assert "\N{MINUS SIGN}31.0 s http m59" in text
    assert "40 earlier ones" in text


async def test_an_event_without_a_body_says_so_and_leads_to_those_that_can_be_read(site: Site) -> None:
    first, second, narrow, last = await send_flood(site)
    text = await text_of(site, f"/e/{narrow.id}")
    assert "This event is counted, but its body is not kept" in text
    assert "nearest in time, first, last" in text
    _, page = await site.page(f"/e/{narrow.id}")
    for one in (first, second, last):
        assert f'href="/e/{one.id}"' in page
    assert "shop/app.py:7" in await text_of(site, "/incidents/INC-1")


async def test_events_are_searched_and_paged_both_ways(site: Site) -> None:
    for number in range(45):
        await site.send(text=f"order {number} is bad", user={"id": f"u{number % 3}"}, tags={"region": "eu"})
    _, page = await site.page("/incidents/INC-1")
    text = spaced(page)
    assert "order 44 is bad u2" in text
    assert "order 25 is bad u1" in text
    assert "order 24 is bad u0" not in text

    def link(of: str, words: str) -> str:
        (address,) = re.findall(rf'<a href="([^"]+)"[^>]*>{words}</a>', of)
        return "/incidents/INC-1" + unescape(address).partition("#")[0]

    _, second = await site.page(link(page, "Older events →"))
    assert "order 24 is bad" in outline(second).text
    _, third = await site.page(link(second, "Older events →"))
    assert "order 4 is bad" in outline(third).text
    assert "Older events" not in third
    _, back = await site.page(link(third, "← Newer events"))
    assert "order 24 is bad" in outline(back).text
    _, newest = await site.page(link(back, "← Newer events"))
    assert "order 44 is bad" in outline(newest).text
    found = await text_of(site, "/incidents/INC-1?query=user:u1")
    assert "order 43 is bad" in found
    assert "order 42 is bad" not in found
    assert "None of its events fits" in await text_of(site, "/incidents/INC-1?query=user:nobody")


async def test_a_mistaken_search_is_told_beside_its_box(site: Site) -> None:
    await site.send()
    status, page = await site.page("/incidents/INC-1?query=usr:%3Cb%3E")
    assert status == 400
    assert "<mark>usr</mark>" in page
    assert "did you mean user?" in page
    assert (await site.page("/incidents/INC-1?cursor=nothing"))[0] == 400
    assert (await site.page("/incidents/INC-1?colour=red"))[0] == 400


async def test_the_crumb_keeps_the_list_and_leads_along_it(site: Site) -> None:
    for kind, service in (("A", "billing"), ("B", "orders"), ("C", "billing"), ("D", "billing")):
        await site.send(kind=kind, service=service)
    came_from = urlencode({"query": "service:billing", "sort": "last"})
    _, page = await site.page(f"/incidents/INC-3?{urlencode({'from': came_from})}")
    assert f'href="/?{came_from.replace("&", "&amp;")}"' in page
    assert 'Incidents: service:"billing"' in outline(page).text
    kept = urlencode({"from": came_from}).replace("&", "&amp;")
    (previous,) = re.findall(r'href="(/incidents/[^"]+)" rel="prev"', page)
    (following,) = re.findall(r'href="(/incidents/[^"]+)" rel="next"', page)
    assert (previous.partition("?")[0], following.partition("?")[0]) == (
        "/incidents/INC-4",
        "/incidents/INC-1",
    )
    assert kept.partition("=")[0] in previous
    _, page = await site.page(unescape(previous))
    assert 'rel="prev"' not in page
    for strange in ("x" * 5_000, "query=usr:x", "sort=loud", "\x00"):
        status, page = await site.page(f"/incidents/INC-1?{urlencode({'from': strange})}")
        assert status == 200


async def test_a_comment_stands_in_the_timeline_among_what_happened(site: Site) -> None:
    await site.send(release="1.0")
    await site.send(release="1.1")
    await add_up(site)
    site.clock.advance(timedelta(seconds=1))
    await post(site, "/incidents/INC-1/comment", note="the partner\nknows")
    site.clock.advance(timedelta(seconds=1))
    await post(site, "/incidents/INC-1/assign", to="ada")
    text = await text_of(site, "/incidents/INC-1")
    _, _, line = text.partition("What happened to it")
    places = [
        line.index(words)
        for words in (
            "assigned to ada by page",
            "page said",
            "the partner knows",
            "first seen in 1.1",
            "log: new",
        )
    ]
    assert places == sorted(places)
    assert "opened by an event of 1.0" in line


async def test_two_events_are_compared_by_their_key_parts(site: Site) -> None:
    first = await site.send(kind="A")
    second = await site.send(kind="B")
    same = await site.send(kind="A", text="worse")
    path = f"/e/{first.id}/compare"
    assert "Two incidents" in await text_of(site, f"{path}?other={second.id}")
    assert "Two incidents" in await text_of(site, f"{path}?other=INC-2")
    assert "One fingerprint, so one incident" in await text_of(site, f"{path}?other={same.id}")
    _, page = await site.page(f"{path}?other=INC-2")
    assert re.search(r"<mark>[^<]*handle_a", page)
    for unknown in ("", "INC-99", "error_20261123_aaaaaaaa", "<b>"):
        assert (await site.page(f"{path}?{urlencode({'other': unknown})}"))[0] == 404


async def test_a_similar_incident_is_named_and_offered_to_merge_with(site: Site) -> None:
    frames = [Frame(file="a.py", module="a", qualname="other", line=1)]
    await site.send(kind="A")
    await site.send(exceptions=[ExceptionInfo(type="A", value="elsewhere", frames=frames)])
    _, page = await site.page("/incidents/INC-1")
    assert "Of the same type" in outline(page).text
    assert 'name="into" value="INC-2"' in page
    following = await post(site, "/incidents/INC-1/merge", into="INC-2")
    assert following == "/incidents/INC-1"
    async with site.client.get("/incidents/INC-1?span=7d", allow_redirects=False) as answer:
        assert (answer.status, answer.headers["Location"]) == (303, "/incidents/INC-2?span=7d")
    _, page = await site.page("/incidents/INC-2")
    assert 'action="/incidents/INC-1/unmerge"' in page
    await post(site, "/incidents/INC-1/unmerge", next="/incidents/INC-2")
    assert "/unmerge" not in (await site.page("/incidents/INC-2"))[1]


async def test_a_form_of_a_page_that_is_stale_changes_nothing(site: Site) -> None:
    await site.send()
    _, page = await site.page("/incidents/INC-1")
    (version,) = set(re.findall(r'name="version" value="(\d+)"', page))
    await post(site, "/incidents/INC-1/acknowledge", version=version)
    await post(site, "/incidents/INC-1/resolve", version=version)
    assert "acknowledged by page" in await text_of(site, "/incidents/INC-1")
    assert 'data-scope="INC-1" data-version="2"' in (await site.page("/incidents/INC-1"))[1]


async def test_every_offered_button_does_what_it_says(site: Site) -> None:
    """Each form of the page, sent as a browser sends it, changes the incident or says why not."""
    await site.send(release="1.0", environment="production")
    _, page = await site.page("/incidents/INC-1")
    forms = re.findall(r'<form method="post" action="(/incidents/INC-1/[a-z]+)".*?</form>', page, re.DOTALL)
    assert {address.rpartition("/")[2] for address in forms} == {verb.value for verb in Verb} - {
        "reopen",
        "unmute",
        "unassign",
        "unlink",
        "unmerge",
    }
    for verb, fields in (
        ("acknowledge", {"until": "2026-11-24T10:00"}),
        ("mute", {"for_seconds": "14400", "reason": ""}),
        ("unmute", {}),
        ("mute", {"for_ever": "true", "reason": "a partner's fault"}),
        ("resolve", {"release": "", "environment": "production", "note": "so"}),
        ("reopen", {}),
        ("resolve", {"next_release": "true", "environment": "", "note": ""}),
        ("assign", {"to": "ada"}),
        ("unassign", {}),
        ("link", {"url": "https://git.example/shop/issues/7"}),
    ):
        await post(site, f"/incidents/INC-1/{verb}", **fields)
        assert "Nothing was changed" not in await text_of(site, "/incidents/INC-1"), verb


def fields_of_forms(page: str) -> dict[str, set[str]]:
    """The names of the fields in the forms of each verb."""
    found: dict[str, set[str]] = {}
    for verb, form in re.findall(
        r'<form method="post" action="/incidents/INC-\d+/([a-z]+)"(.*?)</form>', page, re.DOTALL
    ):
        found.setdefault(verb, set()).update(re.findall(r' name="([a-z_]+)"', form))
    return found


async def test_the_page_has_each_verb_with_its_declared_arguments(site: Site) -> None:
    """The same table of verbs as the API, the command line and agents have: a new verb is a form at once."""
    await site.send(release="1.0")
    await add_up(site)
    page = ""
    for verb in (None, "assign", "mute", "acknowledge", "link", "resolve"):
        if verb is not None:
            fields = {
                "assign": {"to": "ada"},
                "mute": {"for_ever": "1", "reason": "r"},
                "link": {"url": "https://x.example/1"},
            }
            await post(site, f"/incidents/INC-1/{verb}", **fields.get(verb, {}))
        page += (await site.page("/incidents/INC-1"))[1]
    await site.send(kind="B")
    await post(site, "/incidents/INC-2/merge", into="INC-1")
    page += (await site.page("/incidents/INC-1"))[1]
    found = fields_of_forms(page)
    for verb in Verb:
        declared = {field.name for field in msgspec.structs.fields(ARGUMENTS[verb])}
        assert declared <= found.get(verb.value, set()), verb
        assert found[verb.value] <= declared | {"note", "next", "version"}, verb


async def test_stored_text_stays_text_in_every_place_of_the_page(site: Site) -> None:
    text = HOSTILE.replace("\x00", "")
    long = f"{text} " * 300
    event = await site.send(
        kind="Evil<b>",
        text=long,
        service="svc<i>",
        environment="<env>",
        release="<rel>",
        host="<host>",
        transaction="<tx>",
        trace_id="<trace>",
        context={text: text, "nested": {"<b>": [text]}, "long": long},
        tags={"<tag>": "<value>", **{f"k{number}": text for number in range(60)}},
        user={"id": "<user>", "<b>": "<c>"},
        request={"url": "<url>"},
        breadcrumbs=[{"timestamp": "<x>", "category": text, "message": text, "data": {text: text}}],
    )
    await post(site, "/incidents/INC-1/comment", note="<script>alert(1)</script>")
    await post(site, "/incidents/INC-1/assign", to="<b>ada</b>")
    for path in ("/incidents/INC-1", f"/e/{event.id}", f"/e/{event.id}/compare?other=INC-1"):
        status, page = await site.page(path)
        assert status == 200
        assert not {"\x1b", "\u202e"} & set(page)
        assert "svc<i>" not in page
        assert "<script>alert" not in page
        assert len(page) < 250_000


def _deep(level: int, frames: list[Frame]) -> list[ExceptionInfo]:
    members = [_deep(level - 1, frames), _deep(level - 1, frames)] if level else []
    return [ExceptionInfo(type="Group", value="m" * 500, members=members, frames=frames)]


@pytest.mark.parametrize("nested", [False, True])
async def test_an_absurd_event_makes_a_page_of_a_bounded_size(site: Site, nested: bool) -> None:
    frames = [
        Frame(file=f"app/{'d/' * 9}f{number}.py", qualname="q" * 50, line=number, context=["x = 1"] * 5)
        for number in range(500)
    ]
    plain = [ExceptionInfo(type="T" * 900, value="v" * 5_000, frames=frames)]
    event = await site.send(
        severity=ErrorSeverity.CRITICAL,
        message="title " * 800,
        exceptions=_deep(5, frames[:3]) if nested else plain,
        tags={f"tag-{number}": "v" for number in range(3_000)},
    )
    status, page = await site.page(f"/e/{event.id}")
    assert status == 200
    assert len(page) < 400_000
    text = " ".join(outline(page).text.split())
    assert "and 2,960 more" in text
    assert ("Member 1 of 2" if nested else "380 calls between are left out") in text


async def test_a_page_without_a_script_needs_none(site: Site) -> None:
    await site.send()
    page = (await site.page("/incidents/INC-1"))[1]
    for tag, given in outline(page).tags:
        if tag == "button" and "data-copy" not in given:
            assert given.get("type") in ("submit", None), given


async def test_who_may_only_read_is_offered_no_verb_and_others_whom_to_assign_to(door: Site) -> None:
    await door.send()
    await add_person(door.store, "eve", AccountRole.VIEWER)
    await add_person(door.store, "ada", AccountRole.OPERATOR)
    page = ""
    for name, offered in (("eve", False), ("ada", True)):
        browser = Browser(door, host=urlsplit(PUBLIC).netloc)
        await browser.sign_in(name)
        answer = await browser.ask("GET", "/incidents/INC-1")
        page = await answer.text()
        assert answer.status == 200
        assert ('action="/incidents/INC-1/' in page) is offered
        assert ("<option>eve</option>" in page) is offered
        assert "nobody has acknowledged it" in page
    assert 'name="to" value="ada"' in page
    assert f'id="link" hidden>{PUBLIC}/incidents/INC-1<' in page
