"""``faultwire db``: upgrade, status, copy."""

from typing import Annotated, Any

from cyclopts import App
from rich.console import Console

from faultwire_consumer.cli.copy import copy
from faultwire_consumer.cli.failure import FAILED, expected_failures
from faultwire_consumer.cli.option import SETTING, Output, Setting, Switch
from faultwire_consumer.cli.output import print_document, say, styled

app = App(name="db", help="Look after the database: its schema, and moving it.")
app.command(copy)


@app.command
def upgrade(*, setting: Setting = SETTING) -> None:
    """Bring the database's schema up to date."""
    import asyncio  # noqa: PLC0415 - with what follows, too slow for every command

    with expected_failures():
        from faultwire_consumer.store import migrate, schema_version  # noqa: PLC0415

        url = setting.load(with_broker=False).database_url
        before, head = asyncio.run(schema_version.status(url))
        asyncio.run(migrate.upgrade(url))  # of a schema that is current, what the server did not allow
    if not setting.quiet:
        say(
            f"the schema is {head}"
            if before == head
            else f"the schema went from {before or 'none'} to {head}"
        )


@app.command
def status(*, json: Annotated[bool, Switch] = False, setting: Setting = SETTING) -> int:
    """Say whether the database's schema is the one that this release needs: 0 yes, 1 no.

    Args:
        json: Print one JSON document.
    """
    import asyncio  # noqa: PLC0415 - with what follows, too slow for every command

    with expected_failures():
        from faultwire_consumer.store import schema_version, search_index  # noqa: PLC0415

        url = setting.load(with_broker=False).database_url
        current, head = asyncio.run(schema_version.status(url))
        indexed = current == head and asyncio.run(search_index.has_search_index(url))
    document = {"current": current, "head": head, "up_to_date": current == head, "search_indexed": indexed}
    print_document(document, Output(json=json), _show)
    return 0 if current == head else FAILED


def _show(document: dict[str, Any], console: Console) -> None:
    if document["up_to_date"]:
        console.print(styled(f"up to date: {document['current']}"))
        if not document["search_indexed"]:
            from faultwire_consumer.store.search_index import MEND  # noqa: PLC0415 - too slow for every command

            say(f"free text is searched without an index: {MEND}")
    else:
        current = document["current"] or "none"
        console.print(styled(f"the schema is {current}, this release needs {document['head']}"))
        say("run `faultwire db upgrade`")
