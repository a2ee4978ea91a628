"""``faultwire find``: where an id of any kind leads."""

from typing import Any

from cyclopts import App
from rich.console import Console

from faultwire_consumer.cli.address import log_in
from faultwire_consumer.cli.client import ApiClient
from faultwire_consumer.cli.option import OUTPUT, Id, Output
from faultwire_consumer.cli.output import print_document, print_value, styled

app = App(name="find", help_epilogue="Example: `faultwire find 8fa6b0c1d2e3f4a5`")

_COMMANDS = {"event": "faultwire events show", "incident": "faultwire incidents show"}


@app.default
def find(id_: Id, /, *, output: Output = OUTPUT) -> None:
    """Find what has an id: an event, an incident, a trace or a user of events whose bodies are kept.

    Args:
        id_: The id, as it was quoted or logged.
    """
    client = ApiClient(output)
    found = client.get("api", "v1", "find", id=id_)
    root, _ = log_in(client.url)

    def show(document: dict[str, Any], console: Console) -> None:
        console.print(styled(f"{document['kind']} {document['id']}", "bold"), soft_wrap=True)
        print_value(console, "incidents", ", ".join(document["incidents"]))
        print_value(console, "events", ", ".join(document["events"]))
        command = _COMMANDS.get(document["kind"])
        told = f"{command} {document['id']}" if command else f"faultwire events list '{document['query']}'"
        print_value(console, "more", told)
        print_value(console, "page", f"{root}{document['page']}")

    print_document(found, output, show)
