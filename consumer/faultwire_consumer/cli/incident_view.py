"""One incident on one screen: how it stands, how often and where, its newest trace, and who was told."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from msgspec import Struct
from rich.console import Console

from faultwire_consumer.cli.event_view import show_chain
from faultwire_consumer.cli.output import styled
from faultwire_consumer.cli.unit import spell_age

_BARS: Final = "▁▂▃▄▅▆▇█"
_NONE: Final = "·"
_SHOWN: Final = 5
"""The number of releases, tags, calls, alerts and entries of the history that are shown; --json has all."""
_NAME: Final = 9
_KIND: Final = ("code", "category", "culprit")

Document = Mapping[str, Any]


class Sight(Struct, frozen=True, kw_only=True):
    """An incident with what belongs to it, each as the API gives it; None where it was not to be had."""

    incident: Document
    event: Document | None
    trend: Any
    alerts: Sequence[Document]
    now: datetime
    with_trace: bool


def show_incident(sight: Sight, console: Console) -> None:
    """Write the screen; what the worker does not know has no line."""
    incident = sight.incident
    console.print(styled(f"{incident['id']}  {incident['title']}", "bold"), soft_wrap=True)
    for line in (state_of(incident, sight.now), frequency_of(incident, sight.now)):
        console.print(styled(line), soft_wrap=True)
    for name, lines in (
        ("trend", list(_trend(sight.trend))),
        (
            "kind",
            [" · ".join(str(incident[key]) for key in ("code", "category", "culprit") if incident[key])],
        ),
        ("releases", list(_releases(incident, sight.now))),
        ("tags", list(_tags(incident.get("tags")))),
        ("told", [_told(alert, sight.now) for alert in sight.alerts[:_SHOWN]]),
        ("issue", [incident["link"]] if incident.get("link") else []),
        ("history", [_past(entry, sight.now) for entry in _newest(incident["history"])]),
    ):
        for position, line in enumerate(lines):
            head = styled(f"{'' if position else name:{_NAME}}", "dim")
            console.print(head, styled(line), soft_wrap=True)
    if sight.event is not None:
        _show_trace(sight.event, sight, console)


def state_of(incident: Document, now: datetime) -> str:
    """The incident's state as a sentence."""
    told = str(incident["status"]).capitalize()
    history = _newest(incident.get("history", ()))
    # A comment, or a mute, is not what made its status.
    changed = next((one for one in history if one.get("before") != one.get("after")), None)
    if incident["status"] != "open" and changed is not None:
        told += f" by {changed['actor']} {_ago(changed['at'], now)}"
    elif incident["status"] == "open" and incident["episode"] > 1:
        told += f", came back (episode {incident['episode']})"
    resolved = incident.get("resolved_in") or {}
    if resolved.get("release"):
        told += f" {'in' if resolved.get('bound') == 'from' else 'after'} {resolved['release']}"
    told += f", {incident['severity']}, in {incident['service']}"
    environments = [*incident.get("environments", ())]
    if environments:
        more = incident.get("more_environments") or 0
        told += f" ({', '.join(environments)}{f' and {more} more' if more else ''})"
    if "assignee" in incident:
        told += f"; {incident['assignee'] or 'nobody'} has it"
    mute = incident.get("muted")
    return f"{told}; muted {mute['ends']}" if isinstance(mute, Mapping) else told


def frequency_of(incident: Document, now: datetime) -> str:
    """The number of events as a sentence: how many, when last, since when, and of how many users."""
    count = incident["count"]
    times = "once" if count == 1 else f"{count:,} times"
    told = f"Seen {times}, last {_ago(incident['last_seen_at'], now)}"
    if count > 1:
        told += f", first {_ago(incident['first_seen_at'], now)}"
    users = incident.get("users")
    if isinstance(users, Mapping) and users.get("count"):
        about = "" if users.get("exact", True) else "about "
        told += f", by {about}{users['count']:,} user{'' if users['count'] == 1 else 's'}"
    return told


def draw_bars(counts: Sequence[int]) -> str:
    """Counts as a line of bars; one that is not 0 never looks as if it were."""
    most = max(counts, default=0)
    steps = len(_BARS) - 1
    return "".join(_BARS[round(steps * count / most)] if count else _NONE for count in counts)


