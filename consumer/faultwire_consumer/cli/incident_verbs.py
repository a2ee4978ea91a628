"""``faultwire incidents``: the verbs that change incidents, one or many, by their ids or by a query."""

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Final

from cyclopts import App, Parameter

from faultwire_consumer.cli.actor import user_name
from faultwire_consumer.cli.choice import offer_incidents
from faultwire_consumer.cli.client import ApiClient
from faultwire_consumer.cli.failure import FAILED, USAGE, CommandError
from faultwire_consumer.cli.option import OUTPUT, Actor, Flag, Output, Switch
from faultwire_consumer.cli.output import print_json, say
from faultwire_consumer.cli.time_option import moment_option, seconds_option
from faultwire_consumer.domain.incident import Verb

AT_ONCE: Final = 500
"""Incidents that the API acts on in one request."""
IDS_MAX: Final = 100_000
"""Ids that are read from standard input."""

_API: Final = ("api", "v1", "incidents", "bulk")
_DONE: Final = {
    Verb.ACKNOWLEDGE: "acknowledged",
    Verb.RESOLVE: "resolved",
    Verb.REOPEN: "open",
    Verb.MUTE: "muted",
    Verb.UNMUTE: "muted no more",
    Verb.ASSIGN: "assigned",
    Verb.UNASSIGN: "assigned to nobody",
    Verb.COMMENT: "commented on",
    Verb.MERGE: "merged",
    Verb.UNMERGE: "an incident of its own",
    Verb.LINK: "linked",
    Verb.UNLINK: "linked no more",
}
_COMPLETED: Final = (Verb.ACKNOWLEDGE, Verb.RESOLVE, Verb.MUTE, Verb.ASSIGN, Verb.MERGE, Verb.LINK)
"""Verbs whose detail goes on where the word for them ends."""


def _no_option(_: type, value: Any) -> None:
    """Take a mistaken option for what it is, though a hyphen alone is an id here."""
    for one in value if isinstance(value, tuple) else (value,):
        if one.startswith("-") and one != "-":
            raise ValueError("unknown option")


Ids = Annotated[
    str,
    Parameter(
        name="ID",
        show_default=False,
        allow_leading_hyphen=True,
        validator=_no_option,
        completer=offer_incidents,
    ),
]
Moment = Annotated[str | None, Parameter(show_default=False)]
Length = Annotated[str | None, Parameter(name="--for", show_default=False)]


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class Chosen:
    """Options for which incidents, and for what the history says."""

    query: str | None = None
    """Those that a query finds, as in 'severity:low service:shop', instead of ids."""
    dry_run: Annotated[bool, Switch] = False
    """Say what would be, and change nothing."""
    note: str = ""
    """Your words for the history."""
    actor: Actor = None
    """Your name for the history, where nobody has to sign in; else that of the user who runs this."""


CHOSEN: Final = Chosen()


def register(app: App) -> None:
    """Give the commands of incidents their verbs."""
    app.command(acknowledge, name=["acknowledge", "ack"])
    for verb in (resolve, reopen, mute, unmute, assign, unassign, comment, merge, unmerge, link, unlink):
        app.command(verb)


def acknowledge(
    *ids: Ids, until: Moment = None, for_: Length = None, chosen: Chosen = CHOSEN, output: Output = OUTPUT
) -> int:
    """Say that somebody looks after incidents: reminders stop.

    Args:
        ids: As in INC-12; - reads them from standard input.
        until: Only until then, as in 2026-11-23T10:00:00Z.
        for_: Only for so long, as in 2h or 7d.
    """
    return _act(Verb.ACKNOWLEDGE, ids, _end(until, for_), chosen, output)


