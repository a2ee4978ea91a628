"""The errors that the clients of a chaos run have: their groups, severities and titles."""

from typing import Final, NoReturn

GROUPS: Final = {
    "critical": ("till", "vault", "gate", "alarm"),
    "high": ("stock", "price", "order", "basket"),
    "medium": ("search", "mail", "photo", "coupon"),
    "low": ("banner", "font", "cookie", "menu"),
}
SEVERITY_OF: Final = {group: severity for severity, groups in GROUPS.items() for group in groups}
TOLD: Final = frozenset({"critical", "high"})
"""Severities whose new incidents somebody is told of, where nothing else is said."""
_RECEIVER: Final = """
[receivers.hook]
type = "webhook"
url = "{url}"
allow_private_addresses = true
"""
_RULES: Final = {"critical": "now", "high": "within 10s"}
_RULE: Final = """
[rules.{severity}]
severity = "{severity}"
on = ["new"]
send = "{send}"
"""


def policy_of(url: str, told: frozenset[str]) -> str:
    """A policy by which the receiver is told of these severities: critical at once, high in summaries."""
    rules = (_RULE.format(severity=one, send=_RULES[one]) for one in sorted(told))
    return _RECEIVER.format(url=url) + "".join(rules)


class BrokenError(Exception):
    """What goes wrong in every service here."""


def caught(group: str) -> BrokenError:
    """The group's error with its traceback, as an ``except`` has it."""
    try:
        _break(group)
    except BrokenError as error:
        return error


def _break(group: str) -> NoReturn:
    raise BrokenError(f"the {group} is broken")


def group_of(title: str) -> str:
    """The group that an incident's title is about; the title itself where it is none of ours."""
    word = title.removeprefix("BrokenError: the ").removesuffix(" is broken")
    return word if word in SEVERITY_OF else title
