"""The end of a command: its exit codes, and expected failures as one line on stderr."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from faultwire_shared.failure import ConfigurationError, UnavailableError
from faultwire_shared.text import printable

FAILED: Final = 1
USAGE: Final = 2
CONFIGURATION: Final = 78
INTERRUPTED: Final = 130


class CommandError(Exception):
    """The command cannot do what was asked; the text is one line for a person.

    Attributes:
        exit_code: how the command ends.
        mark: what was given, with the first of its characters that is wrong and how many are.
    """

    def __init__(
        self, message: str, exit_code: int = FAILED, *, mark: tuple[str, int, int] | None = None
    ) -> None:
        super().__init__(printable(message.replace("\n", " ")))
        self.exit_code = exit_code
        self.mark = mark


@contextmanager
def expected_failures() -> Iterator[None]:
    """Tell what may go wrong at a broker, a database or a socket as a `CommandError`."""
    try:
        yield
    except Exception as error:
        code = _exit_code(_innermost(error))
        if code is None:
            raise
        raise CommandError(str(_innermost(error)), code) from None


def _innermost(error: BaseException) -> BaseException:
    while isinstance(error, BaseExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    return error


def _exit_code(error: BaseException) -> int | None:
    if isinstance(error, ConfigurationError):
        return CONFIGURATION
    return FAILED if isinstance(error, UnavailableError | OSError) else None
