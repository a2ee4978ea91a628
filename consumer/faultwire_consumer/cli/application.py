"""The command `faultwire`: its nouns, and how it ends."""

import os
import sys
from collections.abc import Sequence
from io import TextIOWrapper
from typing import Final, Literal

from cyclopts import App, CycloptsError

from faultwire_consumer.cli.failure import FAILED, INTERRUPTED, USAGE, CommandError
from faultwire_consumer.cli.output import say, underline
from faultwire_consumer.cli.usage import HELP, explain, prepare_help
from faultwire_shared import __version__

app = App(
    name="faultwire",
    help="Exceptions become exactly counted incidents, over RabbitMQ or with no server at all.",
    version=__version__,
    suppress_keyboard_interrupt=False,
    result_action="return_int_as_exit_code_else_zero",
)
_NOUNS: Final = {
    "demo": "Run a worker and a small shop that really fails.",
    "init": "Write a faultwire.toml with every setting in it.",
    "worker": "Run a worker: receivers, store, API and page.",
    "gateway": "Run a gateway alone: Sentry's and OpenTelemetry's SDKs in, the broker out.",
    "send": "Send one event from a shell.",
    "incidents": "Find, acknowledge and resolve incidents.",
    "events": "Find events, and see why they are grouped as they are.",
    "find": "Find what has an id: an event, an incident, a trace or a user.",
    "alerts": "See who was told of what, and why somebody was not.",
    "digests": "See what a digest would say if it were due now.",
    "silences": "Hide notifications for a time, and see what was hidden.",
    "rules": "See who is notified of what and when; check a policy before a worker uses it.",
    "dead-letters": "See what arrived and could not be stored; replay or discard it.",
    "open": "Print the address of an incident's or an event's page.",
    "releases": "List releases with the incidents that each brought.",
    "stats": "Count events by severity, service and hour.",
    "producers": "List the processes that send events, and what is missing of them.",
    "mcp": "Serve tools for a coding agent.",
    "config": "Show the configuration of a worker here.",
    "doctor": "Find what would keep a worker here from running well, and what mends it.",
    "health": "Ask whether the worker is ready.",
    "spool": "See what services keep on this machine's disk, and publish what dead ones left.",
    "access": "Say who may ask: people by accounts, programs by tokens; read the audit.",
    "db": "Look after the database: its schema, its size, and moving it.",
    "topology": "Look after the broker's exchanges and queues.",
}
for _noun, _help in _NOUNS.items():
    # By its name: a noun's module, and what it imports, is loaded when the noun is asked for.
    app.command(f"{__package__}.{_noun.replace('-', '_')}:app", name=_noun, help=_help)


_TO_ZSH: Final = """\

# The function alone is used by nobody: a file that zsh loads at the first Tab has to call it, one that is
# sourced has to name it.
if [[ $zsh_eval_context[-1] == loadautofunc ]]; then
  _cyclopts_faultwire "$@"
elif (( $+functions[compdef] )); then
  compdef _cyclopts_faultwire faultwire
fi
"""


@app.command(help_epilogue="Example: `faultwire completion bash`")
def completion(shell: Literal["bash", "zsh", "fish"], /) -> None:
    """Print a script by which a shell completes commands, options, and names that the worker knows.

    For bash: `source <(faultwire completion bash)` in ~/.bashrc; for zsh the same in ~/.zshrc; for fish
    `faultwire completion fish > ~/.config/fish/completions/faultwire.fish`.

    Args:
        shell: The shell.
    """
    sys.stdout.write(app.generate_completion(shell=shell))
    if shell == "zsh":
        sys.stdout.write(_TO_ZSH)


def run(arguments: Sequence[str]) -> int:
    """Run one command; its exit code."""
    _write_any_character()
    try:
        if any(word in HELP for word in arguments) or not arguments:
            prepare_help(app, arguments)
        code: int = app(list(arguments), print_error=False, exit_on_error=False)
        sys.stdout.flush()
    except CycloptsError as error:
        say(f"faultwire: {explain(error)}")
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
        _write_no_more()  # the reader went away, as `head` does
        return FAILED
    except OSError as error:
        say(f"faultwire: {error.strerror or error}")
        _write_no_more()
        return FAILED
    return code


def _write_any_character() -> None:
    """Have what a terminal or a file cannot show, as in Latin-1, written as an escape and not fail."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _write_no_more() -> None:
    """Throw away what waits to be written: Python would try, and complain again, as it exits."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
