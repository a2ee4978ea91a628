"""A file of the keys that a gateway knows, for one that starts while the database is away."""

import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Final, Literal

import msgspec
from msgspec import Struct

from faultwire_consumer.domain.access.dsn import KEYS_MAX, KeptKey
from faultwire_shared.logging.logs import get_logger

_OWNER_ALONE: Final = 0o600
_BYTES_MAX: Final = 16 * 1024 * 1024

log = get_logger("faultwire.gateway")


class _Document(Struct, frozen=True):
    keys: tuple[KeptKey, ...]
    version: Literal[1] = 1


class KnownKeys:
    """The file. It holds at most `KEYS_MAX` keys, and is replaced as a whole.

    Both methods block. Neither raises: without the file a gateway only has to wait for the database.

    Args:
        path: of the file, in the gateway's own directory.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._has_failed = False

    def read(self) -> tuple[KeptKey, ...]:
        """Return the keys in the file; none where there is no such file, or it cannot be read."""
        try:
            with self._path.open("rb") as file:
                document = msgspec.json.decode(file.read(_BYTES_MAX), type=_Document)
        except FileNotFoundError:
            return ()
        except (OSError, ValueError, RecursionError) as error:
            log.warning("keys.unreadable", path=str(self._path), error=str(error))
            return ()
        return document.keys[:KEYS_MAX]

    def write(self, keys: Iterable[KeptKey]) -> bool:
        """Replace the file; return False if that fails, and then the one before stays.

        The first failure in a row is told in the log.
        """
        held = tuple(keys)[:KEYS_MAX]
        part = self._path.with_name(f"{self._path.name}.{os.getpid()}.part")
        try:
            self._replace(part, msgspec.json.encode(_Document(held)))
        except OSError as error:
            with suppress(OSError):
                part.unlink(missing_ok=True)
            if not self._has_failed:
                log.warning("keys.not_kept", path=str(self._path), error=str(error))
            self._has_failed = True
            return False
        self._has_failed = False
        return True

    def _replace(self, part: Path, document: bytes) -> None:
        with suppress(FileNotFoundError):
            part.unlink()
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        with os.fdopen(os.open(part, flags, _OWNER_ALONE), "wb") as file:
            file.write(document)
            file.flush()
            os.fsync(file.fileno())
        part.replace(self._path)
