"""``faultwire dead-letters``: list, show, edit, replay, discard."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any

from cyclopts import App, Parameter
from rich.console import Console

from faultwire_consumer.cli.actor import user_name
from faultwire_consumer.cli.client import ApiClient
from faultwire_consumer.cli.editor import edit_text
from faultwire_consumer.cli.failure import FAILED, USAGE, CommandError
from faultwire_consumer.cli.option import OUTPUT, Flag, Id, Limit, Output, Texts
from faultwire_consumer.cli.output import (
    print_document,
    print_json,
    print_list,
    print_value,
    say,
    styled,
    underline,
)
from faultwire_consumer.cli.stdin import read_ids, read_input

app = App(name="dead-letters")

_API = ("api", "v1", "dead-letters")
_COLUMNS = (
    *("id", "status", "reason", "service", "attempts", "origin", "event_id", "first_seen_at", "detail"),
)
_PAGE = 1000


def _refuse_option(_: Any, letter_id: str) -> None:
    """Refuse what was meant as an option: a lone hyphen is standard input, and no id begins with one."""
    if letter_id.startswith("-") and letter_id != "-":
        raise ValueError("an id is a number, or - for standard input")


_Ids = Annotated[
    str,
    Parameter(name="ID", show_default=False, allow_leading_hyphen=True, validator=_refuse_option),
]

_All = Annotated[bool, Parameter(name="--all", negative="", show_default=False)]


@app.command(name="list")
def list_(
    *,
    status: str = "waiting",
    reason: Texts = (),
    service: Texts = (),
    limit: Limit = 50,
    cursor: str | None = None,
    output: Output = OUTPUT,
) -> None:
    """List dead letters, the newest first.

    Args:
        status: waiting, replayed, discarded or all.
        reason: With this reason; may be repeated.
        service: That name this service; may be repeated.
        limit: How many.
        cursor: Go on where a list ended.
    """
    document = ApiClient(output).get(
        *_API, status=status, reason=reason, service=service, limit=limit, cursor=cursor
    )
    print_list(document, "dead_letters", _COLUMNS, output)


@app.command
def reasons(*, status: str = "waiting", service: Texts = (), output: Output = OUTPUT) -> None:
    """Count dead letters by reason, with what mends them.

    Args:
        status: waiting, replayed, discarded or all.
        service: That name this service; may be repeated.
    """
    document = ApiClient(output).get(*_API, "reasons", status=status, service=service)
    print_list(document, "reasons", ("count", "reason", "cure"), output)


@app.command
def show(letter_id: Id, /, *, output: Output = OUTPUT) -> None:
    """Show one dead letter with its body, what is wrong in it, and what was done to it."""
    print_document(ApiClient(output).get(*_API, letter_id), output, _show)


@app.command
def edit(
    letter_id: Id,
    /,
    *,
    file: Annotated[Path | None, Parameter(allow_leading_hyphen=True)] = None,
    why: str = "",
    dry_run: Flag = False,
    output: Output = OUTPUT,
) -> int:
    """Correct the body that a replay takes; what arrived is kept beside it.

    Without --file, VISUAL or EDITOR opens on the body. Exit code 1 where a replay of it would still fail.

    Args:
        file: The corrected body; - for standard input.
        why: Your words for the history.
        dry_run: Say what its replay would do, and change nothing.
    """
    client = ApiClient(output)
    if file is None:
        letter = client.get(*_API, letter_id)
        given = letter["body"] if letter["edited_body"] is None else letter["edited_body"]
        body = edit_text(given, suffix=".json")
        if body == given:
            raise CommandError("the body was left as it is; nothing was sent", FAILED)
    else:
        body = read_body(file)
    asked = {"actor": user_name(), "why": why, "dry_run": dry_run, "body": body}
    return _report(client, "edit", [letter_id], asked, output)


@app.command
def replay(
    *ids: _Ids,
    all_: _All = False,
    reason: Texts = (),
    service: Texts = (),
    why: str = "",
    accept_old: Flag = False,
    dry_run: Flag = False,
    output: Output = OUTPUT,
) -> int:
    """Put dead letters through ingest again; what is stored already is not counted twice.

    An ID of - reads ids from standard input. Exit code 1 where one of them failed again: it stays a dead
    letter, with one attempt more.

    Args:
        all_: All that wait.
        reason: With --all, those with this reason; may be repeated.
        service: With --all, those that name this service; may be repeated.
        why: Your words for the history.
        accept_old: Take events that retention refused for their day under an id of today. Nobody can tell
            whether they were counted before.
        dry_run: Say what would be, and change nothing.
    """
    asked = {"actor": user_name(), "why": why, "dry_run": dry_run, "accept_old": accept_old}
    chosen = _chosen(ids, all_=all_, reason=reason, service=service, output=output)
    return _report(ApiClient(output), "replay", chosen, asked, output)


@app.command
def discard(
    *ids: _Ids,
    all_: _All = False,
    reason: Texts = (),
    service: Texts = (),
    why: str = "",
    dry_run: Flag = False,
    output: Output = OUTPUT,
) -> int:
    """Mark dead letters as not wanted; they stay in the list of the discarded.

    An ID of - reads ids from standard input.

    Args:
        all_: All that wait.
        reason: With --all, those with this reason; may be repeated.
        service: With --all, those that name this service; may be repeated.
        why: Your words for the history.
        dry_run: Say what would be, and change nothing.
    """
    asked = {"actor": user_name(), "why": why, "dry_run": dry_run}
    chosen = _chosen(ids, all_=all_, reason=reason, service=service, output=output)
    return _report(ApiClient(output), "discard", chosen, asked, output)


def _chosen(
    ids: Sequence[str], *, all_: bool, reason: Sequence[str], service: Sequence[str], output: Output
) -> Sequence[str]:
    """The ids to go through, all known before the first is changed."""
    if bool(ids) == all_:
        raise CommandError("name dead letters by their ids, or give --all for all that wait", USAGE)
    if (reason or service) and not all_:
        raise CommandError("--reason and --service need --all", USAGE)
    if all_:
        return list(_waiting(ApiClient(output), reason, service))[::-1]
    return [one for given in ids for one in (read_ids() if given == "-" else (given,))]


def _waiting(client: ApiClient, reason: Sequence[str], service: Sequence[str]) -> Iterator[str]:
    cursor = None
    while True:
        page = client.get(*_API, status="waiting", reason=reason, service=service, limit=_PAGE, cursor=cursor)
        yield from (str(letter["id"]) for letter in page["dead_letters"])
        cursor = page["next_cursor"]
        if cursor is None:
            return


def _report(client: ApiClient, verb: str, ids: Sequence[str], asked: dict[str, Any], output: Output) -> int:
    answers = []
    for letter_id in ids:
        answer = client.post(*_API, letter_id, verb, body=asked)
        answers.append(answer)
        if output.jsonl:
            print_document(answer, output, _show)
        elif not output.quiet:
            say(f"{answer['id']} {answer['outcome']}{': ' if answer['detail'] else ''}{answer['detail']}")
    if output.json and not output.jsonl:
        print_json({"dead_letters": answers})
    if not answers and not output.quiet:
        say("no dead letters are waiting")
    elif answers and answers[0].get("examined") and not output.quiet:
        say(f"a dry run: {answers[0]['examined']}")
    return FAILED if any(_has_failed(answer) for answer in answers) else 0


def _has_failed(answer: dict[str, Any]) -> bool:
    if answer["outcome"] in ("edited", "would_edit"):
        return bool(answer["detail"].startswith("a replay would fail"))
    return answer["outcome"] in ("replay_failed", "would_fail")


def _show(letter: dict[str, Any], console: Console) -> None:
    for name, value in letter.items():
        if name not in ("body", "history", "place", "fields", "edited_body"):
            print_value(console, name, value)
    if letter["history"]:
        console.print(styled("history", "dim"))
    for entry in letter["history"]:
        told = f": {entry['detail']}" if entry["detail"] else ""
        console.print(styled(f"  {entry['at']}  {entry['reason']} by {entry['actor']}{told}"), soft_wrap=True)
    place = letter.get("place")
    if place is not None:
        _show_place(place, console)
        for name, value in letter["fields"].items():
            print_value(console, name, value)
    for title, body in (("corrected body", letter.get("edited_body")), ("body", letter["body"])):
        if body is not None:
            console.print(styled(title, "dim"))
            for line in body.splitlines():
                console.print(styled(line), soft_wrap=True)


def _show_place(place: dict[str, Any], console: Console) -> None:
    where = f" at {place['path']}" if place["path"] != "$" else ""
    what = "wrong" if place["length"] else "it ends too early"
    console.print(
        styled(f"{what}{where}, line {place['line']}, column {place['column']}", "bold"), soft_wrap=True
    )
    text = place["before"] + place["wrong"] + place["after"]
    for line in underline(text, len(place["before"]), len(place["wrong"])):
        console.print(styled(line), soft_wrap=True)
    console.print(styled("what could be read", "dim"))


def read_body(file: Path) -> str:
    """The text of a corrected body.

    Raises:
        CommandError: it cannot be read, or is no UTF-8.
    """
    try:
        return read_input() if str(file) == "-" else file.read_text(encoding="utf-8")
    except OSError as error:
        raise CommandError(f"{file} cannot be read: {error.strerror}", USAGE) from None
    except UnicodeDecodeError:
        raise CommandError(f"{file} is no text in UTF-8", USAGE) from None
