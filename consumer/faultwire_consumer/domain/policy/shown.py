"""A policy's own text as it may be shown: without addresses, secrets, and lines that are comments."""

import re
import tomllib
from collections.abc import Iterator
from typing import Any, Final

from faultwire_consumer.domain.policy.failure import PolicyError
from faultwire_consumer.domain.policy.policy import Policy
from faultwire_consumer.domain.policy.receiver.receiver import HEARS_OF_RECOVERY
from faultwire_consumer.domain.policy.text import parse_policy

_HEADER: Final = re.compile(r"\s*\[\[?\s*(?P<name>[^\]]+?)\s*\]\]?\s*(#.*)?")
_RECEIVERS: Final = "receivers"
_NAME: Final = re.compile(r"[A-Za-z0-9_-]+")
_SAFE: Final = (
    *("digest_hour", "digest_weekday", "digest_zone"),
    *("quiet_hours", "quiet_zone", "owners", "recovery"),
)
"""A receiver's own keys that tell nothing of where it is."""


def shown_text(policy: Policy, *, shipped: str) -> str:
    """Return a policy's text to be edited and rehearsed; empty where that cannot be done safely.

    Every receiver stands there as a log of its name: a rehearsal sends nothing, and needs no address.
    """
    written = policy.written.text
    try:
        document = tomllib.loads(written)
        text = "\n".join([*_outside(written), *_receivers(document), ""]).lstrip("\n")
        again = parse_policy(text, shipped=shipped)
    except (PolicyError, tomllib.TOMLDecodeError, ValueError):
        return ""
    is_same = again.rules == policy.rules and again.growth == policy.growth
    return text if is_same and not any(one in text for one in _hidden(document)) else ""


def _outside(written: str) -> Iterator[str]:
    """Yield the lines that belong to no receiver; a comment may hold what was one."""
    inside = False
    for line in written.splitlines():
        if header := _HEADER.fullmatch(line):
            inside = header["name"].partition(".")[0].strip() == _RECEIVERS
        if not inside and not line.lstrip().startswith("#"):
            yield line.partition(" #")[0] if '"' not in line and "'" not in line else line


def _receivers(document: dict[str, Any]) -> Iterator[str]:
    for name, table in document.get(_RECEIVERS, {}).items():
        quoted = name if _NAME.fullmatch(name) else _quote(name)
        yield f'\n[{_RECEIVERS}.{quoted}]\ntype = "log"'
        yield from (f"{key} = {_literal(table[key])}" for key in _SAFE if key in table)
        if "recovery" not in table and table.get("type") in HEARS_OF_RECOVERY:
            yield "recovery = true"


def _hidden(document: dict[str, Any]) -> Iterator[str]:
    """Yield the texts of receivers that nobody is to read."""
    for table in document.get(_RECEIVERS, {}).values():
        for key, value in table.items():
            if key not in ("type", *_SAFE):
                yield from (text for text in _texts(value) if len(text) >= len("https"))


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for one in value:
            yield from _texts(one)
    elif isinstance(value, dict):
        for one in value.values():
            yield from _texts(one)


def _literal(value: Any) -> str:
    if isinstance(value, list):
        return f"[{', '.join(map(_literal, value))}]"
    if isinstance(value, bool):
        return "true" if value else "false"
    return _quote(value) if isinstance(value, str) else str(value)


def _quote(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    if not escaped.isprintable():
        raise ValueError("no text that is shown")
    return f'"{escaped}"'
