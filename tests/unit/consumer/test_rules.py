"""What rules tell of, as pure decisions."""

from typing import Any

import pytest
from tests.tools.incident import NOON, touched

from faultwire_consumer.domain.incident import Status
from faultwire_consumer.domain.lifecycle.judgement import judge
from faultwire_consumer.domain.notification import NotificationReason
from faultwire_consumer.domain.rules import (
    GROWTH,
    AtOnce,
    Conditions,
    Facts,
    Happened,
    Per,
    Rule,
    happened_to,
    scope_of,
    verdicts_on,
)
from faultwire_shared.event import ErrorSeverity

NOW = NOON


def facts(**fields: Any) -> Facts:
    values: dict[str, Any] = {
        "severity": ErrorSeverity.HIGH,
        "category": "external",
        "service": "billing",
        "environment": "production",
        "release": "1.2.0",
        "code": "CARD_GATEWAY_DOWN",
        "type": "ConnectionRefusedError",
        "tags": {"region": "eu-central", "canary": True},
    }
    return Facts(**(values | fields))


def rule(*on: NotificationReason, **fields: Any) -> Rule:
    values: dict[str, Any] = {
        "name": "a",
        "where": Conditions(),
        "on": frozenset(on),
        "threshold": None,
        "sending": AtOnce(),
        "receivers": ("log",),
    }
    return Rule(**(values | fields))


def happened(**fields: Any) -> list[Happened]:
    one = touched(**fields)
    return happened_to(one, judge(one, now=NOW), GROWTH)


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({}, []),
        ({"first_sight": True, "count_before": 0, "count": 150}, [Happened(NotificationReason.NEW)]),
        (
            {"status": Status.RESOLVED, "resolved_at": NOW.replace(hour=11), "count": 200},
            [Happened(NotificationReason.REGRESSED)],
        ),
        ({"status": Status.RESOLVED, "resolved_at": NOW.replace(hour=13), "count": 200}, []),
        ({"count": 10}, [Happened(NotificationReason.GROWTH, "10")]),
        ({"count_before": 10, "count": 11}, []),
        ({"count_before": 9, "count": 5000}, [Happened(NotificationReason.GROWTH, "1000")]),
        (
            {"severity": ErrorSeverity.CRITICAL, "count": 10},
            [
                Happened(NotificationReason.SEVERITY_ROSE, "critical"),
                Happened(NotificationReason.GROWTH, "10"),
            ],
        ),
        (
            {"status": Status.ACKNOWLEDGED, "severity": ErrorSeverity.CRITICAL},
            [Happened(NotificationReason.SEVERITY_ROSE, "critical")],
        ),
        ({"status": Status.ACKNOWLEDGED, "count": 10}, [Happened(NotificationReason.GROWTH, "10")]),
    ],
)
def test_what_a_batch_does_to_an_incident_is_worth_telling(
    fields: dict[str, Any], told: list[Happened]
) -> None:
    assert happened(**fields) == told


@pytest.mark.parametrize(
    ("where", "matches"),
    [
        ({}, True),
        ({"severity": frozenset({ErrorSeverity.HIGH, ErrorSeverity.CRITICAL})}, True),
        ({"severity": frozenset({ErrorSeverity.LOW})}, False),
        ({"category": frozenset({"system"})}, False),
        ({"service": ("shop", "bill*")}, True),
        ({"service": ("BILL*",)}, False),
        ({"environment": ("staging",)}, False),
        ({"release": ("1.[23].*",), "code": ("CARD_*",), "type": ("*RefusedError",)}, True),
        ({"tags": (("region", ("eu-*",)), ("canary", ("true",)))}, True),
        ({"tags": (("region", ("us-*",)),)}, False),
        ({"tags": (("absent", ("*",)),)}, False),
    ],
)
def test_conditions_all_hold_and_within_one_any_value_will_do(where: dict[str, Any], matches: bool) -> None:
    assert Conditions(**where).match(facts()) is matches


def test_a_rule_tells_the_first_of_what_it_is_on_and_every_rule_its_own() -> None:
    things = [
        Happened(NotificationReason.SEVERITY_ROSE, "critical"),
        Happened(NotificationReason.GROWTH, "10"),
    ]
    grown = rule(NotificationReason.GROWTH, name="grown")
    both = rule(NotificationReason.GROWTH, NotificationReason.SEVERITY_ROSE, name="both")
    elsewhere = rule(NotificationReason.GROWTH, where=Conditions(service=("shop",)))
    verdicts = verdicts_on([grown, both, elsewhere, rule(NotificationReason.NEW)], things, facts())
    assert [(one.rule.name, one.happened.mark) for one in verdicts] == [("grown", "10"), ("both", "critical")]


def test_a_scope_is_the_incident_the_service_the_category_or_all() -> None:
    scopes = [scope_of(per, facts(), 12) for per in Per]
    assert scopes == ["INC-12", "billing", "external", ""]
