"""The tools about rules: show those in use, look at a digest, and try other rules on what was stored."""

from typing import Annotated, Any, Final, Literal

from msgspec import Meta, Struct

from faultwire_consumer.agents.door import Door
from faultwire_consumer.agents.tool import Tool
from faultwire_consumer.domain.report.rules import digest_report, policy_report, rehearsal_report

POLICY_CHARACTERS: Final = 200_000
_DAY: Final = 86400


class ShowRules(Struct, frozen=True, forbid_unknown_fields=True):
    """The arguments of ``show_rules``, of which there are none."""


class PreviewDigest(Struct, frozen=True, forbid_unknown_fields=True):
    """The arguments of ``preview_digest``."""

    rule: Annotated[
        str, Meta(description="A rule that sends daily or weekly; empty: the first.", max_length=200)
    ] = ""
    receiver: Annotated[
        str, Meta(description="One of the rule's receivers; empty: the first.", max_length=200)
    ] = ""


class TryRules(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The arguments of ``test_rules``."""

    policy: Annotated[
        str,
        Meta(description="The rules to try, as TOML: the whole file.", max_length=POLICY_CHARACTERS),
    ]
    since_seconds: Annotated[
        int, Meta(description="How far back to play what was stored.", ge=60, le=35 * _DAY)
    ] = 7 * _DAY
    against: Annotated[
        Literal["current", "shipped", ""],
        Meta(description="Say what is new and missing beside these rules; empty: list everything."),
    ] = "current"


async def _show_rules(door: Door, _: ShowRules) -> str:
    return policy_report(await door.read("rules", parameters={}))


async def _preview_digest(door: Door, asked: PreviewDigest) -> str:
    parameters = {"rule": asked.rule or None, "receiver": asked.receiver or None}
    return digest_report(await door.read("digests", "preview", parameters=parameters))


async def _test_rules(door: Door, asked: TryRules) -> str:
    body: dict[str, Any] = {
        "policy": asked.policy,
        "since_seconds": asked.since_seconds,
        "against": asked.against or None,
    }
    return rehearsal_report(await door.act("rules", "rehearsal", body=body))


READING_RULES: Final = (
    Tool(
        name="show_rules",
        title="Show the rules in use",
        description="List the rules that decide who is told of what and when, receivers and inhibitions.",
        arguments=ShowRules,
        run=_show_rules,
    ),
    Tool(
        name="preview_digest",
        title="Look at a digest",
        description="Show the digest that a rule would send if it were due now; sends nothing.",
        arguments=PreviewDigest,
        run=_preview_digest,
    ),
)
TRYING_RULES: Final = Tool(
    name="test_rules",
    title="Try other rules",
    description=(
        "Play the stored history to other rules and say what they would have sent, or what would be new and "
        "missing beside those in use. Sends and changes nothing; it may take the worker three minutes."
    ),
    arguments=TryRules,
    run=_test_rules,
)
"""Offered beside the verbs, since it takes the scope ``act``, though it changes nothing."""
