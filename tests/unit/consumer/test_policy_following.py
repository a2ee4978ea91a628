"""What a policy says of recovery, escalation and inhibition, and what is said where it cannot be."""

from datetime import timedelta

import pytest

from faultwire_consumer.domain.notification import RECOVERIES, NotificationReason
from faultwire_consumer.domain.policy.failure import PolicyError
from faultwire_consumer.domain.policy.text import parse_policy
from faultwire_consumer.domain.policy.wording import (
    spell_count,
    spell_escalation,
    spell_inhibition,
    spell_unless,
)
from faultwire_consumer.domain.rules import Conditions, Escalation

HEAD = '[receivers.log]\ntype = "log"\n[receivers.boss]\ntype = "log"\n'
RULE = '[rules.a]\non = "new"\nsend = "now"\n'
"""Its next line is the eighth of a file that begins with the head."""

pytestmark = pytest.mark.may_block("a policy is read before a worker's loop turns")


def test_a_receiver_hears_of_recovery_where_it_says_so() -> None:
    policy = parse_policy(HEAD + "recovery = true\n" + RULE)
    assert [one.hears for one in policy.receivers] == [frozenset(), RECOVERIES]
    assert policy.hears == {"boss": "acknowledged resolved"}


def test_who_comes_next_is_not_told_at_once_unless_the_rule_names_it() -> None:
    (rule,) = parse_policy(HEAD + RULE + 'escalate_after = "30m"\nescalate_to = "boss"').rules
    assert (rule.receivers, rule.escalation) == (("log",), Escalation(timedelta(minutes=30), ("boss",)))
    assert rule.escalation is not None
    assert spell_escalation(rule.escalation) == "boss after 30m"


def test_what_explains_a_rule_s_notifications_is_asked_of_incidents() -> None:
    text = HEAD + RULE + '[rules.a.unless]\nservice = "database*"\nseverity = ["high", "critical"]'
    policy = parse_policy(text)
    (inhibition,) = policy.inhibitions
    assert (inhibition.rule, inhibition.mutes, inhibition.also_critical) == ("a", Conditions(), False)
    unless = policy.rules[0].unless
    assert unless is not None
    said = "service database*; severity high or critical is open and was seen within 1h"
    assert spell_unless(unless) == said


def test_an_inhibition_of_the_file_says_what_explains_what() -> None:
    text = """
[inhibit.outage]
when = { category = "external", code = "GATEWAY_DOWN" }
mutes = { environment = "production", tags = { region = "eu-*" } }
same = ["service"]
seen_within = "10m"
also_critical = true
"""
    (inhibition,) = parse_policy(HEAD + RULE + text).inhibitions
    assert inhibition.rule is None
    assert spell_inhibition(inhibition) == (
        "code GATEWAY_DOWN; category external, open and seen within 10m, mutes environment production;"
        " tag region eu-* of the same service, critical too"
    )


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        (RULE + 'escalate_after = "30m"', 8, "needs escalate_to"),
        (RULE + 'escalate_to = "boss"', 8, "needs escalate_after"),
        (RULE + 'escalate_after = "30m"\nescalate_to = "bos"', 9, "did you mean boss?"),
        (RULE + 'escalate_after = "3s"\nescalate_to = "boss"', 8, "a duration from 1m to 1w"),
        (
            RULE + 'receivers = ["boss"]\nescalate_after = "30m"\nescalate_to = "boss"',
            10,
            "boss is told at once",
        ),
        (RULE + 'escalate_after = "30m"\nescalate_to = ["boss", "log"]', 9, "told at once"),
        (
            '[rules.a]\non = "growth"\nsend = "now"\nescalate_after = "30m"\nescalate_to = "boss"',
            8,
            "is for rules on new",
        ),
        (
            '[rules.a]\non = "new"\nsend = "daily"\nescalate_after = "30m"\nescalate_to = "boss"',
            8,
            "is for rules on new",
        ),
        (RULE + "unless = 1", 8, "unless is a table"),
        (RULE + "[rules.a.unless]\nalso_critical = true", 8, "unless everything would stop everything"),
        (RULE + "[rules.a.unless]\nenvironment = 'x'", 9, "unknown key 'environment'"),
        (RULE + "[rules.a.unless]\nservise = 'x'", 9, "did you mean service?"),
        (RULE + "[inhibit.x]\nwhen = { service = 'db' }", 8, "mutes is missing"),
        (RULE + "[inhibit.x]\nwhen = { service = 'db' }\nmutes = {}", 10, "it would stop everything"),
        (RULE + "[inhibit.x]\nwhen = {}\nmutes = { service = 'a' }", 9, "told by its kind"),
        (
            RULE + "[inhibit.x]\nwhen = { service = 'db' }\nmutes = { code = 'A' }\nsame = ['servise']",
            11,
            "did you mean service?",
        ),
        ("[rules.a]\nabsent_for = '30m'\nsend = 'now'", 6, "needs the services that should report"),
        ("[rules.a]\nservice = 'a'\nabsent_for = '1m'\nsend = 'now'", 7, "a duration from 2m to 1w"),
        (RULE + "service = 'a'\nabsent_for = '30m'", 9, "has no on and counts nothing"),
        ("[rules.a]\nservice = 'a'\ncode = 'B'\nabsent_for = '30m'\nsend = 'now'", 8, "service alone"),
        (RULE + "recovery = true", 8, "unknown key 'recovery'"),
        ("recovery = 1\n" + RULE, 5, "1 is not true or false"),
    ],
)
def test_what_cannot_be_is_told_with_its_line(text: str, line: int, said: str) -> None:
    with pytest.raises(PolicyError) as refused:
        parse_policy(HEAD + text)
    assert said in str(refused.value)
    assert refused.value.line == line


def test_a_rule_of_absence_hears_of_the_incidents_that_tell_of_it() -> None:
    text = '[rules.a]\nservice = ["billing", "shop-*"]\nabsent_for = "30m"\nsend = "now"\n'
    (rule,) = parse_policy(HEAD + text).rules
    assert spell_count(rule) == "billing or shop-* silent for 30m"
    assert rule.on == {NotificationReason.NEW, NotificationReason.REGRESSED}
    assert (rule.where.service, rule.where.code) == (("faultwire",), ("SERVICE_ABSENT",))
    assert rule.where.tags == (("absence_rule", ("a",)),)
