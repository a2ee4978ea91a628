"""``faultwire db``: upgrade, status, prune, copy."""

from typing import Any

from cyclopts import App
from rich.console import Console

from faultwire_consumer.cli.copy import copy
from faultwire_consumer.cli.failure import FAILED, expected_failures
from faultwire_consumer.cli.option import SETTING, Flag, Output, Setting
from faultwire_consumer.cli.output import print_document, say, styled
from faultwire_consumer.cli.prune import prune
from faultwire_consumer.cli.unit import spell_bytes

app = App(name="db", help="Look after the database: its schema, its size, and moving it.")
app.command(copy)
app.command(prune)


@app.command
def upgrade(*, setting: Setting = SETTING) -> None:
    """Bring the database's schema up to date."""
    import asyncio  # noqa: PLC0415 - with what follows, too slow for every command

    with expected_failures():
        from faultwire_consumer.store.migrations import migrate, schema_version  # noqa: PLC0415

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
def status(*, json: Flag = False, setting: Setting = SETTING) -> int:
    """Say whether the database's schema is the one that this release needs: 0 yes, 1 no; and its size.

    Args:
        json: Print one JSON document.
    """
    import asyncio  # noqa: PLC0415 - with what follows, too slow for every command

    with expected_failures():
        from faultwire_consumer.store.migrations import schema_version, search_index  # noqa: PLC0415

        url = setting.load(with_broker=False).database_url
        current, head = asyncio.run(schema_version.status(url))
        indexed = current == head and asyncio.run(search_index.has_search_index(url))
        size = asyncio.run(_measure(url)) if current == head else {}
    document = {
        "current": current,
        "head": head,
        "up_to_date": current == head,
        "search_indexed": indexed,
    } | size
    print_document(document, Output(json=json), _show)
    return 0 if current == head else FAILED


async def _measure(url: str) -> dict[str, Any]:
    from faultwire_consumer.store.engine import open_to_read  # noqa: PLC0415 - see above
    from faultwire_consumer.store.upkeep.retention_floors import read_floors  # noqa: PLC0415
    from faultwire_consumer.store.upkeep.space import list_days, measure_store  # noqa: PLC0415

    store = await open_to_read(url)
    try:
        size, days = await measure_store(store), await list_days(store)
        floors = await read_floors(store)
    finally:
        await store.close()
    return {
        "bytes": size.bytes,
        "free_bytes": size.free_bytes,
        "shrinks": size.shrinks,
        "days": len(days),
        "oldest_day": str(days[0]) if days else None,
        "kept_from": {severity.value: str(day) for severity, day in floors.items()},
    }


def _show(document: dict[str, Any], console: Console) -> None:
    if not document["up_to_date"]:
        current = document["current"] or "none"
        console.print(styled(f"the schema is {current}, this release needs {document['head']}"))
        say("run `faultwire db upgrade`")
        return
    console.print(styled(f"up to date: {document['current']}"))
    if not document["search_indexed"]:
        from faultwire_consumer.store.migrations.search_index import MEND  # noqa: PLC0415 - too slow for every command

        say(f"free text is searched without an index: {MEND}")
    oldest = f", the oldest {document['oldest_day']}" if document["oldest_day"] else ""
    free = f", {spell_bytes(document['free_bytes'])} of it free" if document["free_bytes"] else ""
    days = "1 day" if document["days"] == 1 else f"{document['days']} days"
    console.print(styled(f"{spell_bytes(document['bytes'])}{free}; {days}{oldest}"))
    for severity, day in document["kept_from"].items():
        console.print(styled(f"{severity} events are kept from {day} on"))
    if not document["shrinks"]:
        say(
            "this file was made before it could shrink; stop the worker and run `faultwire db prune --vacuum`"
        )
