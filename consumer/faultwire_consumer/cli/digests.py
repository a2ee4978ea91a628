"""``faultwire digests``: preview."""

from typing import Any

from cyclopts import App
from rich.console import Console

from faultwire_consumer.cli.client import ApiClient
from faultwire_consumer.cli.option import OUTPUT, Output
from faultwire_consumer.cli.output import print_document, print_lines, say

app = App(name="digests")


@app.command
def preview(rule: str, /, *, receiver: str | None = None, output: Output = OUTPUT) -> None:
    """Show the digest that a rule would send if it were due now; nothing is made, sent or changed.

    Digests that were made are listed by `faultwire alerts list --kind digest`.

    Example: `faultwire digests preview medium`

    Args:
        rule: A rule that sends daily or weekly.
        receiver: One of the rule's receivers; the first unless given.
    """
    document = ApiClient(output).get("api", "v1", "digests", "preview", rule=rule, receiver=receiver)
    if not (output.json or output.jsonl or output.quiet):
        empty = "; it is empty" if document["is_empty"] else ""
        say(f"to {document['receiver']}, due at {document['due_at']}{empty}")
    print_document(document, output, _show)


def _show(document: dict[str, Any], _: Console) -> None:
    print_lines(document["text"])
