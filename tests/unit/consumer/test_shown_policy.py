"""A policy's text as it may be shown: its rules are the same, and its addresses are gone."""

import pytest
from msgspec.structs import replace

from faultwire_consumer.domain.policy.secret import Secret
from faultwire_consumer.domain.policy.shown import shown_text
from faultwire_consumer.domain.policy.text import parse_policy
from faultwire_consumer.notify.policy_file import shipped_text

RULES = """
[rules.critical]
severity = "critical"  # those that wake
on = [
  "new",
  "growth",
]
send = "now"
receivers = ["chat"]
"""
CHAT = '[receivers.chat]\ntype = "webhook"\nurl = "https://hooks.invalid/T0KEN"\n'
SECRET = "https://hooks.invalid/T0KEN"  # noqa: S105 - what must not be shown


def shown(text: str) -> str:
    shipped = shipped_text()
    policy = replace(parse_policy(text, shipped=shipped), written=Secret(text))
    return shown_text(policy, shipped=shipped)


@pytest.mark.parametrize(
    "text",
    [
        f'growth = [5]\n{CHAT}secret = ["abcdefgh"]\n{RULES}',
        f'{RULES}\n# [receivers.old]\n# url = "{SECRET}"\n{CHAT}',
        f'[receivers."chat"]\ntype = "webhook"\nurl = "{SECRET}" # {SECRET}\n{RULES}',
        f'[receivers.chat]\ntype = "webhook"\nurl = """{SECRET}"""\n',
    ],
)
def test_receivers_stand_as_logs_and_rules_as_they_are(text: str) -> None:
    found = shown(text)
    assert "T0KEN" not in found
    assert "abcdefgh" not in found
    shipped = shipped_text()
    assert parse_policy(found, shipped=shipped).rules == parse_policy(text, shipped=shipped).rules


@pytest.mark.parametrize(
    "text",
    [
        f'receivers = {{chat = {{type = "webhook", url = "{SECRET}"}}}}\n{RULES}',
        f'receivers.chat.type = "webhook"\nreceivers.chat.url = "{SECRET}"\n{RULES}',
        f'{CHAT}{RULES}service = "{SECRET}"\n',
    ],
)
def test_a_text_whose_addresses_cannot_be_told_apart_is_not_shown(text: str) -> None:
    assert shown(text) == ""
