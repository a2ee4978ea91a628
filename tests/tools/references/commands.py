"""The reference of the command line: each command with its arguments, as its help says them."""

from collections.abc import Iterator, Mapping
from dataclasses import fields
from inspect import Parameter, cleandoc
from typing import Any, Final, get_args

from cyclopts import App
from cyclopts.argument import Argument
from tests.tools.references.table import cell

from faultwire_consumer.cli.application import app
from faultwire_consumer.cli.option import Output

_OF_ALL: Final = ("--help", "-h", "--version")
_OUTPUT: Final = {field.name for field in fields(Output)}


def command_sections() -> str:
    """A section for each command, in the order of the list of commands."""
    return "\n\n".join(_section(words, command) for words, command in _commands(("faultwire",), app))


def shared_options() -> str:
    """The options of every command that prints what a worker says."""
    arguments = app["incidents"]["list"].assemble_argument_collection(parse_docstring=True)
    return _table([one for one in arguments if one.show and _is_output(one)])


def _commands(words: tuple[str, ...], parent: App) -> Iterator[tuple[tuple[str, ...], App]]:
    seen: list[int] = []
    for name in parent:
        command = parent[name]
        if name in _OF_ALL or id(command) in seen:
            continue
        seen.append(id(command))
        if command.default_command is not None:
            yield (*words, name), command
        yield from _commands((*words, name), command)


def _section(words: tuple[str, ...], command: App) -> str:
    arguments = [one for one in command.assemble_argument_collection(parse_docstring=True) if one.show]
    own = [one for one in arguments if not _is_output(one)]
    lines = [f"### {' '.join(words)}", _told(command)]
    if command.help_epilogue and command.help_epilogue.startswith("Example"):
        lines.append(command.help_epilogue)
    if own:
        lines.append(_table(own))
    if len(own) < len(arguments):
        lines.append("It takes the [options of all](#options-of-all) too.")
    return "\n\n".join(lines)


def _told(command: App) -> str:
    return cleandoc(command.help or "").partition("\nArgs:")[0].strip()


def _is_output(argument: Argument) -> bool:
    return argument.name.lstrip("-").replace("-", "_") in _OUTPUT


def _table(arguments: list[Argument]) -> str:
    rows = [f"| {_names(one)} | {_default(one)} | {cell(one.parameter.help or '')} |" for one in arguments]
    return "\n".join(["| argument | default | is |", "|---|---|---|", *rows])


def _names(argument: Argument) -> str:
    names = ", ".join(f"`{name}`" for name in argument.names)
    choices = argument.get_choices()
    return f"{names} `{' '.join(choices)}`" if choices else names


def _default(argument: Argument) -> str:
    default: Any = argument.field_info.default
    if argument.required or default is Parameter.empty:
        return "has to be given" if argument.required else ""
    if default in (None, False, "", (), []) or isinstance(default, Mapping) or get_args(default):
        return ""
    return f"`{default}`"
