"""Text of a policy that nobody is to read again, and the place from which it comes."""

from msgspec import Struct

from faultwire_consumer.domain.policy.table import Table


class Secret(Struct, frozen=True):
    """A text that no log line and no response shows."""

    text: str

    def __repr__(self) -> str:
        return "***"


class SecretSource(Struct, frozen=True, kw_only=True):
    """A secret that stands in the policy, or the file that holds it: one of the two."""

    key: str
    """The key of the policy that gave it, for error messages."""
    text: Secret | None = None
    file: str | None = None


def read_secret(table: Table, key: str) -> SecretSource | None:
    """Read a secret under its key, or the path of its file under ``<key>_file``; None if neither is given.

    Raises:
        PolicyError: both are given, or one is no text.
    """
    text, file = table.text(key), table.text(f"{key}_file")
    if text is not None and file is not None:
        raise table.error(f"{key}_file", f"{key} or {key}_file, not both")
    if file is not None:
        return SecretSource(key=f"{key}_file", file=file)
    return None if text is None else SecretSource(key=key, text=Secret(text))


def read_needed_secret(table: Table, key: str, what: str) -> SecretSource:
    """Read a secret, or the path of its file.

    Args:
        table: the receiver's.
        key: of the secret.
        what: says what is missing where it is.

    Raises:
        PolicyError: it is missing, given twice, or no text.
    """
    source = read_secret(table, key)
    if source is None:
        raise table.missing(key, what)
    return source
