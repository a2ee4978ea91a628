"""Runs what a document tells its reader to run, and tells what became of it."""

import os
import signal
import socket
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from tests.documents.shell import DocumentError
from tests.servers.process import ServerProcess

SECONDS: Final = 90
PROGRAM: Final = "program.py"
RUN_PYTHON: Final = Path(__file__).with_name("run_python.py")


def run_to_its_end(command: Sequence[str], environment: Mapping[str, str], directory: Path) -> str:
    """Run a command with all that it starts; returns what it printed.

    Raises:
        DocumentError: it failed, or did not end.
    """
    process = subprocess.Popen(
        command,
        env=dict(environment),
        cwd=directory,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        output, _ = process.communicate(timeout=SECONDS)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        output, _ = process.communicate()
        raise DocumentError(f"it did not end within {SECONDS} s\n{output}") from None
    if process.returncode != 0:
        raise DocumentError(f"it ended with {process.returncode}\n{output}")
    return output


def run_until_it_listens(
    command: Sequence[str], environment: Mapping[str, str], directory: Path, port: int
) -> None:
    """Start a command that serves, wait for its port, and stop it as Ctrl-C would.

    Raises:
        ServerError: it ended before it listened, or did not listen.
        DocumentError: it did not end well.
    """

    def listens() -> bool:
        with socket.socket() as connection:
            return connection.connect_ex(("127.0.0.1", port)) == 0

    server = ServerProcess(command, environment, directory / "output.log")
    try:
        server.wait_until(listens, f"it listens on {port}")
    finally:
        code = server.end(signal.SIGINT)
    # Python's own answer to Ctrl-C, and a shell's; both say that nothing else went wrong.
    if code not in (0, -signal.SIGINT, 130):
        raise DocumentError(f"it ended with {code}\n{server.log.read_text()}")
