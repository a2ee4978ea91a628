"""DSNs as such: their keys, what may be asked for, what is taken, and pages that may send by one."""

import random
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.consumer.test_token import a_token

from faultwire_consumer.domain.access.dsn import (
    KEYS_MAX,
    DsnKey,
    KeptKey,
    KeyRefusal,
    dsn_of,
    judge_key,
    make_key,
    normal_key,
    service_in_key,
)
from faultwire_consumer.domain.access.dsn_draft import DsnDraft, find_dsn_fault, find_taken_fault
from faultwire_consumer.domain.access.token_shape import token_shape
from faultwire_consumer.domain.access.web_origin import may_come_from, normal_origin_pattern

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
KEY = "0f1e2d3c4b5a69788796a5b4c3d2e1f0"


def a_draft(**changes: object) -> DsnDraft:
    return DsnDraft(**{"service": "shop"} | changes)  # type: ignore[arg-type]  # what a test says is what it means


@pytest.mark.parametrize(
    ("text", "key"),
    [
        (KEY, KEY),
        (KEY.upper(), KEY),
        ("0F1E2D3C-4B5A-6978-8796-A5B4C3D2E1F0", KEY),
        ("abc", "abc"),
        ("a" * 64, "a" * 64),
        ("a" * 65, None),
        ("-" * 8, None),
        ("", None),
        ("a b", None),
        ("\u0130stanbul", None),
        ("\u0663", None),
        ("a" * 64 + "-" * 1000, None),
        ("key\n", None),
    ],
)
def test_a_key_is_one_whatever_its_case_and_hyphens(text: str, key: str | None) -> None:
    assert normal_key(text) == key


@given(st.text(max_size=140))
def test_a_normal_key_stays_as_it_is(text: str) -> None:
    key = normal_key(text)
    assert key is None or (normal_key(key) == key and 1 <= len(key) <= 64 and key.isascii())


@pytest.mark.parametrize("key", ["shop", "web_2", "cafe", "deadbeef"])
def test_a_key_that_could_be_a_name_is_one_where_nobody_makes_keys(key: str) -> None:
    assert service_in_key(key) == key


@pytest.mark.parametrize("key", ["", "1", "s", "2web", "4c0b7a5d8f214a9eb1f652a4d3c9e870", "shop.eu"])
def test_a_key_as_they_are_made_names_no_service(key: str) -> None:
    assert service_in_key(key) is None


@given(st.randoms(use_true_random=False))
def test_a_new_key_has_32_hex_digits(chance: random.Random) -> None:
    key = make_key(chance.randrange)
    assert len(key) == 32
    assert set(key) <= set("0123456789abcdef")
    assert normal_key(key) == key


@pytest.mark.parametrize(
    ("root", "dsn"),
    [
        ("https://errors.example.com", f"https://{KEY}@errors.example.com/7"),
        ("https://errors.example.com/", f"https://{KEY}@errors.example.com/7"),
        ("https://example.com:8443/errors/of/", f"https://{KEY}@example.com:8443/errors/of/7"),
        ("http://[::1]:8787", f"http://{KEY}@[::1]:8787/7"),
        ("http://ada:secret@example.com", f"http://{KEY}@example.com/7"),
    ],
)
def test_a_dsn_leads_to_where_the_worker_is_reached(root: str, dsn: str) -> None:
    assert dsn_of(root, KEY, 7) == dsn
    parts = urlsplit(dsn)
    assert (parts.username, parts.path.rpartition("/")[2]) == (KEY, "7")


def test_a_key_is_judged_by_its_end_its_revocation_and_the_project_in_the_address() -> None:
    key = DsnKey(public_key=KEY, project=7, service="shop", token_id=1, token_name="shop")  # noqa: S106 - a name
    later = NOW + timedelta(seconds=1)
    assert judge_key(KeptKey(key=key), 7, NOW) == key
    assert judge_key(KeptKey(key=key), None, NOW) == key
    assert judge_key(KeptKey(key=key, expires_at=later), 7, NOW) == key
    assert judge_key(KeptKey(key=key, expires_at=NOW), 7, NOW) is KeyRefusal.EXPIRED
    assert judge_key(KeptKey(key=key, expires_at=NOW, revoked_at=NOW), 7, NOW) is KeyRefusal.REVOKED
    assert judge_key(KeptKey(key=key), 8, NOW) is KeyRefusal.OTHER_PROJECT


@pytest.mark.parametrize(
    ("changes", "field", "said"),
    [
        ({"service": ""}, "service", "printable"),
        ({"service": " shop"}, "service", "printable"),
        ({"service": "a" * 201}, "service", "200"),
        ({"service": "web-*"}, "service", "one service, and no pattern"),
        ({"name": "a b"}, "name", "letters, digits"),
        ({"key": ""}, "key", "1 to 64 letters and digits"),
        ({"key": "a_b"}, "key", "1 to 64 letters and digits"),
        ({"key": f"https://{KEY}@sentry.example/7"}, "key", "what stands between :// and the first : or @"),
        ({"project": 0}, "project", "a number from 1"),
        ({"project": 10**18}, "project", "a number from 1"),
        ({"origins": ("shop.example",)}, "origins", "'shop.example' is no origin"),
        ({"origins": ("https://shop.example/cart",)}, "origins", "https://*.shop.example or"),
        ({"origins": tuple(f"https://{n}.example" for n in range(21))}, "origins", "20 origins at most"),
        ({"expires_at": NOW}, "expires_at", "later than now"),
    ],
)
def test_what_no_dsn_can_be_made_of_is_said_of_its_field(
    changes: dict[str, object], field: str, said: str
) -> None:
    fault = find_dsn_fault(a_draft(**changes), NOW)
    assert fault is not None
    assert (fault.field, said in fault.message) == (field, True), fault.message


