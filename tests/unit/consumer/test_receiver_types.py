"""Receivers as people write them in a policy: what each type takes, and what is said where it cannot be."""

from datetime import timedelta
from pathlib import Path

import pytest

from faultwire_consumer.domain.policy.failure import PolicyError
from faultwire_consumer.domain.policy.policy import Policy
from faultwire_consumer.domain.policy.receiver.alertmanager import Alertmanager
from faultwire_consumer.domain.policy.receiver.apprise import NEVER, SCHEMES
from faultwire_consumer.domain.policy.receiver.pagerduty import PAGERDUTY_URL, PagerDuty
from faultwire_consumer.domain.policy.receiver.receiver import ReceiverType
from faultwire_consumer.domain.policy.text import parse_policy
from faultwire_consumer.notify.policy_file import PolicyFileError, shipped_text
from faultwire_consumer.notify.senders.build import senders_of
from faultwire_shared.clock import utc_now

KEY = "HIDDEN17"

pytestmark = pytest.mark.may_block("a policy and its secrets are read before a worker's loop turns")


def policy_of(kind: str, *lines: str) -> Policy:
    text = "\n".join(("[receivers.a]", f'type = "{kind}"', *lines))
    return parse_policy(text, shipped=shipped_text())


SMALLEST = {
    "slack": ('url = "https://chat.example/services/HIDDEN17"',),
    "pagerduty": ('routing_key = "HIDDEN17"',),
    "opsgenie": ('api_key = "HIDDEN17"',),
    "alertmanager": ('url = "http://HIDDEN17.example:9093"',),
    "ntfy": ('url = "https://ntfy.sh/HIDDEN17"',),
    "apprise": ('url = "tgram://123456789:HIDDEN17HIDDEN17HIDDEN17HIDDEN17HID/1"',),
}


@pytest.mark.parametrize("kind", SMALLEST)
def test_a_type_needs_little_and_its_secrets_are_shown_nowhere(kind: str) -> None:
    policy = policy_of(kind, *SMALLEST[kind])
    (receiver,) = policy.receivers
    assert receiver.type is ReceiverType(kind)
    assert KEY not in repr(policy)
    if kind != "apprise":  # which takes longer to load than all of the others' tests
        (sender,) = senders_of(policy, clock=utc_now).values()
        assert sender.name == "a"


def test_defaults_are_the_public_service_and_some_days() -> None:
    (pager,) = policy_of("pagerduty", *SMALLEST["pagerduty"]).receivers
    assert isinstance(pager.way, PagerDuty)
    assert (pager.way.url.text, pager.way.origin) == (PAGERDUTY_URL, "faultwire")
    (alertmanager,) = policy_of("alertmanager", *SMALLEST["alertmanager"], 'keep_firing = "5d"').receivers
    assert isinstance(alertmanager.way, Alertmanager)
    assert alertmanager.way.keep_firing == timedelta(days=5)


