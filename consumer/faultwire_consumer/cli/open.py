"""``faultwire open``: the address of a page, to be clicked or sent to somebody."""

import re
import sys
from typing import Final

from cyclopts import App

from faultwire_consumer.cli.address import log_in
from faultwire_consumer.cli.client import ApiClient
from faultwire_consumer.cli.failure import USAGE, CommandError
from faultwire_consumer.cli.option import OUTPUT, Flag, Output, PageId
from faultwire_consumer.cli.output import print_json

_INCIDENT: Final = re.compile(r"(inc-)?\d+", re.IGNORECASE)

app = App(name="open", help_epilogue="Example: `faultwire open INC-54`")


@app.default
def open_(id_: PageId, /, *, tracker: Flag = False, output: Output = OUTPUT) -> None:
    """Print the address of an incident's or an event's page, once it is sure that there is one.

    Args:
        id_: An incident's id, as INC-54, or an event's.
        tracker: Print the address that opens a new issue about the incident in the tracker, filled in.
    """
    client = ApiClient(output)
    is_incident = _INCIDENT.fullmatch(id_) is not None
    if tracker:
        if not is_incident:
            raise CommandError("--tracker takes an incident, as in INC-54", USAGE)
        issue = client.get("api", "v1", "incidents", id_, "new-issue")
        _print_address(issue["id"], issue["url"], output)
        return
    found = client.get("api", "v1", "incidents" if is_incident else "events", id_)
    root, _ = log_in(client.url)
    url = f"{root}/{'incidents' if is_incident else 'e'}/{found['id']}"
    _print_address(found["id"], url, output)


def _print_address(id_: str, url: str, output: Output) -> None:
    if output.json or output.jsonl:
        print_json({"id": id_, "url": url})
    else:
        sys.stdout.write(f"{url}\n")
