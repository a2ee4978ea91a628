"""Decisions about people who sign in: names, passwords, sessions, waits, and where a sign-in leads to."""

from datetime import UTC, datetime, timedelta
from urllib.parse import urljoin, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from faultwire_consumer.domain.access.account_name import (
    NAME_CHARACTERS_MAX,
    is_account_name,
    is_foreign_name,
    name_for_subject,
    typed_name,
)
from faultwire_consumer.domain.access.group_roles import GROUPS_MAX, role_by_groups, split_groups
from faultwire_consumer.domain.access.next_path import HOME, next_path
from faultwire_consumer.domain.access.password import (
    PASSWORD_CHARACTERS_MAX,
    PasswordRefusal,
    judge_password,
)
from faultwire_consumer.domain.access.scope import AccessScope, AccountRole
from faultwire_consumer.domain.access.session_lifetime import SessionVerdict, judge_session
from faultwire_consumer.domain.access.sign_in_wait import (
    FORGOTTEN_AFTER,
    SignInCount,
    SignInSubject,
    address_group,
    count_attempt,
    is_milestone,
    remaining_wait,
    wait_after,
)

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
MOMENTS = st.datetimes(
    min_value=datetime(2026, 1, 1), max_value=datetime(2027, 1, 1), timezones=st.just(UTC)  # noqa: DTZ001 - aware by `timezones`
)  # fmt: skip


@pytest.mark.parametrize(
    ("password", "refusal"),
    [
        ("correct horse battery", None),
        ("пароль из кириллицы", None),
        ("short", PasswordRefusal.TOO_SHORT),
        ("elevenchars", PasswordRefusal.TOO_SHORT),
        ("   short     ", PasswordRefusal.TOO_SHORT),
        ("ada.lovelace", PasswordRefusal.IS_NAME),
        ("Ada.LovelaceADA.lovelace", PasswordRefusal.IS_NAME),
        ("aaaaaaaaaaaaaaaa", PasswordRefusal.TOO_UNIFORM),
        ("abcabcabcabcabc", PasswordRefusal.TOO_UNIFORM),
        ("x1" * PASSWORD_CHARACTERS_MAX, PasswordRefusal.TOO_LONG),
    ],
)
def test_a_password_is_long_and_not_the_name(password: str, refusal: PasswordRefusal | None) -> None:
    assert judge_password(password, name="ada.lovelace") == refusal


@given(st.text(max_size=2_000), st.text(max_size=80))
def test_every_password_is_judged_and_no_short_one_taken(password: str, name: str) -> None:
    refusal = judge_password(password, name=name)
    assert refusal is not None or 12 <= len(password) <= PASSWORD_CHARACTERS_MAX


@pytest.mark.parametrize("name", ["ada", "ada.lovelace@example.com", "a", "7of9", "x" * NAME_CHARACTERS_MAX])
def test_these_are_names(name: str) -> None:
    assert is_account_name(name)
    assert is_foreign_name(name)


@pytest.mark.parametrize(
    "name",
    ["", "Ada", ".ada", "token:ci", "ada b", "ada\n", "\u0430da", "x" * 65, "worker", "api", "-rf", "a/b"],
)
def test_these_are_no_names_of_accounts(name: str) -> None:
    assert not is_account_name(name)


def test_a_proxy_may_know_capitals_and_a_keyboard_may_add_them() -> None:
    assert is_foreign_name("Ada")
    assert typed_name(" Ada ") == "ada"


@given(st.text(max_size=300), st.text(max_size=300), st.booleans())
def test_whatever_a_provider_calls_somebody_becomes_a_name(wished: str, subject: str, is_taken: bool) -> None:
    name = name_for_subject(wished, issuer="https://id.example", subject=subject, is_taken=is_taken)
    assert is_account_name(name)


def test_a_name_that_somebody_has_gets_a_suffix_that_stays() -> None:
    first, again, other = (
        name_for_subject("ada", issuer="https://id.example", subject=subject, is_taken=True)
        for subject in ("1", "1", "2")
    )
    assert first == again != other
    assert first.startswith("ada-")


@pytest.mark.parametrize(
    ("seen", "ends", "verdict"),
    [
        (timedelta(), timedelta(days=30), SessionVerdict.LIVE),
        (timedelta(minutes=14), timedelta(days=30), SessionVerdict.LIVE),
        (timedelta(minutes=15), timedelta(days=30), SessionVerdict.TOUCH),
        (timedelta(days=6, hours=23), timedelta(days=1), SessionVerdict.TOUCH),
        (timedelta(days=7), timedelta(days=1), SessionVerdict.IDLE),
        (timedelta(), timedelta(), SessionVerdict.OVER),
        (timedelta(days=8), timedelta(days=-1), SessionVerdict.OVER),
    ],
)
def test_a_session_ends_after_a_quiet_week_or_after_a_month(
    seen: timedelta, ends: timedelta, verdict: SessionVerdict
) -> None:
    assert judge_session(seen_at=NOON - seen, expires_at=NOON + ends, now=NOON) == verdict


