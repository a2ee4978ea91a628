"""Links out: an incident's issue is remembered, a new one is opened filled in, frames lead to source."""

from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from tests.contract.api.conftest import Site, serve
from tests.tools.clock import FixedClock

from faultwire_consumer.domain.links.source import SourceLinks, read_source_template
from faultwire_consumer.domain.links.tracker import ISSUE_URL_CHARACTERS, read_tracker_template
from faultwire_consumer.store.contract.store import Store
from faultwire_shared.event import ExceptionInfo, Frame

API = "/api/v1/incidents"
ISSUE = "https://git.example/shop/issues/7"
TRACKER = read_tracker_template(
    "https://git.example/shop/issues/new?title={title}&body={body}&labels={service},{release},{id}&from={link}"
)
SOURCES = SourceLinks(read_source_template("https://git.example/shop/blob/{release}/{path}#L{line}"))


@pytest.fixture
async def linked(store: Store, clock: FixedClock) -> AsyncIterator[Site]:
    """A worker that knows where source and tracker are."""
    async with serve(store, clock, tracker=TRACKER, sources=SOURCES) as site:
        yield site


async def act(site: Site, verb: str, name: str = "INC-1", **body: Any) -> Any:
    status, document = await site.post(f"{API}/{name}/{verb}", body)
    assert status == 200, document
    return document


async def test_an_incident_remembers_its_issue_through_what_happens_to_it(site: Site) -> None:
    await site.send()
    document = await act(site, "link", url=ISSUE, note="the same as last week")
    assert document["link"] == ISSUE
    assert document["history"][0]["reason"] == "linked"
    assert document["history"][0]["detail"] == "to git.example/shop/issues/7"
    version = document["version"]
    assert (await act(site, "link", url=ISSUE))["version"] == version
    for verb in ("acknowledge", "reopen", "resolve"):
        assert (await act(site, verb))["link"] == ISSUE
    await site.send()
    status, document = await site.get(f"{API}/INC-1")
    assert (status, document["status"], document["episode"], document["link"]) == (200, "open", 2, ISSUE)
    _, listed = await site.get(API)
    assert listed["incidents"][0]["link"] == ISSUE
    document = await act(site, "unlink")
    assert (document["link"], document["history"][0]["reason"]) == (None, "unlinked")


async def test_an_incident_that_is_merged_brings_its_issue_and_takes_it_back(site: Site) -> None:
    await site.send(kind="One")
    await site.send(kind="Two")
    await act(site, "link", "INC-2", url=ISSUE)
    await act(site, "merge", "INC-2", into="INC-1")
    _, document = await site.get(f"{API}/INC-1")
    assert document["link"] == ISSUE
    assert (await act(site, "unmerge", "INC-2"))["link"] == ISSUE


async def test_what_is_not_a_link_is_refused_and_so_is_another_host_than_the_tracker_s(
    site: Site, linked: Site
) -> None:
    await site.send()
    for url in ("javascript:alert(1)", "https://ada:pw@git.example/7", "https://git.example/a b"):
        status, document = await site.post(f"{API}/INC-1/link", {"url": url})
        assert status == 400
        assert "'field': 'url'" in str(document["error"]), document
    assert (await act(site, "link", url="https://elsewhere.example/7"))["link"]
    status, document = await linked.post(f"{API}/INC-1/link", {"url": "https://elsewhere.example/8"})
    assert status == 400
    assert "git.example" in str(document["error"])
    assert (await act(linked, "link", url="https://GIT.example:8443/7"))["link"]


