"""The key of an SDK is found wherever it stands, and rubbish is no key."""

import base64
from collections.abc import Mapping
from urllib.parse import parse_qsl

import pytest
from hypothesis import given
from hypothesis import strategies as st
from multidict import CIMultiDict
from tests.tools.traffic import KEY, PROJECT, recordings

from faultwire_consumer.gateway.sentry.auth import SentryAuth, find_auth, find_auth_of_dsn, sdk_of
from faultwire_shared.event import Sdk

OTHER = "b" * 32


def found(
    headers: Mapping[str, str] | None = None, query: Mapping[str, str] | None = None
) -> SentryAuth | None:
    return find_auth(CIMultiDict(headers or {}), query or {})


def basic(text: str) -> str:
    return "Basic " + base64.b64encode(text.encode()).decode()


@pytest.mark.parametrize(
    "header",
    [
        f"Sentry sentry_key={KEY}, sentry_version=7",
        f"sentry sentry_version=7,sentry_key={KEY}",
        f"SENTRY  sentry_version=4, , sentry_key={KEY}, sentry_secret={OTHER}, sentry_timestamp=1.5",
        f'Sentry SENTRY_KEY="{KEY.upper()}", rubbish',
        f"Sentry sentry_key={KEY[:8]}-{KEY[8:12]}-{KEY[12:16]}-{KEY[16:20]}-{KEY[20:]}",
    ],
)
@pytest.mark.parametrize("name", ["X-Sentry-Auth", "x-sentry-auth", "Authorization"])
def test_a_key_is_found_in_a_header_of_any_spelling(name: str, header: str) -> None:
    auth = found({name: header})
    assert auth is not None
    assert auth.key == KEY


def test_client_and_version_stand_beside_the_key() -> None:
    header = f"Sentry sentry_key={KEY}, sentry_version=9, sentry_client=sentry.python/2.75.0"
    auth = SentryAuth(key=KEY, client="sentry.python/2.75.0", version="9")
    assert found({"X-Sentry-Auth": header}) == auth
    query = {"sentry_key": KEY, "sentry_version": "9", "sentry_client": "sentry.python/2.75.0"}
    assert found(query=query) == auth
    assert auth.sdk == Sdk(name="sentry.python", version="2.75.0")


def test_of_several_keys_the_first_place_wins() -> None:
    places: list[tuple[Mapping[str, str], Mapping[str, str]]] = [
        ({"X-Sentry-Auth": "Sentry sentry_key=first"}, {}),
        ({"Authorization": "Sentry sentry_key=second"}, {}),
        ({}, {"sentry_key": "third"}),
        ({}, {"glitchtip_key": "fourth"}),
    ]
    keys = []
    for at in range(len(places)):
        headers = {name: value for held, _ in places[at:] for name, value in held.items()}
        query = {name: value for _, held in places[at:] for name, value in held.items()}
        auth = found(headers, query)
        assert auth is not None
        keys.append(auth.key)
    assert keys == ["first", "second", "third", "fourth"]


def test_the_user_of_basic_is_a_key() -> None:
    for told in (f"{KEY}:", f"{KEY}:secret", KEY):
        assert found({"Authorization": basic(told)}) == SentryAuth(key=KEY)


@pytest.mark.parametrize(
    ("dsn", "project"),
    [
        (f"https://{KEY}@host/1", 1),
        (f"http://{KEY.upper()}:{OTHER}@host:9000/errors/of/shop/42/", 42),
        (f"https://{KEY}@[::1]:9000/4504000000000001", 4504000000000001),
        (f"https://{KEY}@host/", None),
        (f"https://{KEY}@host/shop", None),
        (f"https://{KEY}@host/{'9' * 5_000}"[:2_000], None),
        (f"https://{KEY}@host/\u0663", None),
    ],
)
def test_a_dsn_holds_key_and_project(dsn: str, project: int | None) -> None:
    assert find_auth_of_dsn(dsn) == SentryAuth(key=KEY, project=project)


@pytest.mark.parametrize(
    "dsn", [None, "", "rubbish", "https://host/1", "https://[", f"https://{KEY}@h/" + "x" * 3_000]
)
def test_rubbish_is_no_dsn(dsn: str | None) -> None:
    assert find_auth_of_dsn(dsn) is None


@pytest.mark.parametrize(
    ("headers", "query"),
    [
        ({}, {}),
        ({"X-Sentry-Auth": "Sentry"}, {}),
        ({"X-Sentry-Auth": f"sentry_key={KEY}"}, {"sentry_key": ""}),
        ({"X-Sentry-Auth": "Sentry sentry_key=, sentry_version=7"}, {}),
        ({"X-Sentry-Auth": "Sentry sentry_key=" + "k" * 200}, {}),
        ({"Authorization": f"Bearer {KEY}"}, {}),
        ({"Authorization": "Basic %%%"}, {}),
        ({"Authorization": "Basic /////w=="}, {}),
        ({"Authorization": basic(":password")}, {}),
    ],
)
def test_where_there_is_no_key_there_is_none(headers: Mapping[str, str], query: Mapping[str, str]) -> None:
    assert found(headers, query) is None


@given(text=st.text(), word=st.sampled_from(["Sentry ", "Basic ", ""]))
def test_no_text_raises(text: str, word: str) -> None:
    found({"Authorization": word + text, "X-Sentry-Auth": text}, {"sentry_key": text})
    find_auth_of_dsn(text)
    find_auth_of_dsn(f"https://{text}@host/{text}")
    sdk_of(text)


def test_a_client_is_a_name_with_a_version_or_without() -> None:
    assert sdk_of("raven-js/3.27.2") == Sdk(name="raven-js", version="3.27.2")
    assert sdk_of("Mozilla/5.0 (X11; Linux)") == Sdk(name="Mozilla", version="5.0")
    assert sdk_of("mine") == Sdk(name="mine")
    assert sdk_of(None) is sdk_of(" ") is sdk_of("/5") is None


def test_every_recorded_request_of_an_sdk_holds_its_key() -> None:
    keys = []
    for recording in recordings():
        for request in recording.requests:
            if "/api/" in request.path and request.method == "POST":
                query = dict(parse_qsl(request.query))
                keys.append(found(dict(request.headers), query) or find_auth_of_dsn(recording.dsn))
    assert len(keys) > 900
    assert {(auth.key, auth.project) for auth in keys if auth} == {(KEY, None), (KEY, PROJECT)}
    assert None not in keys
