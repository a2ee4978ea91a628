"""ETag and If-None-Match, and addresses that people shorten."""

import pytest
from tests.contract.api.conftest import Site


@pytest.mark.parametrize("path", ["/api/v1/incidents", "/api/v1/incidents/INC-1", "/api/v1/events"])
async def test_an_answer_that_is_known_is_not_sent_again(site: Site, path: str) -> None:
    await site.send()
    async with site.client.get(path) as first:
        tag = first.headers["ETag"]
        assert tag.startswith('W/"')
        assert await first.read()
    for known in (tag, f'"other", {tag}', tag.removeprefix("W/"), "*"):
        async with site.client.get(path, headers={"If-None-Match": known}) as again:
            assert (again.status, again.headers["ETag"], await again.read()) == (304, tag, b"")
    async with site.client.head(path, headers={"If-None-Match": tag}) as head:
        assert head.status == 304


async def test_what_changed_is_sent_whole_with_another_tag(site: Site) -> None:
    await site.send()
    async with site.client.get("/api/v1/incidents/INC-1") as first:
        tag = first.headers["ETag"]
    await site.send()
    async with site.client.get("/api/v1/incidents/INC-1", headers={"If-None-Match": tag}) as second:
        assert second.status == 200
        assert second.headers["ETag"] != tag
        assert (await second.json())["count"] == 2


@pytest.mark.parametrize("known", ["", '"', 'W/"', '""', 'W/"x', "x" * 5000])
async def test_a_tag_that_is_none_changes_nothing(site: Site, known: str) -> None:
    async with site.client.get("/api/v1/incidents", headers={"If-None-Match": known}) as answer:
        assert answer.status == 200


async def test_a_refusal_has_no_tag(site: Site) -> None:
    async with site.client.get("/api/v1/incidents/INC-9", headers={"If-None-Match": "*"}) as answer:
        assert answer.status == 404
        assert "ETag" not in answer.headers


@pytest.mark.parametrize(
    ("path", "target"), [("/incidents", "/"), ("/e", "/"), ("/e?view=all", "/?view=all")]
)
async def test_an_address_without_its_id_leads_to_the_list(site: Site, path: str, target: str) -> None:
    async with site.client.get(path, allow_redirects=False) as answer:
        assert (answer.status, answer.headers["Location"]) == (303, target)


async def test_the_page_understands_the_api_s_word_for_a_status(site: Site) -> None:
    await site.send(kind="First")
    await site.send(kind="Second")
    await site.post("/api/v1/incidents/INC-1/resolve")
    status, page = await site.page("/?status=open")
    assert status == 200
    assert "INC-2" in page
    assert 'data-incident="INC-1"' not in page
    _, page = await site.page("/?status=resolved&status=open")
    assert 'data-incident="INC-1"' in page
    assert "INC-2" in page
    assert (await site.page("/?status=gone"))[0] == 400


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/api/v1/nothing", 404),
        ("DELETE", "/api/v1/incidents", 405),
        ("GET", "/api/v1/incidents/INC-1/acknowledge", 405),
        ("POST", "/livez", 405),
        ("GET", "/ingest/v1/events", 405),
    ],
)
async def test_what_aiohttp_refuses_is_told_in_the_standard_format(
    site: Site, method: str, path: str, status: int
) -> None:
    async with site.client.request(method, path) as answer:
        assert answer.status == status
        error = (await answer.json())["error"]
        assert set(error) == {"id", "message", "code", "severity", "timestamp", "details"}
        assert ("Allow" in answer.headers) is (status == 405)
    async with site.client.request(method, path, headers={"Accept": "application/problem+json"}) as answer:
        assert answer.content_type == "application/problem+json"
        assert (await answer.json())["status"] == status
