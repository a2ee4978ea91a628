"""What rules ask for, as the API, the command line and the page show it."""

from datetime import UTC, datetime

import msgspec
import pytest
from rich.console import Console

from faultwire_consumer.cli.rules import show_policy
from faultwire_consumer.domain.policy.status import PolicyStatus
from faultwire_consumer.domain.policy.text import parse_policy
from faultwire_consumer.web.api.notification_shape import policy_shape
from faultwire_consumer.web.page.rules.view import inhibition_views, receiver_views, rule_views

POLICY = """
[receivers.log]
type = "log"
[receivers.boss]
type = "log"
recovery = true
[rules.all]
on = "new"
send = "now"
escalate_after = "30m"
escalate_to = "boss"
[rules.all.unless]
service = "database"
also_critical = true
[rules.nightly]
service = "backup"
absent_for = "2h"
send = "now"
receivers = "log"
[inhibit.gateway]
when = { code = "GATEWAY_DOWN" }
mutes = { environment = "production" }
same = ["service"]
"""

STATUS = PolicyStatus(file=None, read_at=datetime(2026, 11, 23, tzinfo=UTC))

pytestmark = pytest.mark.may_block("a policy is read before a worker's loop turns")


def test_the_api_has_them_in_the_words_of_the_file() -> None:
    shape = policy_shape(parse_policy(POLICY), STATUS, {})
    rule, nightly = shape.rules
    assert (rule.escalate_after, rule.escalate_to, rule.receivers) == ("30m", ("boss",), ("log",))
    assert rule.unless is not None
    assert rule.unless.when == {"service": ["database"]}
    assert (rule.unless.seen_within, rule.unless.also_critical) == ("1h", True)
    assert nightly.counts == "backup silent for 2h"
    assert [one.hears for one in shape.receivers] == [(), ("acknowledged", "resolved")]
    (inhibit,) = shape.inhibits
    assert (inhibit.name, inhibit.mutes, inhibit.same) == (
        "gateway",
        {"environment": ["production"]},
        ("service",),
    )


def test_the_command_line_prints_them(capsys: pytest.CaptureFixture[str]) -> None:
    document = msgspec.to_builtins(policy_shape(parse_policy(POLICY), STATUS, {}))
    show_policy(document, Console(width=200))
    said = capsys.readouterr().out
    for line in (
        "to boss after 30m",
        "service database (open, seen within 1h, critical too)",
        "backup silent for 2h",
        "receiver boss: log, hears when it is acknowledged and resolved",
        "inhibit gateway: code GATEWAY_DOWN (open, seen within 1h) mutes environment production; of the same",
    ):
        assert line in said


def test_the_page_says_them_in_words() -> None:
    policy = parse_policy(POLICY)
    rule, nightly = rule_views(policy)
    assert rule.escalates == "boss after 30m"
    assert rule.unless == "service database is open and was seen within 1h, critical too"
    assert nightly.counts == "backup silent for 2h"
    assert [(one.recovery, one.rules) for one in receiver_views(policy, {})] == [
        (False, ("all", "nightly")),
        (True, ("all",)),
    ]
    ((name, words),) = inhibition_views(policy)
    assert (name, words) == (
        "gateway",
        "code GATEWAY_DOWN, open and seen within 1h, mutes environment production of the same service",
    )