def test_a_dsn_of_nothing_but_a_service_is_named_after_it_and_never_ends() -> None:
    assert find_dsn_fault(a_draft(), NOW) is None
    for service, name in [
        ("shop", "shop"),
        ("Shop API (eu)", "Shop-API-eu"),
        ("\u5e97", "dsn"),
        ("a" * 99, "a" * 63),
    ]:
        draft = a_draft(service=service)
        assert draft.token_name == name
        assert find_dsn_fault(draft, NOW) is None
    assert a_draft(name="web").token_name == "web"  # noqa: S105 - a name
    assert a_draft().expires_at is None


def test_a_key_stands_once_and_a_project_is_of_one_service() -> None:
    held = [a_token(name="old", services=("shop",), public_key=KEY, project=7)]
    taken = find_taken_fault(a_draft(), KEY, held)
    assert taken is not None
    assert (taken.field, "old (fwt_00000000), for the service shop" in taken.message) == ("key", True)
    assert find_taken_fault(a_draft(project=7), "ab", held) is None
    taken = find_taken_fault(a_draft(service="web", project=7), "ab", held)
    assert taken is not None
    assert (taken.field, "none for the next that is free" in taken.message) == ("project", True)
    full = find_taken_fault(a_draft(), "ab", held * KEYS_MAX)
    assert full is not None
    assert f"{KEYS_MAX} DSNs stand already" in full.message


def test_a_list_shows_a_dsn_again_and_of_a_token_nothing() -> None:
    shape = token_shape(a_token(public_key=KEY, project=7), NOW, root="https://errors.example.com")
    assert (shape.kind, shape.project) == ("dsn", 7)
    assert shape.dsn == f"https://{KEY}@errors.example.com/7"
    shape = token_shape(a_token(), NOW, root="https://errors.example.com")
    assert (shape.kind, shape.dsn, shape.project) == ("token", None, None)


@pytest.mark.parametrize(
    ("text", "pattern"),
    [
        ("https://shop.example", "https://shop.example"),
        (" HTTPS://Shop.Example/ ", "https://shop.example"),
        ("https://shop.example:443", "https://shop.example"),
        ("http://localhost:3000", "http://localhost:3000"),
        ("http://localhost:*", "http://localhost:*"),
        ("https://*.shop.example", "https://*.shop.example"),
        ("http://[::1]:5173", "http://[::1]:5173"),
        ("capacitor://localhost", "capacitor://localhost"),
        ("*", "*"),
        ("null", None),
        ("https://", None),
        ("https://*", None),
        ("https://shop.*", None),
        ("https://shop.example?", None),
        ("https://ada@shop.example", None),
        ("https://-.example", None),
        (f"https://{'a' * 200}.example", None),
    ],
)
def test_a_pattern_of_pages_has_one_form(text: str, pattern: str | None) -> None:
    assert normal_origin_pattern(text) == pattern


@pytest.mark.parametrize(
    ("pattern", "origin", "fits"),
    [
        ("https://shop.example", "https://shop.example", True),
        ("https://shop.example", "https://SHOP.example:443", True),
        ("https://shop.example", "http://shop.example", False),
        ("https://shop.example", "https://shop.example:8443", False),
        ("https://shop.example", "https://shop.example.evil.example", False),
        ("https://*.shop.example", "https://www.shop.example", True),
        ("https://*.shop.example", "https://a.b.shop.example", True),
        ("https://*.shop.example", "https://shop.example", False),
        ("https://*.shop.example", "https://evilshop.example", False),
        ("https://*.shop.example", "https://evil.example/.shop.example", False),
        ("https://*.shop.example", "https://evil.example?.shop.example", False),
        ("https://*.shop.example", "https://a.shop.example:444", False),
        ("https://*.shop.example:*", "https://a.shop.example:444", True),
        ("http://localhost:*", "http://localhost:5173", True),
        ("http://localhost:*", "http://localhost", True),
        ("http://[::1]:*", "http://[::1]:5173", True),
        ("http://[::1]:*", "http://[::1]", True),
        ("*", "null", True),
        ("https://shop.example", "null", False),
        ("https://shop.example", "", False),
        ("https://shop.example", "https://shop.example" + "\x00", False),
    ],
)
def test_a_page_may_send_if_a_pattern_is_of_it(pattern: str, origin: str, fits: bool) -> None:
    assert may_come_from([pattern], origin) is fits
    assert may_come_from([], origin)


@given(st.text(max_size=300))
def test_no_origin_raises_and_none_but_a_page_s_own_fits(origin: str) -> None:
    fits = may_come_from(["https://shop.example"], origin)
    assert fits is (origin.lower() in {"https://shop.example", "https://shop.example:443"})
