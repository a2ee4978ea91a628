"""The digest as a document for programs: every figure, and the incidents of each section."""

from typing import Any

import msgspec

from faultwire_consumer.domain.digest.facts import (
    DigestFacts,
    DigestLine,
    DigestPart,
    DigestRanking,
    DigestSection,
)
from faultwire_consumer.domain.incident_name import incident_name
from faultwire_consumer.notify.digest.view import facts_in
from faultwire_consumer.notify.notification import Notification


def digest_document(notification: Notification) -> dict[str, Any]:
    """Return what a digest tells, in plain values; texts are as they were stored."""
    facts = facts_in(notification)
    document = _document_of(facts)
    document["sections"] = [_section(notification, section) for section in facts.sections]
    plain: dict[str, Any] = msgspec.to_builtins(document)
    return plain


def _document_of(facts: DigestFacts) -> dict[str, Any]:
    return {
        "totals": _fields(facts.tally),
        "before": None if facts.before is None else _fields(facts.before),
        "services": _ranking(facts.services),
        "releases": _ranking(facts.releases),
        "chart": None if facts.chart is None else _fields(facts.chart),
        "held": [_fields(one) for one in facts.held],
    }


def _section(notification: Notification, section: DigestSection) -> dict[str, Any]:
    return {
        "kind": section.kind,
        "incidents": section.incidents,
        "events": section.events,
        "query": section.query,
        "url": notification.query_link_of(section.query),
        "lines": [_line(notification, line) for line in section.lines],
    }


def _line(notification: Notification, line: DigestLine) -> dict[str, Any]:
    name = incident_name(line.incident_id)
    fields = _fields(line)
    del fields["incident_id"]
    return {"id": name, **fields, "url": notification.incident_link(name)}


def _ranking(ranking: DigestRanking) -> dict[str, Any]:
    return {
        "parts": [_part(part) for part in ranking.parts],
        "more": ranking.more,
        "rest": _fields(ranking.rest),
    }


def _part(part: DigestPart) -> dict[str, Any]:
    named = {"service": part.service, "release": part.release}
    return {**named, **_fields(part.tally), "events_before": part.events_before}


def _fields(value: msgspec.Struct) -> dict[str, Any]:
    """Return all fields, also those that are kept only where they say something."""
    return {name: getattr(value, name) for name in value.__struct_fields__}
