"""Single keys on the page: listed, turned off for a browser, and what a page says to its script."""

import re

import pytest
from tests.contract.api.conftest import Site

from faultwire_consumer.web.page.keys import SHORTCUTS

# Nothing here depends on the database.
pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


async def test_the_list_has_every_key_and_what_it_does(site: Site) -> None:
    status, page = await site.page("/keys")
    assert status == 200
    for group in SHORTCUTS:
        for shortcut in group.keys:
            shown = " then ".join(f"<kbd>{key}</kbd>" for key in shortcut.keys)
            assert f"<dt>{shown}</dt><dd>{shortcut.does}</dd>" in page


async def test_keys_are_turned_off_and_on_for_a_browser(site: Site) -> None:
    assert 'data-keys="on"' in (await site.page("/keys"))[1]
    for word in ("off", "on"):
        given = {"keys": word, "next": "/keys"}
        async with site.client.post("/preferences", data=given, allow_redirects=False) as answer:
            assert (answer.status, answer.headers["Location"]) == (303, "/keys")
            cookie = answer.cookies["faultwire_keys"]
            assert (cookie.value, cookie["samesite"]) == (word, "Strict")
        assert f'data-keys="{word}"' in (await site.page("/keys"))[1]


async def test_a_word_that_is_none_of_them_is_refused_and_one_from_elsewhere_counts_as_nothing(
    site: Site,
) -> None:
    status, document = 0, ""
    async with site.client.post(
        "/preferences", data={"keys": "maybe"}, headers={"Accept": "text/html"}
    ) as answer:
        status, document = answer.status, await answer.text()
    assert status == 400
    assert "one of on, off" in document
    site.client.session.cookie_jar.update_cookies({"faultwire_keys": '"><script>'})
    assert 'data-keys="on"' in (await site.page("/keys"))[1]


async def test_a_page_says_which_change_it_knows_last(site: Site) -> None:
    assert 'data-last-change="0"' in (await site.page("/"))[1]
    await site.send(kind="A")
    await site.post("/api/v1/incidents/INC-1/resolve")
    (last,) = re.findall(r'data-last-change="(\d+)"', (await site.page("/incidents/INC-1"))[1])
    assert last == "2"
