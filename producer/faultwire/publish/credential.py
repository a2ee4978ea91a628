"""The token that a worker's intake wants to see, as a text or in a file that may change."""

import os

from faultwire.options import TOKEN_CHARACTERS, bearer_of


class Credential:
    """A token for the header ``Authorization: Bearer …``.

    A file is read when the transport opens, and again when the other side refuses what it held: so a new
    token is taken up without a restart, and nothing is read for each request.
    """

    def __init__(self, token: str | os.PathLike[str]) -> None:
        self._path = None if isinstance(token, str) else os.fspath(token)
        self._header: str | None = None
        self.fault: str = ""
        """The reason why the file gave none; empty if it did."""
        if isinstance(token, str):
            self._header = bearer_of(token)

    def __repr__(self) -> str:
        return "Credential(***)"

    @property
    def header(self) -> str | None:
        """The header's value; None as long as the file has given none."""
        return self._header

    @property
    def is_file(self) -> bool:
        """True if it may change."""
        return self._path is not None

    def read(self) -> bool:
        """Read the file, if it is one; True if it holds another token. It blocks and never raises."""
        if self._path is None:
            return False
        before = self._header
        try:
            with open(self._path, encoding="utf-8-sig") as file:  # noqa: PTH123 - pathlib adds 10 ms to the import
                self._header = bearer_of(file.read(TOKEN_CHARACTERS + 1))
        except OSError as error:
            self.fault = f"{self._path}: {error.strerror}"
        except ValueError as error:
            self.fault = f"{self._path}: {error}"
        else:
            self.fault = ""
        return self._header != before
