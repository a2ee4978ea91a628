"""Claims that somebody signed are judged, whatever is in them."""

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from faultwire_consumer.domain.access.claims import (
    ClaimsRefusal,
    ExpectedClaims,
    groups_claim,
    judge_claims,
    text_claim,
)

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
AT = NOON.timestamp()
RIGHT: dict[str, Any] = {"iss": "https://id", "aud": "me", "exp": AT + 60, "iat": AT, "nonce": "n"}
EXPECTED = ExpectedClaims(issuer="https://id", audience="me", nonce="n")
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=8,
)


@pytest.mark.parametrize(
    ("changed", "refusal"),
    [
        ({}, None),
        ({"exp": AT - 59}, None),
        ({"exp": AT - 60}, ClaimsRefusal.EXPIRED),
        ({"exp": True}, ClaimsRefusal.EXPIRED),
        ({"exp": float("inf")}, ClaimsRefusal.EXPIRED),
        ({"exp": float("nan")}, ClaimsRefusal.EXPIRED),
        ({"nbf": AT + 60}, None),
        ({"nbf": AT + 61}, ClaimsRefusal.NOT_YET),
        ({"iat": AT + 61}, ClaimsRefusal.NOT_YET),
        ({"aud": ["me"]}, None),
        ({"aud": ["me", "you"]}, ClaimsRefusal.AUDIENCE),
        ({"aud": ["me", "you"], "azp": "me"}, None),
        ({"aud": []}, ClaimsRefusal.AUDIENCE),
        ({"iss": "https://id/"}, ClaimsRefusal.ISSUER),
        ({"nonce": "m"}, ClaimsRefusal.NONCE),
    ],
)
def test_claims_are_for_this_worker_this_sign_in_and_now(
    changed: dict[str, Any], refusal: ClaimsRefusal | None
) -> None:
    assert judge_claims(RIGHT | changed, EXPECTED, now=NOON) == refusal


@given(st.dictionaries(st.sampled_from(["iss", "aud", "exp", "nbf", "iat", "nonce", "azp"]), JSON))
def test_any_claims_are_judged_and_none_without_the_right_ones_taken(changed: dict[str, Any]) -> None:
    claims = RIGHT | changed
    if judge_claims(claims, EXPECTED, now=NOON) is None:
        assert (claims["iss"], claims["nonce"]) == ("https://id", "n")
        assert "me" in claims["aud"]
        assert claims["exp"] > AT - 60


@given(JSON)
def test_any_claim_is_read_as_a_text_or_as_groups_or_not_at_all(value: Any) -> None:
    text = text_claim({"x": value}, "x")
    assert text is None or (text == value and 0 < len(text) <= 255)
    assert all(isinstance(group, str) for group in groups_claim({"x": value}, "x"))
