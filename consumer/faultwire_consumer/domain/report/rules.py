"""Rules as Markdown: the policy in use, a digest that is not sent, and what other rules would have sent."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from faultwire_consumer.domain.report.layout import CHARACTERS, Section, assemble
from faultwire_consumer.domain.report.quoting import WARNING, fence, span

Row = Mapping[str, Any]
_NAME: Final = 100
_SENTENCE: Final = 300
_ROWS: Final = ("where", "on", "counts", "send", "receivers", "remind_every", "escalate_after", "escalate_to")
_COUNTS: Final = ("by_rule", "by_receiver", "by_reason", "stopped")


def policy_report(policy: Row, *, most: int = CHARACTERS) -> str:
    """Return the policy in use as the API gives it: a line for each rule, receiver and inhibition."""
    head = [WARNING]
    if policy["wrong"]:
        head.append(f"The file cannot be used, these rules are older: {span(policy['wrong'], _SENTENCE)}")
    sections = [
        Section("Rules", tuple(_line(rule["name"], rule, _ROWS) for rule in policy["rules"])),
        Section("Receivers", tuple(_receiver(one) for one in policy["receivers"])),
        Section(
            "Inhibitions", tuple(_line(one["name"], one, ("when", "mutes")) for one in policy["inhibits"])
        ),
    ]
    return assemble(head, sections, most=most)


def digest_report(preview: Row, *, most: int = CHARACTERS) -> str:
    """Return a digest as its receiver would read it; nothing of it was sent."""
    empty = " It is empty." if preview["is_empty"] else ""
    due = f"To {span(preview['receiver'], _NAME)}, due at {preview['due_at']}; nothing was sent.{empty}"
    lines = preview["text"].splitlines()
    return assemble([WARNING, due], [Section("Digest", (fence(lines),))], most=most)


def rehearsal_report(report: Row, *, most: int = CHARACTERS) -> str:
    """Return what rules would have sent of the stored history: counts, blind spots, then notifications."""
    sections = [
        Section("Counts", tuple(_counts(report["tally"]))),
        Section("Not seen", tuple(f"- {span(one['detail'], _SENTENCE)}" for one in report["unseen"])),
        *_lists(report),
    ]
    return assemble([WARNING, _summary(report)], sections, most=most)


def _summary(report: Row) -> str:
    tally = report["tally"]
    return (
        f"{tally['sent']} notifications in {tally['messages']} messages would have been sent between "
        f"{report['since']} and {report['until']}, of {report['events']} events; nothing was sent."
    )


def _counts(tally: Row) -> Iterator[str]:
    for name in _COUNTS:
        if tally[name]:
            counted = ", ".join(f"{span(one['name'], _NAME)} {one['count']}" for one in tally[name])
            yield f"- {name.replace('_', ' ')}: {counted}"
    if tally["waiting"]:
        yield f"- waiting at the end: {tally['waiting']}"


def _lists(report: Row) -> Iterator[Section]:
    difference = report["difference"]
    if difference is None:
        yield Section("Would have been sent", _notifications(report["notifications"]))
        return
    for name in ("new", "missing"):
        part = difference[name]
        heading = f"{part['count']} {name} beside the {difference['against']} rules"
        yield Section(heading, _notifications(part["notifications"]))


def _notifications(rows: Sequence[Row]) -> tuple[str, ...]:
    return tuple(
        f"- {one['at'] or one['created_at']} {one['severity']} {one['incident'] or one['kind']} "
        f"{one['reason']}, rule {span(one['rule'], _NAME)} to {span(one['receiver'], _NAME)}"
        for one in rows
    )


def _receiver(one: Row) -> str:
    rows = _line(one["name"], one, ("type", "quiet_hours", "digest"))
    fault = one["template_fault"]
    return f"{rows}; its templates cannot be used: {span(fault, _SENTENCE)}" if fault else rows


def _line(name: str, row: Row, fields: Sequence[str]) -> str:
    told = (f"{field.replace('_', ' ')} {_value(row[field])}" for field in fields if row[field])
    return f"- {span(name, _NAME)}: {'; '.join(told)}"


def _value(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{span(name, _NAME)} {_value(inner)}" for name, inner in value.items())
    if isinstance(value, list | tuple):
        return " or ".join(span(one, _NAME) for one in value)
    return span(value, _SENTENCE)
