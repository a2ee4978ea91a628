"""Reads the policy: the operator's file, or the one in the package."""

from collections.abc import Iterator, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from faultwire_consumer.domain.policy.failure import PolicyError
from faultwire_consumer.domain.policy.policy import Policy
from faultwire_consumer.domain.policy.receiver.receiver import TEMPLATE_FILES, Receiver
from faultwire_consumer.domain.policy.secret import Secret, SecretSource
from faultwire_consumer.domain.policy.text import parse_policy
from faultwire_shared.failure import ConfigurationError

SHIPPED_NAME = "policy.toml"
BYTES_MAX: Final = 1024 * 1024
_FILE: Final = "_file"
"""The end of the name of each setting that is a file's path."""


class PolicyFileError(ConfigurationError):
    """A policy that cannot be used; the text is one line with file, line, what is wrong and how to fix it."""

    def __init__(self, text: str, lines: Sequence[str] = ()) -> None:
        super().__init__(text)
        self.lines = tuple(lines) or (text,)
        """All that is wrong, a line for each thing."""


def shipped_text() -> str:
    """Return the policy in the package, as TOML."""
    return (files("faultwire_consumer.notify") / SHIPPED_NAME).read_text(encoding="utf-8")


def read_policy(path: Path | None = None) -> Policy:
    """Read a policy file, or the shipped one if no path is given.

    Raises:
        PolicyFileError: it cannot be read or used.
    """
    return policy_of(shipped_text() if path is None else read_text(path), path)


def policy_of(text: str, path: Path | None = None) -> Policy:
    """Read a policy's text; the path is for what is said of it.

    Raises:
        PolicyFileError: it cannot be used.
    """
    try:
        return replace(parse_policy(text, shipped=shipped_text()), written=Secret(text))
    except PolicyError as error:
        lines = [f"{path or SHIPPED_NAME}:{one.line}: {one}" for one in (error, *error.others)]
        more = f" (and {len(error.others)} more)" if error.others else ""
        raise PolicyFileError(f"{lines[0]}{more}", lines) from None


def read_text(path: Path) -> str:
    """Read a policy file's text.

    Raises:
        PolicyFileError: it cannot be read.
    """
    try:
        with path.open("rb") as file:
            content = file.read(BYTES_MAX + 1)
        if len(content) > BYTES_MAX:
            raise PolicyFileError(f"{path}: it has more than {BYTES_MAX:,} bytes")
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise PolicyFileError(f"{path}: it is not UTF-8") from None
    except OSError as error:
        raise PolicyFileError(f"cannot read {path}: {error.strerror or error}") from None


def files_of(policy: Policy) -> tuple[Path, ...]:
    """Return the files that a policy's receivers read besides: of their secrets, and their templates."""
    return tuple(Path(path) for receiver in policy.receivers for path in _files_of(receiver))


def _files_of(receiver: Receiver) -> Iterator[str]:
    yield from _secrets_in(receiver.way)
    if receiver.template is not None:
        yield from (f"{receiver.template}/{name}" for name in TEMPLATE_FILES)


def _secrets_in(values: Struct) -> Iterator[str]:
    """Yield the paths in settings whose names end in ``_file``, and in secrets that are named by a file."""
    for name in values.__struct_fields__:
        value = getattr(values, name)
        if isinstance(value, SecretSource):
            yield from filter(None, (value.file,))
        elif isinstance(value, Struct):
            yield from _secrets_in(value)
        elif name.endswith(_FILE) and isinstance(value, str):
            yield value