@given(MOMENTS, MOMENTS, MOMENTS)
def test_no_session_lives_beyond_its_end_or_a_week_without_use(
    seen: datetime, ends: datetime, now: datetime
) -> None:
    if judge_session(seen_at=seen, expires_at=ends, now=now).is_live:
        assert now < ends
        assert now - seen < timedelta(days=7)


@given(st.sampled_from(SignInSubject), st.integers(0, 2_000_000))
def test_waits_grow_and_have_a_bound(subject: SignInSubject, failures: int) -> None:
    wait, longer = wait_after(subject, failures), wait_after(subject, failures + 1)
    assert timedelta() <= wait <= longer <= subject.longest
    assert bool(wait) == (failures > subject.free)


def test_failures_add_up_until_a_day_without_one() -> None:
    count = None
    for _ in range(6):
        count = count_attempt(SignInSubject.ACCOUNT, count, now=NOON)
    assert count == SignInCount(6, NOON, NOON + timedelta(seconds=2))
    assert remaining_wait(count, now=NOON) == timedelta(seconds=2)
    assert remaining_wait(count, now=NOON + timedelta(seconds=3)) == timedelta()
    later = count_attempt(SignInSubject.ACCOUNT, count, now=NOON + FORGOTTEN_AFTER)
    assert later.failures == 1


def test_a_flood_of_failures_is_told_of_by_powers_of_ten() -> None:
    assert [number for number in range(2_000) if is_milestone(number)] == [1, 10, 100, 1_000]


@pytest.mark.parametrize(
    ("address", "group"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("", "unknown"),
        ("evil", "unknown"),
    ],
)
def test_an_ipv6_network_counts_as_one_address(address: str, group: str) -> None:
    assert address_group(address) == group


@pytest.mark.parametrize("path", ["/", "/incidents/INC-12", "/?query=is%3Aopen&cursor=x", "/e/error_1#trace"])
def test_a_sign_in_leads_to_a_path(path: str) -> None:
    assert next_path(path) == path


@pytest.mark.parametrize(
    "path",
    [
        *(None, "", "incidents", "//evil.example", "///evil.example", "/\\evil.example", "\\\\evil.example"),
        *("https://evil.example", "javascript:alert(1)", "/\t/evil.example", "/a\n", "/ü", "/a b", " /a"),
        *("/" + "a" * 2_000, "/sign-in?next=/", "/sign-out", "/invitation/x", "/\x00", "/a\\b"),
    ],
)
def test_a_sign_in_leads_nowhere_else(path: str | None) -> None:
    assert next_path(path) == HOME


@given(st.text(alphabet=st.sampled_from("/\\.:@?#%\t\n eviladm-_~[]é\u2028"), max_size=30))
def test_whatever_next_says_the_browser_stays_at_the_worker(text: str) -> None:
    chosen = next_path(text)
    assert urlsplit(urljoin("http://worker.example/sign-in", chosen)).netloc == "worker.example"
    assert chosen.isascii()
    assert "\\" not in chosen


ROLES = {AccountRole.ADMIN: ["sre"], AccountRole.OPERATOR: ["dev", "ops"], AccountRole.VIEWER: ["all"]}


@pytest.mark.parametrize(
    ("groups", "role"),
    [
        (["all", "sre"], AccountRole.ADMIN),
        (["dev"], AccountRole.OPERATOR),
        (["all"], AccountRole.VIEWER),
        (["SRE", "sre "], None),
        ([], None),
        ([*(str(number) for number in range(GROUPS_MAX)), "sre"], None),
    ],
)
def test_the_highest_role_of_the_groups_holds_and_without_one_nobody_is_let_in(
    groups: list[str], role: AccountRole | None
) -> None:
    assert role_by_groups(groups, ROLES) == role


@given(st.text(max_size=200))
def test_any_header_of_groups_is_split(header: str) -> None:
    assert all(group == group.strip() != "" and "," not in group for group in split_groups(header))


def test_only_an_admin_looks_after_accounts_and_no_person_posts_events() -> None:
    may = {role: role.scopes for role in AccountRole}
    assert [role for role in may if AccessScope.ADMIN in may[role]] == [AccountRole.ADMIN]
    assert not any(AccessScope.INGEST in scopes for scopes in may.values())
    assert may[AccountRole.VIEWER] < may[AccountRole.OPERATOR] < may[AccountRole.ADMIN]
