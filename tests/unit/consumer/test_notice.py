"""Notices fit a cookie whatever they say, and what a browser makes up is none."""

import pytest
from aiohttp import web
from aiohttp.test_utils import make_mocked_request

from faultwire_consumer.web.page.notice import NOTICE_COOKIE, Notice, Undo, leave_notice, take_notice

IDS = tuple(f"INC-{number}" for number in range(1_000_000, 1_000_040))


def brought_back(notice: Notice) -> Notice | None:
    """The notice as the next page takes it from the cookie that this one leaves."""
    response = web.Response()
    leave_notice(response, notice)
    value = response.cookies[NOTICE_COOKIE].value
    assert len(value) <= 2_000
    return take_notice(make_mocked_request("GET", "/", headers={"Cookie": f"{NOTICE_COOKIE}={value}"}))


@pytest.mark.parametrize("letter", ["a", "ä", "決", "\U0001f600", '"', "\x01"])
@pytest.mark.parametrize("undo", [None, Undo("reopen", IDS)])
def test_a_long_notice_comes_back_with_its_beginning_in_any_alphabet(letter: str, undo: Undo | None) -> None:
    back = brought_back(Notice(letter * 5_000, undo=undo))
    assert back is not None
    assert back.text.startswith(letter * 60)
    assert back.text.endswith("…")
    assert back.undo == undo


def test_a_short_one_comes_back_whole() -> None:
    assert brought_back(Notice("INC-1 is resolved.", refused=True)) == Notice(
        "INC-1 is resolved.", refused=True
    )


@pytest.mark.parametrize("value", ["x", "e30", "!!", "eyJ0ZXh0IjogNX0", "a" * 3_000])
def test_what_is_not_one_of_ours_is_none(value: str) -> None:
    request = make_mocked_request("GET", "/", headers={"Cookie": f"{NOTICE_COOKIE}={value}"})
    assert take_notice(request) is None
