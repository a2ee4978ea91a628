"""``faultwire dead-letters``: list, show."""

from typing import Annotated, Any

from cyclopts import App, Parameter
from rich.console import Console

from faultwire_consumer.cli.client import Client
from faultwire_consumer.cli.option import OUTPUT, Limit, Output
from faultwire_consumer.cli.output import print_document, print_list, styled

app = App(name="dead-letters", help="See what arrived and could not be stored.")

_API = ("api", "v1", "dead-letters")
_COLUMNS = ("id", "reason", "attempts", "origin", "event_id", "first_seen_at", "detail")


@app.command(name="list")
def list_(*, limit: Limit = 50, cursor: str | None = None, output: Output = OUTPUT) -> None:
    """List dead letters, the newest first.

    Args:
        limit: How many.
        cursor: Go on where a list ended.
    """
    print_list(Client(output).get(*_API, limit=limit, cursor=cursor), "dead_letters", _COLUMNS, output)


@app.command
def show(letter_id: Annotated[str, Parameter(name="ID")], /, *, output: Output = OUTPUT) -> None:
    """Show one dead letter with its body."""
    print_document(Client(output).get(*_API, letter_id), output, _show)


def _show(letter: dict[str, Any], console: Console) -> None:
    for name, value in letter.items():
        if name != "body" and value is not None:
            console.print(styled(f"{name:14}", "dim"), styled(str(value)), soft_wrap=True)
    for line in letter["body"].splitlines():
        console.print(styled(line), soft_wrap=True)