async def test_a_new_issue_is_filled_in_within_what_an_address_takes(linked: Site) -> None:
    file = f"shop/{'very' * 40}/deep.py"
    frames = [Frame(file=file, qualname=f"step_{line}", line=line, context=["a()"]) for line in range(1, 90)]
    title = "order 17 & co <b>\x1b[31m #1\u202e" + "x" * 3000
    error = ExceptionInfo(type="ValueError", module="shop", value=title, frames=frames)
    await linked.send(exceptions=[error], message=title, release="2.4.1+ü")
    status, document = await linked.get(f"{API}/INC-1/new-issue")
    assert (status, document["id"]) == (200, "INC-1")
    url = urlsplit(document["url"])
    assert len(document["url"]) <= ISSUE_URL_CHARACTERS
    assert (url.scheme, url.netloc, url.path) == ("https", "git.example", "/shop/issues/new")
    filled = parse_qs(url.query)
    assert [*filled] == ["title", "body", "labels", "from"]
    assert filled["labels"] == ["billing,2.4.1+ü,INC-1"]
    assert filled["from"][0].endswith("/incidents/INC-1")
    assert len(filled["title"][0]) <= 200
    body = filled["body"][0]
    assert "High, open: 1 event of service `billing`" in body
    assert "step_89" in body
    assert "lines before are left out)" in body
    assert body.count("```") == 2
    assert not any(ord(sign) < 32 and sign != "\n" for sign in body)


async def test_the_page_leads_to_the_new_issue_and_says_where_there_is_no_tracker(
    linked: Site, site: Site
) -> None:
    await linked.send()
    async with linked.client.get("/incidents/INC-1/new-issue", allow_redirects=False) as answer:
        assert answer.status == 303
        assert answer.headers["Location"].startswith("https://git.example/shop/issues/new?title=")
    status, document = await site.get(f"{API}/INC-1/new-issue")
    assert (status, document["error"]["code"]) == (404, "TRACKER_UNSET")
    status, document = await linked.get(f"{API}/INC-99/new-issue")
    assert (status, document["error"]["code"]) == (404, "INCIDENT_NOT_FOUND")


async def test_reports_lead_to_the_issue_and_to_each_own_call_s_source(linked: Site) -> None:
    frames = [
        Frame(file="lib/http.py", qualname="get", line=3, in_app=False),
        Frame(file="shop/a b.py", qualname="pay", line=7),
        Frame(file="/srv/x.py", qualname="run", line=9),
    ]
    event = await linked.send(
        exceptions=[ExceptionInfo(type="ValueError", value="bad", frames=frames)], release="v1"
    )
    await act(linked, "link", url=ISSUE)
    for path in (f"{API}/INC-1/report", f"/api/v1/events/{event.id}/report"):
        async with linked.client.get(path) as answer:
            report = await answer.text()
        assert "- `shop/a b.py:7`: <https://git.example/shop/blob/v1/shop/a%20b.py#L7>" in report
        assert report.count("https://git.example/shop/blob") == 1
    async with linked.client.get(f"{API}/INC-1/report") as answer:
        assert f"- issue: <{ISSUE}>" in await answer.text()


async def test_a_link_is_made_by_a_form_and_taken_back_by_its_notice(site: Site) -> None:
    await site.send()
    form = {"url": ISSUE, "version": "1"}
    origin = str(site.client.make_url("/"))[:-1]
    async with site.client.post(
        "/incidents/INC-1/link", data=form, headers={"Origin": origin}, allow_redirects=False
    ) as answer:
        assert answer.status == 303
    _, document = await site.get(f"{API}/INC-1")
    assert document["link"] == ISSUE
    _, page = await site.page("/incidents/INC-1")
    assert f'issue <a href="{ISSUE}" rel="noopener noreferrer nofollow">git.example/shop/issues/7</a>' in page
    assert 'action="/incidents/INC-1/unlink"' in page
    assert "New issue" not in page


async def test_the_page_leads_to_each_own_call_s_source_and_to_a_new_issue(linked: Site) -> None:
    frames = [Frame(file="lib/http.py", line=3, in_app=False), Frame(file='shop/"><script>.py', line=7)]
    event = await linked.send(exceptions=[ExceptionInfo(type="ValueError", frames=frames)], release="v1")
    for path in ("/incidents/INC-1", f"/e/{event.id}"):
        status, page = await linked.page(path)
        assert status == 200
        source = "https://git.example/shop/blob/v1/shop/%22%3E%3Cscript%3E.py#L7"
        assert f'<a href="{source}" rel="noopener noreferrer nofollow">' in page
        assert page.count("git.example/shop/blob") == 1
        assert (
            '<a class="button" href="/incidents/INC-1/new-issue" rel="noopener noreferrer nofollow">' in page
        )