@pytest.mark.parametrize(
    ("kind", "lines", "said"),
    [
        ("slack", (), "url is missing: the chat's incoming webhook"),
        ("slack", ('url = "HIDDEN17"',), "the value is not an http:// or https:// address"),
        ("slack", ('url = "https://a/HIDDEN17"', 'url_file = "x"'), "url or url_file, not both"),
        ("slack", ('url = "https://a/HIDDEN17"', 'chat = "matermost"'), "did you mean mattermost?"),
        ("pagerduty", (), "routing_key is missing: the integration key"),
        ("pagerduty", ('routing_ky = "HIDDEN17"',), "unknown key 'routing_ky'; did you mean routing_key?"),
        ("pagerduty", ("routing_key = 17",), "the value is not a text"),
        (
            "pagerduty",
            ('routing_key = "HIDDEN17"', 'routing_key_file = "x"'),
            "routing_key or routing_key_file",
        ),
        ("pagerduty", ('routing_key = "HIDDEN17"', 'origin = "a b"'), "'a b' is not letters, digits"),
        ("opsgenie", ('url = "https://a"',), "api_key is missing"),
        ("alertmanager", (), "url is missing: the Alertmanager's address"),
        ("alertmanager", ('url = "http://a"', 'keep_firing = "1m"'), "a duration from 5m to 30d"),
        ("alertmanager", ('url = "http://a"', 'username = "a"'), "username needs password"),
        ("alertmanager", ('url = "http://a"', 'password = "HIDDEN17"'), "password needs username"),
        (
            "alertmanager",
            ('url = "http://a"', 'token = "HIDDEN17"', 'username = "a"', 'password = "HIDDEN17"'),
            "a token, or username and password",
        ),
        ("ntfy", ('url = "https://ntfy.sh/"',), "the value is not the address of a topic"),
        ("ntfy", ('url = "https://ntfy.sh/a?auth=HIDDEN17"',), "a topic has letters"),
        ("apprise", (), "url is missing"),
        ("apprise", ('url = "HIDDEN17"',), "the value is not one address of Apprise's"),
        ("apprise", ('url = "tgram://HIDDEN17, json://HIDDEN17"',), "not one address of Apprise's"),
        ("apprise", ('url = "json://HIDDEN17"',), 'allow it by schemes = ["json"]'),
        ("apprise", ('url = "JSON://HIDDEN17"',), 'allow it by schemes = ["json"]'),
        (
            "apprise",
            ('url = "syslog://HIDDEN17"', 'schemes = ["syslog"]'),
            "acts on the worker's own machine",
        ),
        ("apprise", ('url = "tgram://HIDDEN17"', 'schemes = "tgram"'), "a list of schemes without ://"),
    ],
)
def test_what_cannot_be_is_told_without_the_secret(kind: str, lines: tuple[str, ...], said: str) -> None:
    with pytest.raises(PolicyError) as refused:
        policy_of(kind, *lines)
    assert said in str(refused.value)
    assert KEY not in str(refused.value)


def test_schemes_that_act_on_this_machine_are_never_allowed() -> None:
    assert not NEVER.intersection(SCHEMES)


@pytest.mark.parametrize(
    ("kind", "key", "more"),
    [
        ("slack", "url_file", ()),
        ("pagerduty", "routing_key_file", ()),
        ("opsgenie", "api_key_file", ()),
        ("alertmanager", "token_file", ('url = "http://a"',)),
        ("alertmanager", "password_file", ('url = "http://a"', 'username = "a"')),
        ("ntfy", "token_file", ('url = "https://ntfy.sh/a"',)),
    ],
)
def test_secrets_may_be_in_files_and_what_is_wrong_with_them_is_told(
    kind: str, key: str, more: tuple[str, ...], tmp_path: Path
) -> None:
    path = tmp_path / "secret"
    policy = policy_of(kind, *more, f'{key} = "{path}"')
    for written, said in ((None, "No such file"), (b"\n", "is empty"), (b"\xff", "it is not UTF-8")):
        if written is not None:
            path.write_bytes(written)
        with pytest.raises(PolicyFileError, match=said) as refused:
            senders_of(policy, clock=utc_now)
        assert f"receivers.a.{key}" in str(refused.value)
    path.write_text("https://chat.example/HIDDEN17\n" if kind == "slack" else "HIDDEN17\n")
    assert list(senders_of(policy, clock=utc_now)) == ["a"]


@pytest.mark.parametrize(("kind", "key"), [("opsgenie", "api_key"), ("ntfy", "token")])
def test_a_key_that_fits_no_header_is_refused_without_being_told(kind: str, key: str) -> None:
    more = ('url = "https://ntfy.sh/a"',) if kind == "ntfy" else ()
    policy = policy_of(kind, *more, f'{key} = "HIDDEN17\\nX-Evil: 1"')
    with pytest.raises(PolicyFileError, match="one word of printable ASCII") as refused:
        senders_of(policy, clock=utc_now)
    assert KEY not in str(refused.value)
