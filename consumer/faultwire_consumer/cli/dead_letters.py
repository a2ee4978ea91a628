"""``faultwire dead-letters``: list, show, replay, discard."""

from collections.abc import Iterator, Sequence
from typing import Annotated, Any

from cyclopts import App, Parameter
from rich.console import Console

from faultwire_consumer.cli.actor import user_name
from faultwire_consumer.cli.client import ApiClient
from faultwire_consumer.cli.failure import FAILED, USAGE, CommandError
from faultwire_consumer.cli.option import OUTPUT, Flag, Id, Limit, Output, Texts
from faultwire_consumer.cli.output import print_document, print_json, print_list, print_value, say, styled

app = App(name="dead-letters")

_API = ("api", "v1", "dead-letters")
_COLUMNS = ("id", "status", "reason", "attempts", "origin", "event_id", "first_seen_at", "detail")
_PAGE = 1000
_Ids = Annotated[str, Parameter(name="ID", show_default=False)]


@app.command(name="list")
def list_(
    *,
    status: str = "waiting",
    reason: Texts = (),
    limit: Limit = 50,
    cursor: str | None = None,
    output: Output = OUTPUT,
) -> None:
    """List dead letters, the newest first.

    Args:
        status: waiting, replayed, discarded or all.
        reason: With this reason; may be repeated.
        limit: How many.
        cursor: Go on where a list ended.
    """
    document = ApiClient(output).get(*_API, status=status, reason=reason, limit=limit, cursor=cursor)
    print_list(document, "dead_letters", _COLUMNS, output)


@app.command
def show(letter_id: Id, /, *, output: Output = OUTPUT) -> None:
    """Show one dead letter with its body and what was done to it."""
    print_document(ApiClient(output).get(*_API, letter_id), output, _show)


@app.command
def replay(
    *ids: _Ids,
    all_: Annotated[bool, Parameter(name="--all", negative="", show_default=False)] = False,
    reason: Texts = (),
    why: str = "",
    dry_run: Flag = False,
    output: Output = OUTPUT,
) -> int:
    """Put dead letters through ingest again; what is stored already is not counted twice.

    Exit code 1 where one of them failed again: it stays a dead letter, with one attempt more.

    Args:
        all_: All that wait.
        reason: With --all, those with this reason; may be repeated.
        why: Your words for the history.
        dry_run: Say what would be, and change nothing.
    """
    asked = {"actor": user_name(), "why": why, "dry_run": dry_run}
    return _change("replay", _chosen(ids, all_=all_, reason=reason, output=output), asked, output)


@app.command
def discard(
    *ids: _Ids,
    all_: Annotated[bool, Parameter(name="--all", negative="", show_default=False)] = False,
    reason: Texts = (),
    why: str = "",
    dry_run: Flag = False,
    output: Output = OUTPUT,
) -> int:
    """Mark dead letters as not wanted; they stay in the list of the discarded.

    Args:
        all_: All that wait.
        reason: With --all, those with this reason; may be repeated.
        why: Your words for the history.
        dry_run: Say what would be, and change nothing.
    """
    asked = {"actor": user_name(), "why": why, "dry_run": dry_run}
    return _change("discard", _chosen(ids, all_=all_, reason=reason, output=output), asked, output)


def _chosen(ids: Sequence[str], *, all_: bool, reason: Sequence[str], output: Output) -> Sequence[str]:
    """The ids to go through, all known before the first is changed."""
    if bool(ids) == all_:
        raise CommandError("name dead letters by their ids, or give --all for all that wait", USAGE)
    if reason and not all_:
        raise CommandError("--reason needs --all", USAGE)
    return list(_waiting(ApiClient(output), reason))[::-1] if all_ else ids


def _waiting(client: ApiClient, reason: Sequence[str]) -> Iterator[str]:
    cursor = None
    while True:
        page = client.get(*_API, status="waiting", reason=reason, limit=_PAGE, cursor=cursor)
        yield from (str(letter["id"]) for letter in page["dead_letters"])
        cursor = page["next_cursor"]
        if cursor is None:
            return


def _change(verb: str, ids: Sequence[str], asked: dict[str, Any], output: Output) -> int:
    client, answers = ApiClient(output), []
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
    failed = any(answer["outcome"] in ("replay_failed", "would_fail") for answer in answers)
    return FAILED if failed else 0


def _show(letter: dict[str, Any], console: Console) -> None:
    for name, value in letter.items():
        if name not in ("body", "history"):
            print_value(console, name, value)
    if letter["history"]:
        console.print(styled("history", "dim"))
    for entry in letter["history"]:
        told = f": {entry['detail']}" if entry["detail"] else ""
        console.print(styled(f"  {entry['at']}  {entry['reason']} by {entry['actor']}{told}"), soft_wrap=True)
    for line in letter["body"].splitlines():
        console.print(styled(line), soft_wrap=True)
