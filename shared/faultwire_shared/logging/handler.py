"""The handlers at the end of a pipe, the console and a file: where one hangs, nothing waits for ever."""

import logging
import os
import select
import sys
from io import TextIOWrapper
from logging.handlers import RotatingFileHandler
from typing import TextIO


class Abandonable(logging.Handler):
    """A handler that can be given up while its writing hangs: logging's own shutdown then passes it by."""

    is_abandoned = False

    def acquire(self) -> None:
        """Take the lock."""
        if not self.is_abandoned:
            super().acquire()

    def release(self) -> None:
        """Give it back."""
        if not self.is_abandoned:
            super().release()

    def flush(self) -> None:
        """Flush."""
        if not self.is_abandoned:
            super().flush()

    def close(self) -> None:
        """Close."""
        if not self.is_abandoned:
            super().close()


class ConsoleHandler(Abandonable, logging.StreamHandler[TextIO]):
    """Writes lines to a stream; what its encoding cannot say is escaped, and the line is there.

    To the process's own stderr it writes past Python's object: a write that hangs there holds a lock that the
    interpreter asks for at its end, and so would end by an abort.
    """

    def __init__(self, stream: TextIO) -> None:
        super().__init__(stream)
        self._descriptor = _descriptor_of(stream)

    def format(self, record: logging.LogRecord) -> str:
        """Return the line as the stream can say it."""
        encoding = getattr(self.stream, "encoding", None) or "utf-8"
        return super().format(record).encode(encoding, "backslashreplace").decode(encoding)

    def emit(self, record: logging.LogRecord) -> None:
        """Write the line."""
        if self._descriptor is None:
            super().emit(record)
            return
        try:
            encoding = getattr(self.stream, "encoding", None) or "utf-8"
            _write(self._descriptor, f"{self.format(record)}\n".encode(encoding))
        except OSError:  # whoever read it is gone: there is no place left to say so
            return
        except Exception:  # noqa: BLE001 - as every handler of the standard library does
            self.handleError(record)


class FileHandler(Abandonable, RotatingFileHandler):
    """A file that is rotated at its size; where none is kept it begins anew."""

    def doRollover(self) -> None:  # noqa: N802 - the standard library's name
        """Rotate; without backups the standard library would go on with the same file for ever."""
        if self.backupCount > 0:
            super().doRollover()
            return
        if self.stream is not None:  # with delay=True, until the first line
            self.stream.close()
        os.truncate(self.baseFilename, 0)
        self.stream: TextIOWrapper = self._open()


def _descriptor_of(stream: TextIO) -> int | None:
    try:
        return stream.fileno() if stream is sys.__stderr__ else None
    except (AttributeError, OSError, ValueError):
        return None


def _write(descriptor: int, data: bytes) -> None:
    while data:
        try:
            data = data[os.write(descriptor, data) :]
        except BlockingIOError:  # somebody made it non-blocking, and it is full
            select.select((), (descriptor,), ())
