"""Reads the policy: the operator's file, or the one in the package."""

from importlib.resources import files
from pathlib import Path

from faultwire_consumer.domain.policy.failure import PolicyError
from faultwire_consumer.domain.policy.policy import Policy
from faultwire_consumer.domain.policy.text import parse_policy
from faultwire_shared.failure import ConfigurationError

SHIPPED_NAME = "policy.toml"


class PolicyFileError(ConfigurationError):
    """A policy that cannot be used; the text is one line with file, line, what is wrong and how to fix it."""


def shipped_text() -> str:
    """Return the policy in the package, as TOML."""
    return (files("faultwire_consumer.notify") / SHIPPED_NAME).read_text(encoding="utf-8")


def read_policy(path: Path | None = None) -> Policy:
    """Read a policy file, or the shipped one if no path is given.

    Raises:
        PolicyFileError: it cannot be read or used.
    """
    try:
        text = shipped_text() if path is None else path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise PolicyFileError(f"{path}: it is not UTF-8") from None
    except OSError as error:
        raise PolicyFileError(f"cannot read {path}: {error.strerror or error}") from None
    try:
        return parse_policy(text, shipped=shipped_text())
    except PolicyError as error:
        raise PolicyFileError(f"{path or SHIPPED_NAME}:{error.line}: {error}") from None
