"""The command `faultwire`: its nouns, and how it ends."""

import os
import sys
from collections.abc import Sequence

from cyclopts import App, CycloptsError

from faultwire_consumer.cli import (
    alerts,
    db,
    dead_letters,
    demo,
    events,
    health,
    incidents,
    producers,
    rules,
    send,
    spool,
    topology,
    worker,
)
from faultwire_consumer.cli.failure import FAILED, INTERRUPTED, USAGE, CommandError
from faultwire_consumer.cli.output import say, underline
from faultwire_shared import __version__

app = App(
    name="faultwire",
    help="Exceptions become exactly counted incidents, over RabbitMQ or with no server at all.",
    help_epilogue="Commands that ask a worker ask the one at FAULTWIRE_URL (http://127.0.0.1:8787).",
    version=__version__,
    suppress_keyboard_interrupt=False,
    result_action="return_int_as_exit_code_else_zero",
)
_NOUNS = (
    *(demo, worker, send, incidents, events, alerts, rules),
    *(dead_letters, producers, health, spool, db, topology),
)
for _noun in _NOUNS:
    app.command(_noun.app)


def run(arguments: Sequence[str]) -> int:
    """Run one command; its exit code."""
    try:
        code: int = app(list(arguments), print_error=False, exit_on_error=False)
        sys.stdout.flush()
    except CycloptsError as error:
        say(f"faultwire: {' '.join(str(error).split())} (see --help)")
        return USAGE
    except CommandError as error:
        say(f"faultwire: {error}")
        if error.mark is not None:
            for line in underline(*error.mark):
                say(line)
        return error.exit_code
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        # The reader went away, as `head` does. Python would complain once more while it ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED
    return code
