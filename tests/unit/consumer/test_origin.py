"""Names that the worker is asked by, and pages that are its own."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from faultwire_consumer.web.origin import Origins, origins_of

LOOPBACK = ["localhost", "LOCALHOST:8787", "127.0.0.1:1", "[::1]:8787", "faultwire.localhost", "127.9.9.9"]
STRANGE = ["evil.example", "evil.example:8787", "localhost.evil.example", "", "[::1", "127.1", "worker-2"]


def named(*, any_address: bool = False) -> Origins:
    return origins_of(
        public_url="https://Errors.Example.com/faultwire", allowed_hosts=["Worker-1"], any_address=any_address
    )


@pytest.mark.parametrize("any_address", [False, True])
def test_loopback_and_configured_names_are_answered_and_others_not(any_address: bool) -> None:
    origins = named(any_address=any_address)
    for host in (*LOOPBACK, "errors.example.com", "errors.example.com:443", "worker-1:8787", "WORKER-1."):
        assert origins.answer_to(host), host
    assert not any(origins.answer_to(host) for host in (None, *STRANGE))


@pytest.mark.parametrize("host", ["192.168.1.9", "10.1.2.3:8787", "[2001:db8::1]:8787"])
def test_an_address_is_answered_where_others_than_this_machine_may_ask(host: str) -> None:
    assert named(any_address=True).answer_to(host)
    assert not named().answer_to(host)


@given(st.text())
def test_any_host_header_is_judged(host: str) -> None:
    assert named().answer_to(host) in (True, False)


@pytest.mark.parametrize(
    ("public_url", "origin", "is_own"),
    [
        ("http://errors.internal", "http://errors.internal", True),
        ("http://errors.internal:80/", "http://errors.internal", True),
        ("https://errors.internal:8443/x", "https://errors.internal:8443", True),
        ("http://[2001:db8::1]/", "http://[2001:db8::1]", True),
        ("http://errors.internal", "https://errors.internal", False),
        ("http://errors.internal", "http://errors.internal:8080", False),
        ("http://errors.internal", "http://evil.example", False),
        (None, "http://errors.internal", False),
        (None, "null", False),
        (None, "http://localhost:8787", True),
    ],
)
def test_a_page_is_ours_by_its_host_or_as_people_reach_it(
    public_url: str | None, origin: str, is_own: bool
) -> None:
    origins = origins_of(public_url=public_url, allowed_hosts=(), any_address=False)
    assert origins.own(origin, host="localhost:8787") is is_own
