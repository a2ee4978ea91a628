"""``faultwire db backup``: all that a SQLite file holds, in a file of its own."""

from functools import partial
from pathlib import Path
from typing import Annotated, Any

import msgspec
from cyclopts import Parameter
from rich.console import Console

from faultwire_consumer.cli.failure import CommandError, expected_failures
from faultwire_consumer.cli.option import SETTING, Flag, LocalOutput, Setting
from faultwire_consumer.cli.output import print_document, styled
from faultwire_consumer.cli.unit import spell_bytes


def backup(
    file: Annotated[Path, Parameter(name="FILE")],
    /,
    *,
    json: Flag = False,
    setting: Setting = SETTING,
) -> None:
    """Copy a SQLite database into a new file, whole and checked, also while its worker runs.

    PostgreSQL has pg_dump for this.

    Example: `faultwire db backup faultwire-today.db`

    Args:
        file: The backup; it must not be there yet, and only its owner may read it.
        json: Print one JSON document.
    """
    with expected_failures():
        url = setting.load(with_broker=False).database_url
        from faultwire_consumer.store.contract.url import (  # noqa: PLC0415 - loads SQLAlchemy
            parse_database_url,
            sqlite_path,
        )
        from faultwire_consumer.store.sqlite.backup import BackupRefusedError, back_up  # noqa: PLC0415 - as above

        parsed = parse_database_url(url)
        if parsed.drivername != "sqlite":
            raise CommandError(
                "this is PostgreSQL, which has tools of its own: pg_dump --format=custom --file=FILE DATABASE"
            )
        try:
            made = back_up(sqlite_path(parsed), file)
        except BackupRefusedError as error:
            raise CommandError(str(error)) from None
    document = {"file": str(file)} | msgspec.to_builtins(made)
    print_document(document, LocalOutput(json=json), partial(_show, is_quiet=setting.quiet))


def _show(document: dict[str, Any], console: Console, *, is_quiet: bool) -> None:
    if not is_quiet:
        what = f"{document['events']} events, {spell_bytes(document['bytes'])}"
        console.print(styled(f"{document['file']}: {what}"), soft_wrap=True)
