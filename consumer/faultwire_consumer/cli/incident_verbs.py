"""``faultwire incidents``: the verbs that change an incident, as acknowledge and resolve."""

from typing import Any, Final

from rich.console import Console

from faultwire_consumer.cli.actor import user_name
from faultwire_consumer.cli.client import ApiClient
from faultwire_consumer.cli.option import OUTPUT, Id, Output
from faultwire_consumer.cli.output import print_document, say

_API: Final = ("api", "v1", "incidents")


def acknowledge(incident_id: Id, /, *, output: Output = OUTPUT) -> None:
    """Say that somebody looks after an incident."""
    _change(incident_id, "acknowledge", output)


def resolve(incident_id: Id, /, *, output: Output = OUTPUT) -> None:
    """Say that an incident is fixed; what occurs later reopens it."""
    _change(incident_id, "resolve", output)


def reopen(incident_id: Id, /, *, output: Output = OUTPUT) -> None:
    """Take an acknowledge or resolve back."""
    _change(incident_id, "reopen", output)


def _change(incident_id: str, verb: str, output: Output) -> None:
    document = ApiClient(output).post(*_API, incident_id, verb, body={"actor": user_name()})
    if output.json or output.jsonl:
        print_document(document, output, _say)
    elif not output.quiet:
        say(f"{document['id']} is {document['status']}")


def _say(document: dict[str, Any], console: Console) -> None:
    console.print(f"{document['id']} is {document['status']}", soft_wrap=True)
