"""The user's editor on a text, in a file that nobody else may read."""

import os
import shlex
import subprocess
import tempfile
from pathlib import Path

from faultwire_consumer.cli.failure import FAILED, USAGE, CommandError


def edit_text(text: str, *, suffix: str) -> str:
    """Let the user edit a text, and return what was saved.

    Raises:
        CommandError: there is no editor, it failed, or what it saved is no UTF-8.
    """
    editor = shlex.split(os.environ.get("VISUAL") or os.environ.get("EDITOR") or "vi")
    with tempfile.TemporaryDirectory(prefix="faultwire-") as directory:
        path = Path(directory, f"body{suffix}")
        path.write_text(text, encoding="utf-8", newline="")
        try:
            ended = subprocess.run([*editor, str(path)], check=False)  # noqa: S603 - the user's own words
        except OSError as error:
            raise CommandError(
                f"{editor[0]} cannot be started: {error.strerror}; set EDITOR, or give --file", USAGE
            ) from None
        if ended.returncode != 0:
            raise CommandError(f"{editor[0]} ended with {ended.returncode}; nothing was sent", FAILED)
        try:
            return path.read_bytes().decode()
        except (OSError, UnicodeDecodeError):
            raise CommandError("what was saved is no text in UTF-8; nothing was sent", FAILED) from None