def resolve(
    *ids: Ids,
    in_: Annotated[str | None, Parameter(name="--in", show_default=False)] = None,
    next_: Annotated[bool, Parameter(name="--next", negative="", show_default=False)] = False,
    environment: Moment = None,
    chosen: Chosen = CHOSEN,
    output: Output = OUTPUT,
) -> int:
    """Say that incidents are fixed; what occurs later reopens them.

    Args:
        ids: As in INC-12; - reads them from standard input.
        in_: In this release: it and newer ones reopen, older ones only count.
        next_: In the release after the newest that is known.
        environment: Only there: what comes from elsewhere only counts.
    """
    arguments = {"release": in_, "next_release": next_, "environment": environment}
    return _act(Verb.RESOLVE, ids, arguments, chosen, output)


def reopen(*ids: Ids, chosen: Chosen = CHOSEN, output: Output = OUTPUT) -> int:
    """Take an acknowledge or resolve back.

    Args:
        ids: As in INC-12; - reads them from standard input.
    """
    return _act(Verb.REOPEN, ids, {}, chosen, output)


def mute(
    *ids: Ids,
    until: Moment = None,
    for_: Length = None,
    until_count: Annotated[int | None, Parameter(show_default=False)] = None,
    within: Moment = None,
    until_next_release: Flag = False,
    for_ever: Flag = False,
    reason: str = "",
    chosen: Chosen = CHOSEN,
    output: Output = OUTPUT,
) -> int:
    """Hold notifications of incidents back; they are counted on, and digests say what was held back.

    A mute ends with the next event after its end, and with any that is more severe than all before.

    Args:
        ids: As in INC-12; - reads them from standard input.
        until: Until then, as in 2026-11-23T10:00:00Z.
        for_: For so long, as in 2h or 7d.
        until_count: Until so many more came.
        within: With --until-count: so many within this time, as in 1h.
        until_next_release: Until a release comes that is newer than all that are known.
        for_ever: Until somebody unmutes it; needs --reason.
        reason: Your reason, shown wherever the mute is.
    """
    arguments = {
        **_end(until, for_),
        "count": until_count,
        "within_seconds": seconds_option("--within", within),
        "next_release": until_next_release,
        "for_ever": for_ever,
        "reason": reason,
    }
    return _act(Verb.MUTE, ids, arguments, chosen, output)


def unmute(*ids: Ids, chosen: Chosen = CHOSEN, output: Output = OUTPUT) -> int:
    """End mutes.

    Args:
        ids: As in INC-12; - reads them from standard input.
    """
    return _act(Verb.UNMUTE, ids, {}, chosen, output)


def assign(*ids: Ids, to: str, chosen: Chosen = CHOSEN, output: Output = OUTPUT) -> int:
    """Say who has incidents; whoever has one keeps it when it comes back.

    Args:
        ids: As in INC-12; - reads them from standard input.
        to: An account's name; where there are none, any name.
    """
    return _act(Verb.ASSIGN, ids, {"to": to}, chosen, output)


def unassign(*ids: Ids, chosen: Chosen = CHOSEN, output: Output = OUTPUT) -> int:
    """Say that nobody has incidents.

    Args:
        ids: As in INC-12; - reads them from standard input.
    """
    return _act(Verb.UNASSIGN, ids, {}, chosen, output)


def comment(*ids: Ids, chosen: Chosen = CHOSEN, output: Output = OUTPUT) -> int:
    """Write your --note into the history of incidents.

    Args:
        ids: As in INC-12; - reads them from standard input.
    """
    return _act(Verb.COMMENT, ids, {}, chosen, output)


def merge(*ids: Ids, into: str, chosen: Chosen = CHOSEN, output: Output = OUTPUT) -> int:
    """Make incidents part of another one of their service; their events, and future ones, are counted there.

    Args:
        ids: As in INC-12; - reads them from standard input.
        into: The incident that has them from now on.
    """
    return _act(Verb.MERGE, ids, {"into": into}, chosen, output)


def unmerge(*ids: Ids, chosen: Chosen = CHOSEN, output: Output = OUTPUT) -> int:
    """Make incidents that were merged their own again, with all of their events, for good.

    Args:
        ids: As in INC-12; - reads them from standard input.
    """
    return _act(Verb.UNMERGE, ids, {}, chosen, output)


