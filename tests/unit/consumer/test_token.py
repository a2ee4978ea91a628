"""Tokens as such: their form, their check digits, what may be asked for, and when one holds no longer."""

import random
import re
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from faultwire_consumer.domain.access.scope import AccessScope
from faultwire_consumer.domain.access.token import (
    AccessToken,
    TokenDraft,
    TokenFault,
    digest_of,
    find_draft_fault,
    find_fault,
    is_whole,
    make_token,
    may_speak_for,
    prefix_of,
)

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

tokens = st.randoms(use_true_random=False).map(lambda chance: make_token(chance.randrange))


def a_token(**changes: object) -> AccessToken:
    values: dict[str, object] = {
        "id": 1,
        "name": "ci",
        "prefix": "fwt_00000000",
        "scopes": frozenset(),
        "services": (),
        "created_at": NOW,
        "created_by": "ada",
        "expires_at": None,
        "last_used_on": None,
        "revoked_at": None,
    }
    return AccessToken(**values | changes)  # type: ignore[arg-type]  # what a test says is what it means


def a_draft(**changes: object) -> TokenDraft:
    values: dict[str, object] = {"name": "billing-ci", "scopes": frozenset({AccessScope.READ})}
    return TokenDraft(**values | changes)  # type: ignore[arg-type]  # as above


@given(tokens)
def test_a_token_has_the_form_that_scanners_of_secrets_look_for(token: str) -> None:
    assert re.fullmatch(r"fwt_[0-9A-Za-z]{8}_[0-9A-Za-z]{49}", token)
    assert is_whole(token)
    assert prefix_of(token) == token[:12]
    assert digest_of(token) != digest_of(token[:-1])


@given(tokens, st.data())
def test_any_one_wrong_character_shows(token: str, data: st.DataObject) -> None:
    place = data.draw(st.integers(0, len(token) - 1))
    wrong = data.draw(st.sampled_from(DIGITS + "_- ").filter(lambda one: one != token[place]))
    assert not is_whole(token[:place] + wrong + token[place + 1 :])


@given(tokens, st.integers(1, 61))
def test_one_that_was_cut_off_or_goes_on_shows(token: str, length: int) -> None:
    assert not is_whole(token[:length])
    assert not is_whole(token + "a")
    assert not is_whole(token + "\n")


@given(st.text())
def test_no_text_is_taken_for_a_token_by_mistake(text: str) -> None:
    assert not is_whole(text)


def test_its_check_digits_are_not_of_ascii_alone_by_chance() -> None:
    assert not is_whole("fwt_" + "٣" * 8 + "_" + "٣" * 49)  # digits of another script


def test_every_digit_is_drawn() -> None:
    chance = random.Random(7)
    drawn = "".join(make_token(chance.randrange)[13:-6] for _ in range(200))
    assert set(drawn) == set(DIGITS)


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({}, None),
        ({"expires_at": NOW + timedelta(seconds=1)}, None),
        ({"expires_at": NOW}, TokenFault.EXPIRED),
        ({"revoked_at": NOW}, TokenFault.REVOKED),
        ({"revoked_at": NOW, "expires_at": NOW}, TokenFault.REVOKED),
    ],
)
def test_when_a_token_holds_no_longer(changes: dict[str, object], fault: TokenFault | None) -> None:
    assert find_fault(a_token(**changes), NOW) is fault


@pytest.mark.parametrize(
    ("patterns", "service", "may"),
    [
        ((), "billing", True),
        (("billing",), "billing", True),
        (("billing",), "Billing", False),
        (("billing",), "billing2", False),
        (("web-*", "api"), "web-eu", True),
        (("web-*", "api"), "api", True),
        (("web-*", "api"), "web", False),
        (("*",), "", True),
    ],
)
def test_whose_events_it_may_bring(patterns: tuple[str, ...], service: str, may: bool) -> None:
    assert may_speak_for(patterns, service) is may


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"name": ""}, "name"),
        ({"name": "a b"}, "name"),
        ({"name": "-x"}, "name"),
        ({"name": "x" * 64}, "name"),
        ({"scopes": frozenset()}, "ingest, read, act, metrics, admin"),
        ({"scopes": frozenset({AccessScope.INGEST})}, "* for all"),
        ({"services": ("billing",)}, "ingest"),
        ({"scopes": frozenset({AccessScope.INGEST}), "services": ("x",) * 51}, "50 services"),
        ({"scopes": frozenset({AccessScope.INGEST}), "services": ("x" * 201,)}, "200 printable"),
        ({"scopes": frozenset({AccessScope.INGEST}), "services": ("a\nb",)}, "printable"),
        ({"scopes": frozenset({AccessScope.INGEST}), "services": ("",)}, "printable"),
        ({"expires_at": NOW}, "later than now"),
        ({"expires_at": NOW + timedelta(days=3651)}, "3650 days"),
    ],
)
def test_what_no_token_is_made_of(changes: dict[str, object], said: str) -> None:
    fault = find_draft_fault(a_draft(**changes), NOW)
    assert fault is not None
    assert said in fault.message


def test_what_one_is_made_of() -> None:
    assert find_draft_fault(a_draft(expires_at=NOW + timedelta(days=3650)), NOW) is None
    scopes = frozenset({AccessScope.INGEST, AccessScope.READ})
    assert find_draft_fault(a_draft(scopes=scopes, services=("billing", "web-*")), NOW) is None
