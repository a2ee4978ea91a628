"""The worker's settings as their definition says them: what each is, its default, and its values."""

import ast
import inspect
import json
import re
import textwrap
from collections.abc import Iterator, Mapping
from enum import Enum
from typing import TYPE_CHECKING, Any, Final, Literal, get_args, get_origin

from msgspec import Struct

if TYPE_CHECKING:
    from pydantic import BaseModel
    from pydantic.fields import FieldInfo

_BARE_KEY: Final = re.compile(r"[A-Za-z0-9_-]+")
_SECRET: Final = re.compile(r"secret|password|token|heartbeat_url|(^|_)key$")


class SettingText(Struct, frozen=True):
    """One setting: its name, what it is, its values in words, and its default as TOML (None: it has none)."""

    name: str
    told: str
    values: str
    default: str | None


def describe_settings(config: "type[BaseModel]") -> list[SettingText]:
    """The settings of a configuration, in the order of their definition."""
    told = dict(_docstrings(config))
    return [
        SettingText(
            name=name,
            told=told.get(name, ""),
            values=", ".join(_values(field)),
            default=None if field.default is None else spell_toml(field.default),
        )
        for name, field in config.model_fields.items()
    ]


def spell_toml(value: Any) -> str:
    """A value as TOML writes it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Enum):
        return spell_toml(value.value)
    if isinstance(value, int | float):
        return str(value)
    if isinstance(value, list | tuple | set | frozenset):
        return f"[{', '.join(spell_toml(one) for one in value)}]"
    if isinstance(value, Mapping):
        return f"{{{', '.join(f'{_toml_key(key)} = {spell_toml(one)}' for key, one in value.items())}}}"
    return json.dumps(str(value), ensure_ascii=False)


def _toml_key(key: Any) -> str:
    text = spell_toml(key)
    return text[1:-1] if _BARE_KEY.fullmatch(text[1:-1]) else text


def is_secret(name: str) -> bool:
    """True for a setting that is never shown."""
    return _SECRET.search(name) is not None


def _docstrings(config: "type[BaseModel]") -> Iterator[tuple[str, str]]:
    """Yield the strings below the fields, as the source has them, of the class and of those it stands on."""
    for owner in reversed(config.__mro__):
        if not set(inspect.get_annotations(owner)) & set(config.model_fields):
            continue
        (definition,) = ast.parse(textwrap.dedent(inspect.getsource(owner))).body
        assert isinstance(definition, ast.ClassDef)  # noqa: S101 - the source of a class
        for field, after in zip(definition.body, definition.body[1:], strict=False):
            match field, after:
                case (
                    ast.AnnAssign(target=ast.Name(id=name)),
                    ast.Expr(value=ast.Constant(value=str() as text)),
                ):
                    yield name, inspect.cleandoc(text).replace("``", "").replace("`", "")


def _values(field: "FieldInfo") -> Iterator[str]:
    bounds: Mapping[str, Any] = {
        name: getattr(limit, name)
        for limit in field.metadata
        for name in ("ge", "le")
        if getattr(limit, name, None) is not None
    }
    if "ge" in bounds:
        yield f"from {bounds['ge']}" + (f" to {bounds['le']}" if "le" in bounds else "")
    for kind in (field.annotation, *get_args(field.annotation)):
        if get_origin(kind) is Literal:
            yield f"one of {', '.join(get_args(kind))}"
        elif isinstance(kind, type) and issubclass(kind, Enum):
            yield f"one of {', '.join(str(one.value) for one in kind)}"