def link(*words: Ids, chosen: Chosen = CHOSEN, output: Output = OUTPUT) -> int:
    """Remember the issue in a tracker that incidents are about; `faultwire open --tracker` opens one.

    Example: `faultwire incidents link INC-12 https://git.example/shop/issues/7`

    Args:
        words: As in INC-12, - reads them from standard input; and the issue's address.
    """
    urls = [word for word in words if "://" in word]
    if len(urls) != 1:
        raise CommandError("name the issue by its one address, as https://git.example/shop/issues/7", USAGE)
    return _act(Verb.LINK, [word for word in words if word not in urls], {"url": urls[0]}, chosen, output)


def unlink(*ids: Ids, chosen: Chosen = CHOSEN, output: Output = OUTPUT) -> int:
    """Forget the issue that incidents are linked to.

    Args:
        ids: As in INC-12; - reads them from standard input.
    """
    return _act(Verb.UNLINK, ids, {}, chosen, output)


def _act(verb: Verb, ids: Sequence[str], arguments: Mapping[str, Any], chosen: Chosen, output: Output) -> int:
    """Ask for it, print a line for each incident, and return the exit code: 1 where one of them refused."""
    given = {name: value for name, value in arguments.items() if value not in (None, False, "")}
    body = {
        "verb": verb.value,
        "arguments": given,
        "note": chosen.note,
        "dry_run": chosen.dry_run,
        "actor": chosen.actor or user_name(),
    }
    client, acted = ApiClient(output), list[Mapping[str, Any]]()
    for part in _parts(verb, ids, chosen.query):
        answer = client.post(*_API, body=body | part)
        acted += answer["incidents"]
        if output.jsonl:
            sys.stdout.writelines(f"{json.dumps(one)}\n" for one in answer["incidents"])
        elif not output.quiet:
            for one in answer["incidents"]:
                say(_line(verb, one, dry_run=chosen.dry_run))
    if output.json and not output.jsonl:
        print_json({"verb": verb.value, "dry_run": chosen.dry_run, "incidents": acted})
    if not acted and not output.quiet:
        say("nothing matches")
    return FAILED if any(one["outcome"] in ("refused", "not_found") for one in acted) else 0


def _parts(verb: Verb, ids: Sequence[str], query: str | None) -> Iterator[dict[str, Any]]:
    """Yield which incidents each request is about; a merge is one request, and so is a query."""
    if bool(ids) == (query is not None):
        raise CommandError("name incidents by their ids, or give --query", USAGE)
    if query is not None:
        yield {"query": query}
        return
    named = _read_ids(ids)
    if verb is Verb.MERGE:
        yield {"ids": named}
        return
    for start in range(0, len(named), AT_ONCE):
        yield {"ids": named[start : start + AT_ONCE]}


def _read_ids(ids: Sequence[str]) -> list[str]:
    named = [word for one in ids for word in (sys.stdin.read().split() if one == "-" else [one])]
    if len(named) > IDS_MAX:
        raise CommandError(f"at most {IDS_MAX:,} ids", USAGE)
    return list(dict.fromkeys(named))


def _line(verb: Verb, one: Mapping[str, Any], *, dry_run: bool) -> str:
    name, detail = one["id"], one["detail"]
    if one["outcome"] in ("refused", "not_found"):
        return f"{name}: {detail}"
    if one["outcome"] == "unchanged":
        return f"{name} is {_DONE[verb]} already" if not dry_run else f"{name} would stay as it is"
    how = f" {detail}".rstrip() if verb in _COMPLETED else ""
    return f"{name} {'would be' if dry_run else 'is'} {_DONE[verb]}{how}"


def _end(until: str | None, length: str | None) -> dict[str, Any]:
    return {"until": moment_option("--until", until), "for_seconds": seconds_option("--for", length)}
