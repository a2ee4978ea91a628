"""``faultwire silences``: list, show, create, end, resume."""

from collections.abc import Mapping
from typing import Annotated, Any, Final

from cyclopts import App, Parameter
from rich.console import Console

from faultwire_consumer.cli.actor import user_name
from faultwire_consumer.cli.client import ApiClient
from faultwire_consumer.cli.failure import USAGE, CommandError
from faultwire_consumer.cli.option import (
    OUTPUT,
    Actor,
    Categories,
    Flag,
    Limit,
    Output,
    Services,
    Severities,
    Texts,
)
from faultwire_consumer.cli.output import print_document, print_list, print_value, say, styled
from faultwire_consumer.cli.time_option import moment_option, seconds_option

app = App(name="silences")

Number = Annotated[int, Parameter(name="ID")]
Given = Annotated[str | None, Parameter(show_default=False)]
Length = Annotated[str | None, Parameter(name="--for", show_default=False)]
Start = Annotated[str | None, Parameter(name="--from", show_default=False)]

_API: Final = ("api", "v1", "silences")
_COLUMNS: Final = ("id", "state", "changes_at", "hits", "author", "described", "comment", "ends_at")
_SPARE: Final = ("ends_at", "author", "comment")


@app.command(name="list")
def list_(
    *, phase: Texts = (), limit: Limit = 50, cursor: str | None = None, output: Output = OUTPUT
) -> None:
    """List silences, the newest first.

    Example: `faultwire silences list --phase current`

    Args:
        phase: current, coming or past; may be repeated.
        limit: How many.
        cursor: Go on where a list ended.
    """
    document = ApiClient(output).get(*_API, phase=phase, limit=limit, cursor=cursor)
    print_list(document, "silences", _COLUMNS, output, spare=_SPARE)


@app.command
def show(silence_id: Number, /, *, output: Output = OUTPUT) -> None:
    """Show one silence: when it hides, what it hid by incident, and what was done to it.

    Example: `faultwire silences show 3`
    """
    print_document(ApiClient(output).get(*_API, str(silence_id)), output, _show)


@app.command
def create(
    *,
    comment: str,
    for_: Length = None,
    until: Given = None,
    from_: Start = None,
    service: Services = (),
    severity: Severities = (),
    environment: Texts = (),
    release: Texts = (),
    code: Texts = (),
    type_: Annotated[Texts, Parameter(name="--type")] = (),
    category: Categories = (),
    tag: Texts = (),
    window: Texts = (),
    also_critical: Flag = False,
    dry_run: Flag = False,
    actor: Actor = None,
    output: Output = OUTPUT,
) -> None:
    """Hide notifications for a time; the next digest says what was hidden.

    All kinds of matchers that are given must hold, any value of one will do, and *, ? and [...] stand for
    characters. A critical notification is hidden only with --also-critical.

    Example: `faultwire silences create --service 'billing*' --for 2h --comment 'deploy'`

    Args:
        comment: Why; everybody who looks for what was hidden reads it.
        for_: For so long, as in 2h or 7d; a year at most.
        until: Until then, as in 2026-11-23T10:00:00Z.
        from_: Not before then; now if left out.
        service: Of this service; may be repeated, as all of these.
        severity: Of this severity.
        environment: In this environment.
        release: Of this release.
        code: With this code.
        type_: With this type of exception.
        category: Of this category.
        tag: With this tag, as region=eu-*.
        window: Only in this window of each week, as 'mon-fri 22:00-06:00 Europe/Berlin'.
        also_critical: Hide critical notifications too.
        dry_run: Check it, say what it would be, and make nothing.
        actor: Your name for the history, where nobody has to sign in; else that of the user who runs this.
    """
    matchers = {
        "service": service, "severity": severity, "environment": environment, "release": release,
        "code": code, "type": type_, "category": category, "tags": _tags(tag),
    }  # fmt: skip
    body = {
        "where": {name: values for name, values in matchers.items() if values},
        "comment": comment,
        "starts_at": moment_option("--from", from_),
        "ends_at": moment_option("--until", until),
        "for_seconds": seconds_option("--for", for_),
        "weekly": [_window(text) for text in window],
        "also_critical": also_critical,
        "dry_run": dry_run,
        "actor": actor or user_name(),
    }
    _print(ApiClient(output).post(*_API, body=body), output)