def counts_in(series: Any) -> list[int]:
    """The counts of a series of the API: numbers, or what has a count."""
    if not isinstance(series, Sequence) or isinstance(series, str):
        return []
    found = [one.get("count") if isinstance(one, Mapping) else one for one in series]
    return [one for one in found if isinstance(one, int)]


def _trend(trend: Any) -> Iterator[str]:
    if not isinstance(trend, Mapping):
        return
    for name, keys in (("24 h", ("hours", "24h")), ("7 d", ("week", "7d")), ("30 d", ("days", "30d"))):
        counts = next((found for key in keys if (found := counts_in(trend.get(key)))), [])
        if any(counts):
            yield f"{name:5}{draw_bars(counts)}  {sum(counts):,}"


def _releases(incident: Document, now: datetime) -> Iterator[str]:
    """Releases with their first sighting and count, where the API says them; else their names."""
    releases = incident.get("releases") or ()
    named = [one for one in releases if isinstance(one, str)]
    if named:
        more = incident.get("more_releases") or 0
        yield ", ".join(named) + (f" and {more} more" if more else "")
    for one in [one for one in releases if isinstance(one, Mapping)][:_SHOWN]:
        told = f"{one.get('release') or one.get('name') or '(none)'}  {one.get('count', 0):,}"
        first = one.get("first_seen_at") or one.get("first")
        yield told + (f", first {_ago(first, now)}" if first else "")


def _tags(tags: Any) -> Iterator[str]:
    for tag in (tags or ())[:_SHOWN]:
        values = [one for one in tag.get("values", ()) if isinstance(one, Mapping)]
        total = sum(one.get("count", 0) for one in values) + (tag.get("other") or 0)
        if total:
            shares = [f"{one.get('value')} {100 * one.get('count', 0) // total} %" for one in values[:_SHOWN]]
            yield f"{tag.get('name') or tag.get('key')}: {', '.join(shares)}"


def _told(alert: Document, now: datetime) -> str:
    why = f" ({alert['state_reason']})" if alert["state_reason"] else ""
    due = f", due {_due(alert['due_at'], now)}" if alert["state"] == "waiting" else ""
    told = f"{alert['receiver']}: {alert['reason']}, {alert['state']}{why}{due}"
    return f"{_ago(alert['created_at'], now)}  {told}"


def _past(entry: Document, now: datetime) -> str:
    note = f": {entry['note']}" if entry.get("note") else ""
    note = f" {entry['detail']}{note}" if entry.get("detail") else note
    event = f"  {entry['event_id']}" if entry["event_id"] else ""
    return f"{_ago(entry['at'], now)}  {entry['reason']} by {entry['actor']}{note}{event}"


def _newest(history: Sequence[Document]) -> list[Document]:
    return sorted(history, key=lambda entry: str(entry["at"]), reverse=True)[:_SHOWN]


def _show_trace(event: Document, sight: Sight, console: Console) -> None:
    head = f"newest event {event['id']}, {_ago(event['occurred_at'], sight.now)}"
    console.print(styled(head, "dim"), soft_wrap=True)
    chain = event.get("exceptions") or ()
    if sight.with_trace or not chain:
        show_chain(chain, console)
        return
    raised = chain[0]
    frames = raised.get("frames", [])
    own = [frame for frame in frames if frame.get("in_app", True)] or frames
    show_chain([{**raised, "frames": own[-_SHOWN:], "members": []}], console, detailed=False)
    left = len(frames) - len(own[-_SHOWN:])
    more = [f"{left} more call{'' if left == 1 else 's'}"] if left else []
    more += ["its cause" if len(chain) == 2 else f"{len(chain) - 1} causes"] if len(chain) > 1 else []
    more += [f"{len(raised['members'])} members"] if raised.get("members") else []
    if more:
        console.print(styled(f"  {', '.join(more)}: --trace", "dim"), soft_wrap=True)


def _ago(moment: Any, now: datetime) -> str:
    try:
        age = spell_age(datetime.fromisoformat(str(moment)), now)
    except (ValueError, TypeError):
        return str(moment)
    return age if age.startswith("in ") or "-" in age else f"{age} ago"


def _due(moment: Any, now: datetime) -> str:
    told = _ago(moment, now)
    return told if told.startswith("in ") else f"since {told.removesuffix(' ago')}"
