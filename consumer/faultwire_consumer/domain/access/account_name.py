"""Names of accounts, and names that a proxy or a provider gives to people."""

import hashlib
import re
from typing import Final

NAME_CHARACTERS_MAX: Final = 64
NAME_RULE: Final = (
    f"a name has 1 to {NAME_CHARACTERS_MAX} small letters, digits and . _ @ + -, and begins with a letter "
    "or digit"
)
# No colon: histories write tokens as token:<name>. No capitals: "Ada" beside "ada" would be somebody else.
_NAME: Final = re.compile(rf"[a-z0-9][a-z0-9._@+-]{{0,{NAME_CHARACTERS_MAX - 1}}}")
_FOREIGN_NAME: Final = re.compile(rf"[A-Za-z0-9][A-Za-z0-9._@+-]{{0,{NAME_CHARACTERS_MAX - 1}}}")
_NOT_IN_NAMES: Final = re.compile(r"[^a-z0-9._@+-]+")
_RESERVED: Final = ("api", "cli", "page", "worker")
"""Names that histories already have for somebody else."""
_SUFFIX: Final = 8


def is_account_name(text: str) -> bool:
    """Return whether an account may have that name."""
    return _NAME.fullmatch(text) is not None and text not in _RESERVED


def is_foreign_name(text: str) -> bool:
    """Return whether a person may have that name from a proxy, which may know capitals."""
    return _FOREIGN_NAME.fullmatch(text) is not None and text not in _RESERVED


def typed_name(text: str) -> str:
    """Return the account's name that somebody typed: phones begin it with a capital."""
    return text.strip().lower()[: NAME_CHARACTERS_MAX + 1]


def name_for_subject(wished: str, *, issuer: str, subject: str, is_taken: bool) -> str:
    """Return the name of a new account of somebody whom a provider knows.

    Args:
        wished: the name that the provider gives, which says nothing of who it is.
        issuer: the provider.
        subject: the person, as that provider alone knows it.
        is_taken: somebody else has the wished name: this one gets a suffix that is always the same.
    """
    name = _NOT_IN_NAMES.sub("-", wished.strip().lower()).lstrip("._@+-")[:NAME_CHARACTERS_MAX]
    if is_account_name(name) and not is_taken:
        return name
    suffix = hashlib.sha256(f"{issuer}\n{subject}".encode()).hexdigest()[:_SUFFIX]
    return f"{(name or 'user')[: NAME_CHARACTERS_MAX - _SUFFIX - 1]}-{suffix}"
