import re
from html.parser import HTMLParser

import pytest
from tests.contract.api.conftest import Site

from faultwire_shared.event import ErrorSeverity

# Nothing here depends on the database.
pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

HOSTILE = "<script>alert('x')</script> \x1b[31m\u202egnp.exe\x00 [bold]{{ 7*7 }}"


class Outline(HTMLParser):
    """Collects what a page is made of, and sees that its tags nest."""

    VOID = frozenset({"meta", "link", "img", "input", "br", "rect", "path", "circle"})

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        if tag in self.VOID:
            return
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def outline(page: str) -> Outline:
    read = Outline()
    read.feed(page)
    assert not read.open
    assert all(not name.startswith("on") and name != "style" for _, given in read.tags for name in given)
    return read


async def test_an_empty_list_says_how_to_send_the_first_event(site: Site) -> None:
    status, page = await site.page("/")
    assert status == 200
    assert "faultwire send" in outline(page).text


async def test_the_list_shows_what_nobody_has_resolved(site: Site) -> None:
    await site.send(kind="A")
    await site.send(kind="B", severity=ErrorSeverity.CRITICAL, service="orders")
    await site.post("/api/v1/incidents/INC-1/resolve")
    _, page = await site.page("/")
    assert "/incidents/INC-2" in page
    assert "/incidents/INC-1" not in page
    assert "/incidents/INC-1" in (await site.page("/?view=all"))[1]
    assert "/incidents/INC-1" in (await site.page("/?view=resolved&service=&severity=&search="))[1]
    assert "Nothing matches" in (await site.page("/?severity=low"))[1]
    assert "/incidents/INC-2" in (await site.page("/?service=orders&search=bad"))[1]
    read = outline(page)
    assert any(tag == "time" and (given["datetime"] or "").endswith("Z") for tag, given in read.tags)
    assert "critical" in read.text


async def test_a_long_list_goes_on(site: Site) -> None:
    for number in range(51):
        await site.send(kind=f"Kind{number}")
    _, page = await site.page("/?severity=high")
    (following,) = re.findall(r'<a href="([^"]+)" rel="next"', page)
    _, rest = await site.page(following.replace("&amp;", "&"))
    assert "/incidents/INC-1" in rest


async def test_a_button_changes_the_incident_and_comes_back(site: Site) -> None:
    await site.send()
    async with site.client.post("/incidents/INC-1/resolve", allow_redirects=False) as answer:
        assert (answer.status, answer.headers["Location"]) == (303, "/incidents/INC-1")
    _, page = await site.page("/incidents/INC-1")
    assert 'action="/incidents/INC-1/reopen"' in page
    assert 'action="/incidents/INC-1/resolve"' not in page
    async with site.client.post("/incidents/INC-1/acknowledge", data={"version": "1"}) as answer:
        assert answer.status == 200
        assert "Nothing was changed." in outline(await answer.text()).text
    assert "Nothing was changed." not in (await site.page("/incidents/INC-1"))[1]


async def test_stored_text_is_text_everywhere(site: Site) -> None:
    event = await site.send(
        kind="Evil<b>",
        text=HOSTILE.replace("\x00", ""),
        service="svc<i>",
        environment="<env>",
        release="<rel>",
        context={HOSTILE: HOSTILE, "nested": {"<b>": [HOSTILE]}},
        tags={"<tag>": "<value>"},
        user={"id": "<user>"},
        request={"url": "<url>"},
    )
    await site.send_body(b'{"id": "<script>alert(1)</script>"')
    for path in ("/?view=all", "/incidents/INC-1", f"/e/{event.id}", "/dead-letters", "/dead-letters/1"):
        status, page = await site.page(path)
        assert status == 200
        assert "\x1b" not in page
        assert "\u202e" not in page
        assert "49" not in outline(page).text.replace("49 ", "") or "7*7" in page


async def test_an_event_shows_all_that_it_carries(site: Site) -> None:
    event = await site.send(context={"order": 17}, tags={"region": "eu"}, user={"id": "42"}, release="1.2.0")
    _, page = await site.page(f"/e/{event.id}")
    text = outline(page).text
    for shown in ("order", "17", "region", "eu", "42", "1.2.0", "INC-1", event.id):
        assert shown in text
    assert f'href="/api/v1/events/{event.id}"' in page


@pytest.mark.parametrize(
    "path", ["/e/error_20261123_aaaaaaaa", "/e/x", "/incidents/INC-77", "/dead-letters/5", "/no"]
)
async def test_what_is_not_there_is_a_page_too(site: Site, path: str) -> None:
    status, page = await site.page(path)
    assert status == 404
    assert "Back to the incidents" in outline(page).text


async def test_a_filter_that_cannot_be_is_a_page_that_says_so(site: Site) -> None:
    status, page = await site.page("/?severity=loud")
    assert status == 400
    assert "severity" in outline(page).text


async def test_assets_may_be_kept_for_ever(site: Site) -> None:
    _, page = await site.page("/")
    for address in re.findall(r'(?:href|src)="(/static/[^"]+)"', page):
        async with site.client.get(address) as answer:
            assert answer.status == 200
            assert "immutable" in answer.headers["Cache-Control"]
    assert (await site.get("/static/none.css"))[0] == 404


async def test_the_search_box_takes_the_language_and_keeps_what_was_written(site: Site) -> None:
    await site.send(kind="A")
    await site.send(kind="B", service="orders")
    status, page = await site.page("/?query=service:orders&view=unresolved")
    assert status == 200
    assert 'value="service:orders is:unresolved"' in page
    assert ("/incidents/INC-2" in page, "/incidents/INC-1" in page) == (True, False)
    await site.post("/api/v1/incidents/INC-1/resolve")
    assert "/incidents/INC-1" in (await site.page("/?query=is:resolved&view=unresolved"))[1]


async def test_a_wrong_query_is_told_beside_the_box(site: Site) -> None:
    await site.send()
    status, page = await site.page("/?query=service:a%20severty:%3Cb%3E")
    assert status == 400
    assert 'value="service:a severty:&lt;b&gt;"' in page
    assert "<mark>severty</mark>" in page
    assert "did you mean severity?" in page
    assert "/incidents/INC-" not in page