@app.command
def end(silence_id: Number, /, *, note: str = "", actor: Actor = None, output: Output = OUTPUT) -> None:
    """End a silence now; what it holds back is judged again.

    Example: `faultwire silences end 3`

    Args:
        note: Your words for its history.
        actor: Your name for the history, where nobody has to sign in; else that of the user who runs this.
    """
    _change(silence_id, "end", note, actor, output)


@app.command
def resume(silence_id: Number, /, *, note: str = "", actor: Actor = None, output: Output = OUTPUT) -> None:
    """Take the end of a silence back, until its own end.

    Example: `faultwire silences resume 3`

    Args:
        note: Your words for its history.
        actor: Your name for the history, where nobody has to sign in; else that of the user who runs this.
    """
    _change(silence_id, "resume", note, actor, output)


def _change(silence_id: int, verb: str, note: str, actor: str | None, output: Output) -> None:
    body = {"note": note, "actor": actor or user_name()}
    _print(ApiClient(output).post(*_API, str(silence_id), verb, body=body), output)


def _print(answer: Mapping[str, Any], output: Output) -> None:
    if output.json or output.jsonl:
        print_document(answer, output, _show)
    elif not output.quiet:
        say(_line(answer["outcome"], answer["silence"]))
        if answer.get("foreseen"):
            say(_foreseen(answer["foreseen"]))


def _line(outcome: str, silence: Mapping[str, Any]) -> str:
    name, what = f"silence {silence['id']}", f"{silence['described']}, until {silence['ends_at']}"
    match outcome:
        case "would_create":
            return f"a silence would be {silence['state']}: {what}"
        case "unchanged":
            return f"{name} is {silence['state']} already"
        case "ended":
            return f"{name} is ended; it hid {silence['hits']} notifications"
        case _:
            return f"{name} is {silence['state']}: {what}"


def _foreseen(document: Mapping[str, Any]) -> str:
    import msgspec  # noqa: PLC0415 - as below

    from faultwire_consumer.domain.silence.foresight import Foresight, describe_foresight  # noqa: PLC0415

    return describe_foresight(msgspec.convert(document, Foresight))


def _tags(given: Texts) -> dict[str, list[str]]:
    tags: dict[str, list[str]] = {}
    for one in given:
        name, equals, value = one.partition("=")
        if not (name and equals and value):
            raise CommandError(f"--tag: {one}: a name and a pattern, as region=eu-*", USAGE)
        tags.setdefault(name, []).append(value)
    return tags


def _window(text: str) -> dict[str, Any]:
    import msgspec  # noqa: PLC0415 - as the line below it

    from faultwire_consumer.domain.silence.window_text import parse_window  # noqa: PLC0415 - reads every zone

    try:
        window: dict[str, Any] = msgspec.to_builtins(parse_window(text))
    except ValueError as error:
        raise CommandError(f"--window: {error}", USAGE) from None
    return window


def _show(silence: Mapping[str, Any], console: Console) -> None:
    for name in ("id", "state", "changes_at", "described", "comment", "author", "starts_at", "ends_at"):
        print_value(console, name, silence[name], width=16)
    print_value(console, "also critical", "yes" if silence["also_critical"] else "no", width=16)
    for name in ("ended_at", "ended_by", "hits", "last_hit_at"):
        print_value(console, name, silence[name], width=16)
    for title, lines in (
        ("hid", [_hidden(one) for one in silence["hidden"]]),
        ("history", [_done(one) for one in silence["history"]]),
    ):
        if lines:
            console.print(styled(title, "dim"))
        for line in lines:
            console.print(styled(f"  {line}"), soft_wrap=True)


def _hidden(one: Mapping[str, Any]) -> str:
    return f"{one['notifications']:>7,}  {one['incident_id'] or 'all others'}  {one['title'] or ''}".rstrip()


def _done(one: Mapping[str, Any]) -> str:
    note = f": {one['note']}" if one["note"] else ""
    return f"{one['at']}  {one['action']} by {one['actor']}{note}"
