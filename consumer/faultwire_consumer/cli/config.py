"""``faultwire config``: show."""

import re
from collections.abc import Mapping
from functools import partial
from typing import Any, Final

from cyclopts import App
from rich.console import Console

from faultwire_consumer.cli.failure import CONFIGURATION, CommandError
from faultwire_consumer.cli.option import SETTING, Flag, LocalOutput, Setting
from faultwire_consumer.cli.output import print_document, styled
from faultwire_consumer.cli.setting_text import is_secret, spell_toml
from faultwire_shared.failure import ConfigurationError
from faultwire_shared.redact import redact_url

_DEFAULT: Final = "default"
_HIDDEN: Final = "***"
_TEMPLATES: Final = ("source_link", "source_links", "tracker_link")
_USER: Final = re.compile(r"//[^/?#]*@")

app = App(name="config")


@app.command
def show(*, changed: Flag = False, json: Flag = False, setting: Setting = SETTING) -> None:
    """Show every setting of a worker that would be started here, and where its value comes from.

    Passwords are shown as ***. Exit code 78 where the configuration cannot be used; what was given is shown.

    Example: `faultwire config show --changed`

    Args:
        changed: Only those that are not at their default.
        json: Print one JSON document.
    """
    from faultwire_consumer.config import WorkerConfig, gather_values  # noqa: PLC0415 - loads pydantic

    options = {"broker_url": setting.broker_url, "database_url": setting.database_url}
    try:
        given = gather_values(setting.config, **options)
    except ConfigurationError as error:
        raise CommandError(str(error), CONFIGURATION) from None
    problem, values = "", {name: field.default for name, field in WorkerConfig.model_fields.items()}
    try:
        config = setting.load()
        values = {name: getattr(config, name) for name in values}
    except ConfigurationError as error:
        problem = str(error)
        values |= {name: value for name, (value, _) in given.items()}
    rows = [
        {"setting": name, "value": _shown(name, value), "from": given[name][1] if name in given else _DEFAULT}
        for name, value in values.items()
        if name in given or not changed
    ]
    document = {"usable": not problem, "settings": rows}
    print_document(document, LocalOutput(json=json), partial(_show, is_quiet=setting.quiet))
    if problem:
        raise CommandError(problem, CONFIGURATION)


def _shown(name: str, value: Any) -> Any:
    """A value that may be shown to everybody, as JSON has it."""
    if value is None or isinstance(value, bool | int | float):
        return value
    if is_secret(name):
        return _HIDDEN
    if isinstance(value, Mapping):
        return {str(key): _shown(name, one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_shown(name, one) for one in value]
    # A template's query is what it is about; only a user in it, which is refused, might be a secret.
    return _USER.sub("//***@", value) if name in _TEMPLATES else redact_url(str(value))


def _show(document: dict[str, Any], console: Console, *, is_quiet: bool) -> None:
    if is_quiet:
        return
    wide = max((len(row["setting"]) for row in document["settings"]), default=0)
    for row in document["settings"]:
        value = "(not set)" if row["value"] is None else spell_toml(row["value"])
        style = "dim" if row["from"] == _DEFAULT else ""
        console.print(styled(f"{row['setting']:{wide}}  {value}", style), end="  ", soft_wrap=True)
        console.print(styled(f"# {row['from']}", "dim"), soft_wrap=True)
