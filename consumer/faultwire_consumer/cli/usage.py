"""The words about a command that was called wrongly, and the usage line and the end of a help page."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from typing import Any, Final

from cyclopts import App, CycloptsError
from cyclopts.exceptions import (
    CoercionError,
    MissingArgumentError,
    UnknownCommandError,
    UnknownOptionError,
    UnusedCliTokensError,
    ValidationError,
)


def suggest(word: str, known: Iterable[str]) -> str:
    """Name the known word that was probably meant, else all of them."""
    from faultwire_consumer.domain import suggestion  # noqa: PLC0415 - only a mistake needs it

    return suggestion.suggest(word, known)


HELP: Final = ("--help", "-h")
_FOOTER: Final = "Commands that ask a worker ask the one at FAULTWIRE_URL (http://127.0.0.1:8787)."
_TAKEN: Final = {int: "a whole number", float: "a number", bool: "yes or no"}


def explain(error: CycloptsError) -> str:
    """Say in one line what is wrong with a command's arguments, and where its help is."""
    words = " ".join(("faultwire", *(error.command_chain or ())))
    return f"{_cause(error)} (see {words} --help)"


def prepare_help(app: App, arguments: Sequence[str]) -> None:
    """Name the arguments in the usage line of the help that is asked for; end the list of nouns with a word.

    Args:
        app: The whole command line.
        arguments: Those that were given.
    """
    words, apps, _ = app.parse_commands([word for word in arguments if word not in HELP])
    if apps[-1].default_command is not None:
        apps[-1].usage = " ".join(("Usage: faultwire", *words, *_usage_of(apps[-1])))
    is_root = len(apps) == 1
    app.help_epilogue = _FOOTER if is_root else None
    # Of the nouns' own words none is marked up, and a reader of Markdown is a third of what this loads.
    app.help_format = "plaintext" if is_root else None


def _usage_of(command: App) -> Iterator[str]:
    arguments = _arguments_of(command)
    options = [one for one in arguments if one.name.startswith("-")]
    yield from (f"{one.name} {one.name.lstrip('-').upper()}" for one in options if one.required)
    if not all(one.required for one in options):
        yield "[OPTIONS]"
    for one in arguments:
        if one not in options:
            name = f"{one.name}..." if one.is_var_positional() else one.name
            yield name if one.required else f"[{name}]"


def _arguments_of(command: App) -> list[Any]:
    collected = command.assemble_argument_collection(parse_docstring=False)
    return [one for one in collected if one.parse and one.show]


def _cause(error: CycloptsError) -> str:
    if isinstance(error, UnknownOptionError):
        return _unknown(error.token.keyword or error.token.value, error.argument_collection)
    if error.app is not None and error.unused_tokens and isinstance(error, UnknownCommandError):
        names = [name for name in error.app if not name.startswith("-")]
        return f"{error.unused_tokens[0]}: unknown; {suggest(error.unused_tokens[0], names)}"
    if error.app is not None and error.unused_tokens and isinstance(error, UnusedCliTokensError):
        return _unused(error, _arguments_of(error.app), error.unused_tokens)
    if error.argument is not None and error.app is not None:
        return _wrong_value(error.argument.name, error, _arguments_of(error.app))
    return _as_it_is(error)


def _wrong_value(name: str, error: CycloptsError, arguments: Sequence[Any]) -> str:
    assert error.argument is not None  # noqa: S101 - the caller has seen to it
    if isinstance(error, MissingArgumentError):
        return f"{name} needs a value" if name in (error.root_input_tokens or ()) else f"{name} is missing"
    if isinstance(error, ValidationError):
        given, told = error.argument.value, error.exception_message.rstrip(".")
        several = given if isinstance(given, tuple) else (given,)
        value = next((str(one) for one in several if str(one).startswith("-")), str(several[0]))
        is_option = not name.startswith("-") and value.startswith("--")
        return _unknown(value, arguments) if is_option else f"{name}: {value}: {told[:1].lower()}{told[1:]}"
    if isinstance(error, CoercionError) and error.token is not None:
        value, choices = error.token.value, error.argument.get_choices()
        if choices:
            return f"{name}: {value}: unknown; {suggest(value, choices)}"
        taken = _TAKEN.get(error.target_type or object)
        return f"{name}: {value}: " + (f"it takes {taken}" if taken else "it cannot be that")
    return _as_it_is(error)


def _as_it_is(error: CycloptsError) -> str:
    return " ".join(str(error).split())


def _unknown(option: str, arguments: Sequence[Any]) -> str:
    option = option.partition("=")[0]
    names = chain.from_iterable(one.names for one in arguments)
    hint = suggest(option, [name for name in names if name.startswith("--")])
    return f"{option}: unknown" + (f"; {hint}" if hint.startswith("did you mean") else "")


def _unused(error: CycloptsError, arguments: Sequence[Any], unused: Sequence[str]) -> str:
    """Name an unknown option, which a query swallowed so that its value was left; else what is too much."""
    known = set(chain.from_iterable(one.names for one in arguments))
    given = [word.partition("=")[0] for word in error.root_input_tokens or ()]
    for word in given:
        if word.startswith("--") and word not in known:
            return _unknown(word, arguments)
    command = " ".join(error.command_chain or ())
    taken = [one.name for one in arguments if not one.name.startswith("-")]
    if not taken:
        return f"{command} takes options alone, not {unused[0]}"
    hint = f"; quote it as one: '{' '.join(['…', *unused])}'" if taken == ["QUERY"] else ""
    return f"{command} takes one {' and one '.join(taken)}, and {unused[0]} is one too many{hint}"
