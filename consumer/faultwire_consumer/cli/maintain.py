"""``faultwire db maintain``: what only the owner of PostgreSQL's tables may do."""

import asyncio
from functools import partial
from typing import Any

import msgspec
from rich.console import Console

from faultwire_consumer.cli.failure import CommandError, expected_failures
from faultwire_consumer.cli.option import SETTING, Flag, LocalOutput, Setting
from faultwire_consumer.cli.output import print_document, say
from faultwire_consumer.cli.unit import spell_bytes


def maintain(*, json: Flag = False, setting: Setting = SETTING) -> None:
    """Rewrite PostgreSQL's days that are mostly dead, where workers may not: every night, as the owner.

    Who reads such a day waits while its living rows are copied. A day that somebody holds is left for later.

    Example: `faultwire db maintain`

    Args:
        json: Print one JSON document.
    """
    with expected_failures():
        url = setting.load(with_broker=False).database_url
        from faultwire_consumer.maintenance.rewriting import (  # noqa: PLC0415 - loads SQLAlchemy
            NoServerError,
            rewrite_by_hand,
        )

        try:
            rewritten = asyncio.run(rewrite_by_hand(url))
        except NoServerError:
            raise CommandError("this is a SQLite file, whose worker gives its space back by itself") from None
    print_document(
        msgspec.to_builtins(rewritten), LocalOutput(json=json), partial(_show, is_quiet=setting.quiet)
    )


def _show(document: dict[str, Any], _: Console, *, is_quiet: bool) -> None:
    if is_quiet:
        return
    before, after = spell_bytes(document["bytes_before"]), spell_bytes(document["bytes_after"])
    say(f"looked at {document['days']} days; the database had {before} and has {after}")
    if document["busy"]:
        say(f"{document['busy']} tables were in use, and are left for the next time")
