"""Passwords: what one has to be like, judged before it is hashed."""

from enum import StrEnum
from typing import Final

PASSWORD_CHARACTERS_MIN: Final = 12
PASSWORD_CHARACTERS_MAX: Final = 1_000
"""Beyond it nobody types one, and somebody has the worker hash a megabyte."""
_DISTINCT_MIN: Final = 5


class PasswordRefusal(StrEnum):
    """The reason why a password is not taken; its text tells a person what to do."""

    TOO_SHORT = f"A password has {PASSWORD_CHARACTERS_MIN} characters or more."
    TOO_LONG = f"A password has {PASSWORD_CHARACTERS_MAX} characters at most."
    IS_NAME = "The password is the account's name; take another."
    TOO_UNIFORM = "The password is few characters again and again; take another."


def judge_password(password: str, *, name: str) -> PasswordRefusal | None:
    """Return why a password is not taken, or None if it is.

    Length is what counts. Rules for kinds of characters make passwords that people write down.
    """
    if len(password) > PASSWORD_CHARACTERS_MAX:
        return PasswordRefusal.TOO_LONG
    if len(password.strip()) < PASSWORD_CHARACTERS_MIN:
        return PasswordRefusal.TOO_SHORT
    folded, name = password.strip().casefold(), name.casefold()
    if name and not folded.replace(name, ""):
        return PasswordRefusal.IS_NAME
    return PasswordRefusal.TOO_UNIFORM if len(set(folded)) < _DISTINCT_MIN else None
