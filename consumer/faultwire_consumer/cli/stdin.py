"""Standard input as an argument: ids, or a whole text, both bounded."""

import sys
from typing import Final

from faultwire_consumer.cli.failure import USAGE, CommandError
from faultwire_shared.event import MESSAGE_BYTES

IDS_MAX: Final = 10_000


def read_ids() -> tuple[str, ...]:
    """The ids on standard input, with blanks or line breaks between them.

    Raises:
        CommandError: there are none, or too many.
    """
    ids = tuple(read_input(most=IDS_MAX * 100).split())
    if not 0 < len(ids) <= IDS_MAX:
        raise CommandError(f"standard input holds {len(ids):,} ids; 1 to {IDS_MAX:,} are taken", USAGE)
    return ids


def read_input(*, most: int = MESSAGE_BYTES) -> str:
    """The whole of standard input.

    Raises:
        CommandError: it is too long, or no UTF-8.
    """
    content = sys.stdin.buffer.read(most + 1)
    if len(content) > most:
        raise CommandError(f"standard input holds more than {most:,} bytes", USAGE)
    try:
        return content.decode()
    except UnicodeDecodeError:
        raise CommandError("standard input is no text in UTF-8", USAGE) from None
