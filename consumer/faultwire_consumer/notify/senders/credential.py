"""Receivers' secrets at their start: read from files, and as headers of HTTP."""

import base64
from pathlib import Path
from typing import Final

from faultwire_consumer.domain.policy.secret import SecretSource
from faultwire_consumer.notify.policy_file import PolicyFileError

SECRET_BYTES: Final = 64 * 1024
"""Bytes read of a secret's file: a wrong path may lead to anything."""


def read_secret_text(receiver: str, source: SecretSource) -> str:
    """Return the secret, from its file where it is in one; space around it is taken off.

    Raises:
        PolicyFileError: the file cannot be read, or holds nothing.
    """
    if source.text is not None:
        return source.text.text.strip()
    path = str(source.file)
    where = f"receivers.{receiver}.{source.key}"
    try:
        with Path(path).open("rb") as file:
            text = file.read(SECRET_BYTES).decode("utf-8-sig").strip()
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise PolicyFileError(f"{where}: cannot read {path}: {why}") from None
    if not text:
        raise PolicyFileError(f"{where}: {path} is empty")
    return text


def read_file(receiver: str, key: str, path: str) -> str:
    """Return the text of a file that a receiver's setting names.

    Raises:
        PolicyFileError: it cannot be read.
    """
    try:
        return Path(path).read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise PolicyFileError(f"receivers.{receiver}.{key}: cannot read {path}: {why}") from None


def header_word(secret: str) -> str:
    """Return a key or token that fits into a header.

    Raises:
        ValueError: it does not; the text does not hold it.
    """
    if not secret.isascii() or not secret.isprintable() or " " in secret or not secret:
        raise ValueError("a key or token is one word of printable ASCII")
    return secret


def bearer(token: str) -> str:
    """Return the ``Authorization`` header of a token.

    Raises:
        ValueError: the token does not fit into a header; the text does not hold it.
    """
    return f"Bearer {header_word(token)}"


def basic(username: str, password: str) -> str:
    """Return the ``Authorization`` header of a user with a password (RFC 7617)."""
    return f"Basic {base64.b64encode(f'{username}:{password}'.encode()).decode('ascii')}"
