"""``faultwire db``: upgrade, status, size, roles, backup, prune, maintain, copy."""

import asyncio
import sys
from functools import partial
from typing import Annotated, Any

import msgspec
from cyclopts import App, Parameter
from cyclopts.validators import Number
from rich.console import Console

from faultwire_consumer.cli.backup import backup
from faultwire_consumer.cli.copy import copy
from faultwire_consumer.cli.db_size import size
from faultwire_consumer.cli.failure import FAILED, expected_failures
from faultwire_consumer.cli.maintain import maintain
from faultwire_consumer.cli.option import SETTING, Flag, LocalOutput, Setting
from faultwire_consumer.cli.output import print_document, say, styled
from faultwire_consumer.cli.prune import prune
from faultwire_consumer.cli.roles import roles
from faultwire_consumer.cli.unit import spell_bytes

app = App(name="db")
app.command(backup)
app.command(copy)
app.command(maintain)
app.command(prune)
app.command(roles)
app.command(size)


@app.command
def upgrade(
    *,
    wait: Annotated[float, Parameter(validator=Number(gte=0))] = 300.0,
    dry_run: Flag = False,
    setting: Setting = SETTING,
) -> None:
    """Bring the database's schema up to date.

    Example: `faultwire db upgrade --database-url sqlite:///faultwire.db`

    Args:
        wait: Seconds for which PostgreSQL's other users may hold a table that has to be changed; the
            upgrade says who does, and nobody waits behind it.
        dry_run: Only print the SQL, with what each statement locks and who would wait for that.
    """
    with expected_failures():
        url = setting.load(with_broker=False).database_url
        if dry_run:
            from faultwire_consumer.store.migrations.dry_run import plan_upgrade  # noqa: PLC0415 - Alembic

            sys.stdout.write(asyncio.run(plan_upgrade(url)))
            return
        from faultwire_consumer.store.migrations.migrate import (  # noqa: PLC0415 - Alembic
            Patience,
            bring_up_to_date,
        )

        before, head = asyncio.run(bring_up_to_date(url, Patience(wait, say)))
    if not setting.quiet:
        say(
            f"the schema is {head}"
            if before == head
            else f"the schema went from {before or 'none'} to {head}"
        )


@app.command
def status(*, json: Flag = False, setting: Setting = SETTING) -> int:
    """Say whether this release may run on the database's schema: 0 yes, 1 no; and its size.

    Example: `faultwire db status`

    Args:
        json: Print one JSON document.
    """
    with expected_failures():
        url = setting.load(with_broker=False).database_url
        from faultwire_consumer.store.status import read_status  # noqa: PLC0415 - loads SQLAlchemy

        read = asyncio.run(read_status(url))
    document = msgspec.to_builtins(read.schema) | msgspec.to_builtins(read.content or {})
    show = partial(_show, schema_mend=read.schema_mend, search_mend=read.search_mend)
    print_document(document, LocalOutput(json=json), show)
    return 0 if read.schema.up_to_date else FAILED


def _show(document: dict[str, Any], console: Console, *, schema_mend: str, search_mend: str) -> None:
    if not document["up_to_date"]:
        current = document["current"] or "none"
        console.print(styled(f"the schema is {current}, this release needs {document['head']}"))
        say(schema_mend)
        return
    if document["current"] == document["head"]:
        console.print(styled(f"up to date: {document['current']}"))
    else:
        newer = f"newer than this release's {document['head']}, which may go on"
        console.print(styled(f"the schema is {document['current']}, {newer}"))
    if not document["search_indexed"]:
        say(f"free text is searched without an index: {search_mend}")
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
