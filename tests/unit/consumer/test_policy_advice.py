"""Advice on policies that a worker takes, and whose author may mean something else."""

import pytest

from faultwire_consumer.domain.policy.advice import ADVICE_MAX, Advice, advice_on
from faultwire_consumer.domain.policy.text import parse_policy
from faultwire_consumer.notify.policy_file import shipped_text

LOG = '[receivers.log]\ntype = "log"\n'
OPS = '[receivers.ops]\ntype = "log"\n'
NEW = '[rules.a]\non = "new"\nsend = "now"\nreceivers = "log"\n'
HOOK = "[receivers.hook]\ntype = 'webhook'\nurl = 'https://chat.example'\n"

pytestmark = pytest.mark.may_block("a policy is read before a worker's loop turns")


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        (LOG + OPS + NEW, 3, "receivers.ops: no rule tells it anything"),
        (
            HOOK + "allow_private_addresses = true",
            4,
            "receivers.hook: allow_private_addresses = true lets it",
        ),
        (LOG + NEW + "owner_first = true", 7, "rules.a: no receiver says whose it is"),
        (LOG + "owners = 'ada'\n" + NEW, 3, "receivers.log: no rule asks for owners"),
        (
            "growth = []\n" + LOG + "[rules.a]\non = 'growth'\nsend = 'now'",
            5,
            "growth is empty, so nothing can",
        ),
        (
            LOG + "[rules.a]\non = 'severity_rose'\nsend = 'now'\nseverity = 'low'",
            6,
            "no severity rises to low",
        ),
        (LOG + NEW + "type = 'builtins.ValueError'", 7, "a type is without its module, as ValueError"),
        (
            LOG + NEW + NEW.replace("[rules.a]", "[rules.b]"),
            7,
            "rules.b: log is told of new twice, as rule a",
        ),
        (
            LOG + NEW + "service = 'x'\n" + NEW.replace("[rules.a]", "[rules.b]"),
            8,
            "log is told of new twice",
        ),
    ],
)
def test_what_may_not_be_meant_is_told_with_its_line(text: str, line: int, said: str) -> None:
    (advice,) = advice_on(parse_policy(text, shipped=shipped_text()), text)
    assert advice.line == line
    assert said in advice.text


@pytest.mark.parametrize(
    "text",
    [
        LOG,
        LOG + OPS,
        LOG + OPS + "owners = 'ada'\n" + NEW + "owner_first = true",
        LOG + NEW + "service = 'x'\n" + NEW.replace("[rules.a]", "[rules.b]") + "service = 'y'",
        LOG + NEW + NEW.replace("[rules.a]", "[rules.b]").replace("now", "daily"),
        LOG + NEW + NEW.replace("[rules.a]", "[rules.b]").replace('"new"', '"regressed"'),
        HOOK + "allow_private_addresses = ['10.0.0.0/8']",
        LOG + "[rules.a]\non = ['growth', 'new']\nsend = 'now'\ntype = ['a.b', '*Error']",
    ],
)
def test_what_is_meant_gets_no_advice(text: str) -> None:
    assert advice_on(parse_policy(text, shipped=shipped_text()), text) == []


def test_advice_is_bounded() -> None:
    text = NEW.replace("[rules.a]", LOG + "[rules.a]") + "".join(
        f'[receivers.r{number}]\ntype = "log"\n' for number in range(100)
    )
    found = advice_on(parse_policy(text), text)
    assert len(found) == ADVICE_MAX
    assert found == sorted(found)
    assert isinstance(found[0], Advice)
