"""``faultwire init``: a configuration's file with every setting in it, to be edited."""

import os
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Final

from cyclopts import App, Parameter

from faultwire_consumer.cli.failure import CommandError
from faultwire_consumer.cli.option import Flag
from faultwire_consumer.cli.output import say
from faultwire_consumer.cli.setting_text import SettingText, describe_settings

_WIDTH: Final = 100
_OWNER_ALONE: Final = 0o600
_HEAD: Final = """\
# The worker's configuration, with every setting and its default. What is commented out is as if it were not
# here: take the # away to set it. An option of the command wins over FAULTWIRE_<NAME> in the environment,
# that over FAULTWIRE_<NAME>_FILE (for addresses, which hold passwords), that over this file.
# `faultwire config show` says what holds, and where each value comes from."""

_File = Annotated[Path, Parameter(name="FILE", allow_leading_hyphen=True)]

app = App(name="init", help_epilogue="Example: `faultwire init faultwire.toml`")


@app.default
def init(
    file: Annotated[Path, Parameter(name="FILE", allow_leading_hyphen=True)] = Path("faultwire.toml"),
    /,
    *,
    quiet: Flag = False,
) -> None:
    """Write a faultwire.toml in which every setting stands, explained and commented out.

    A worker that is started here reads it. A file that is there already stays as it is.

    Args:
        file: The new file, which only its owner may read; - is stdout.
        quiet: Print only failures on stderr.
    """
    text = settings_file()
    if str(file) == "-":
        sys.stdout.write(text)
        return
    try:
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, _OWNER_ALONE)
    except FileExistsError:
        raise CommandError(f"{file} is there already and stays as it is; name another file") from None
    except OSError as error:
        raise CommandError(f"cannot write {file}: {error.strerror}") from None
    with os.fdopen(descriptor, "w", encoding="utf-8") as written:
        written.write(text)
    if not quiet:
        say(f"{file} has every setting; `faultwire worker` reads it as ./faultwire.toml, or by --config")


def settings_file() -> str:
    """The text of a file with every setting of a worker."""
    from faultwire_consumer.config import WorkerConfig  # noqa: PLC0415 - loads pydantic

    parts = [_HEAD, *("\n".join(_lines(setting)) for setting in describe_settings(WorkerConfig))]
    return "\n\n".join(parts) + "\n"


def _lines(setting: SettingText) -> Iterator[str]:
    for paragraph in setting.told.split("\n\n"):
        yield from (f"# {line}" for line in textwrap.wrap(paragraph, _WIDTH))
    if setting.values:
        yield f"# It is {setting.values}."
    if setting.default is None:
        yield f'#{setting.name} = "…"  # not set'
    else:
        yield f"#{setting.name} = {setting.default}"
