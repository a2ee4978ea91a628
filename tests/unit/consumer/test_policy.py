"""A policy as people write it: what it says, and what is said where it cannot be."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from faultwire_consumer.domain.notification import NotificationReason
from faultwire_consumer.domain.policy.failure import PolicyError
from faultwire_consumer.domain.policy.receiver.receiver import ReceiverType
from faultwire_consumer.domain.policy.receiver.webhook import Webhook
from faultwire_consumer.domain.policy.text import parse_policy
from faultwire_consumer.domain.policy.wording import spell_sending
from faultwire_consumer.domain.rules import AtOnce, InDigest, Per, Within
from faultwire_consumer.notify.policy_file import PolicyFileError, read_policy, shipped_text
from faultwire_shared.event import ErrorSeverity

LOG = '[receivers.log]\ntype = "log"\n'
RULE = '[rules.a]\non = "new"\nsend = "now"\n'

pytestmark = pytest.mark.may_block("a policy is read before a worker's loop turns")


def test_the_shipped_policy_promises_the_four_deadlines() -> None:
    policy = read_policy()
    told = {rule.name: rule for rule in policy.rules}
    assert {name: rule.where.severity for name, rule in told.items()} == {
        severity.value: {severity} for severity in ErrorSeverity
    }
    assert told["critical"].sending == AtOnce()
    assert told["critical"].remind_every == timedelta(hours=1)
    assert told["high"].sending == Within(timedelta(minutes=5))
    schedules: list[Any] = [told[name].sending for name in ("medium", "low")]
    assert all(isinstance(one, InDigest) for one in schedules)
    daily, weekly = (one.schedule for one in schedules)
    assert (daily.hour, daily.weekday, str(daily.zone)) == (9, None, "UTC")
    assert (weekly.hour, weekly.weekday) == (9, 0)


def test_receivers_alone_keep_the_shipped_rules_for_all_of_them() -> None:
    text = 'digest_zone = "Europe/Berlin"\ndigest_hour = 7\n' + LOG + '[receivers.pager]\ntype = "log"\n'
    policy = parse_policy(text, shipped=shipped_text())
    assert [rule.name for rule in policy.rules] == ["critical", "high", "medium", "low"]
    assert {rule.receivers for rule in policy.rules} == {("log", "pager")}
    medium: Any = policy.rules[2].sending
    assert (medium.schedule.hour, str(medium.schedule.zone)) == (7, "Europe/Berlin")


def test_an_empty_digest_is_sent_where_the_file_or_its_rule_wants_one() -> None:
    weekly = '[rules.b]\non = "new"\nsend = "weekly"\nwhen_empty = "skip"\n'
    daily = '[rules.a]\non = "new"\nsend = "daily"\n'
    policy = parse_policy(f'when_empty = "send"\n{LOG}{daily}{weekly}')
    empty: list[Any] = [rule.sending for rule in policy.rules]
    assert [one.sends_empty for one in empty] == [True, False]
    assert [spell_sending(rule) for rule in policy.rules] == [
        "daily at 09:00 UTC, also when empty",
        "weekly on monday at 09:00 UTC",
    ]
    with pytest.raises(PolicyError, match="did you mean send"):
        parse_policy(LOG + daily + 'when_empty = "sent"\n')


def test_a_rule_says_who_is_told_of_what_and_when() -> None:
    policy = parse_policy(
        LOG
        + """
[receivers.chat]
type = "webhook"
url = "https://chat.example/hook/secret-path"
secret_file = "/run/secrets/chat"

[rules.payment-storm]
service = ["pay*", "billing"]
events = 100
window = "10m"
per = "service"
send = "within 2m"
receivers = ["chat"]
[rules.payment-storm.tags]
region = ["eu-*"]

[rules.noise]
on = ["new", "continued"]
send = "weekly"
digest_weekday = "friday"
digest_hour = 17
"""
    )
    storm, noise = policy.rules
    assert storm.threshold is not None
    assert (storm.threshold.number, storm.threshold.length, storm.threshold.per) == (
        100,
        timedelta(minutes=10),
        Per.SERVICE,
    )
    assert (storm.where.service, storm.where.tags) == (("pay*", "billing"), (("region", ("eu-*",)),))
    assert (storm.receivers, storm.sending) == (("chat",), Within(timedelta(minutes=2)))
    assert noise.receivers == ("log", "chat")
    schedule: Any = noise.sending
    assert (schedule.schedule.weekday, schedule.schedule.hour) == (4, 17)
    assert NotificationReason.CONTINUED in noise.on
    assert policy.grows == ()
    _, chat = policy.receivers
    assert chat.type is ReceiverType.WEBHOOK
    assert isinstance(chat.way, Webhook)
    assert chat.way.secret_file == "/run/secrets/chat"  # noqa: S105 - a path
    assert "secret-path" not in repr(policy)


def test_no_message_shows_an_address_or_a_secret() -> None:
    for line in ('url = "hidden://user:pass@host"', 'url = "https://ok.example"\nsecret = ["pass"]'):
        with pytest.raises(PolicyError) as refused:
            parse_policy(f'[receivers.a]\ntype = "webhook"\n{line}')
        assert "pass" not in str(refused.value)


def test_a_file_is_named_with_the_line(tmp_path: Path) -> None:
    path = tmp_path / "rules.toml"
    with pytest.raises(PolicyFileError, match=r"cannot read .*rules.toml: No such file"):
        read_policy(path)
    path.write_bytes(b"\xff")
    with pytest.raises(PolicyFileError, match="not UTF-8"):
        read_policy(path)
    path.write_text(LOG + "[rules.a]\nfoo = 1\nsend = 'now'\non = 'new'")
    with pytest.raises(PolicyFileError, match=r"rules.toml:4: rules.a.foo: unknown key"):
        read_policy(path)
