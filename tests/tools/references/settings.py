"""The reference of the worker's settings, as their definition says them."""

from tests.tools.references.table import cell

from faultwire_consumer.cli.setting_text import SettingText, describe_settings
from faultwire_consumer.config import FALL_BACKS, SECRETS, WorkerConfig


def settings_table() -> str:
    """Every setting, in the order of names."""
    rows = sorted(_row(setting) for setting in describe_settings(WorkerConfig))
    return "\n".join(["| setting | default | is |", "|---|---|---|", *rows])


def _row(setting: SettingText) -> str:
    told = [cell(setting.told)]
    if setting.values:
        told.append(f"It is {cell(setting.values)}.")
    if setting.name in SECRETS:
        told.append(f"Also as `FAULTWIRE_{setting.name.upper()}_FILE`.")
    if setting.name in FALL_BACKS:
        told.append(f"Falls back to `{FALL_BACKS[setting.name]}`.")
    default = f"`{cell(setting.default)}`" if setting.default not in (None, '""', "{}") else "none"
    return f"| `{setting.name}` | {default} | {' '.join(filter(None, told))} |"
