"""Server processes that end with the test session, ports that no other session takes, and waiting."""

import atexit
import os
import random
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import Final

PATIENCE_SECONDS: Final = 90.0
"""How long a server may take to start or answer; machines in CI are noisy."""

# The kernel signals the children of a *thread* that ends. This one ends with the interpreter,
# also when that is killed, so no server outlives the session that started it.
_spawner: Final = ThreadPoolExecutor(max_workers=1, thread_name_prefix="test-servers")
_claims: Final = ExitStack()
atexit.register(_claims.close)


class ServerError(Exception):
    """A test server did not do what it was told; the text ends with what it logged last."""


def reserve_port() -> int:
    """A free port on 127.0.0.1 that stays this session's own, also while its server is down.

    Below the range that the kernel takes for outgoing connections. The claim is an abstract
    socket: atomic between sessions, and gone with the process that holds it.
    """
    for port in random.sample(range(20_000, 32_000), 500):
        claim = socket.socket(socket.AF_UNIX)
        try:
            claim.bind(f"\0faultwire-test-port-{port}")
            with socket.socket() as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                probe.bind(("127.0.0.1", port))
        except OSError:
            claim.close()
            continue
        _claims.enter_context(claim)
        return port
    raise ServerError("no free port between 20000 and 32000")


@contextmanager
def temporary_home(name: str) -> Iterator[Path]:
    """A short path under the temporary directory that a server's own user may enter too."""
    remove_left_behind()
    home = Path(tempfile.mkdtemp(prefix=f"faultwire-{name}-{os.getpid()}-"))
    try:
        home.chmod(0o755)
        yield home
    finally:
        shutil.rmtree(home, ignore_errors=True)


@cache
def remove_left_behind() -> None:
    """Remove what sessions that were killed could not: it may lie in memory, which others need."""
    for home in Path(tempfile.gettempdir()).glob("faultwire-*-*-*"):
        owner = home.name.split("-")[-2]
        if owner.isdigit() and not Path(f"/proc/{owner}").exists():
            shutil.rmtree(home, ignore_errors=True)


def wait_until(
    condition: Callable[[], bool],
    what: str,
    *,
    seconds: float = PATIENCE_SECONDS,
    pause: float = 0.05,
    log: Path | None = None,
) -> None:
    """Look again and again until the condition holds.

    Raises:
        ServerError: it did not within ``seconds``.
    """
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise ServerError(f"{what}: not within {seconds:g} s{_tail(log)}")
        time.sleep(pause)


def run(
    command: Sequence[str], environment: Mapping[str, str] | None = None, *, text: str | None = None
) -> str:
    """Run a server's tool to its end and return what it printed.

    Raises:
        ServerError: it failed; the text holds what it said.
    """
    done = subprocess.run(
        command,
        env=dict(environment) if environment is not None else None,
        input=text,
        stdin=subprocess.DEVNULL if text is None else None,
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
        check=False,
    )
    if done.returncode != 0:
        raise ServerError(f"{' '.join(command)[:300]}: {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout


def run_status(command: Sequence[str], environment: Mapping[str, str]) -> bool:
    """Whether the command exits with 0."""
    quiet = subprocess.DEVNULL
    done = subprocess.run(command, env=dict(environment), stdout=quiet, stderr=quiet, check=False)
    return done.returncode == 0


def become(account: str | None) -> list[str]:
    """The words before a command that make it run as another account."""
    if account is None:
        return ["setpriv"]
    return ["setpriv", f"--reuid={account}", f"--regid={account}", "--init-groups"]


class ServerProcess:
    """One server's process with its children."""

    def __init__(
        self,
        command: Sequence[str],
        environment: Mapping[str, str],
        log: Path,
        *,
        account: str | None = None,
        death_signal: str = "KILL",
    ) -> None:
        self.log = log
        self._has_ended = False
        with log.open("ab") as output:
            self._process = _spawner.submit(
                subprocess.Popen[bytes],
                [*become(account), "--pdeathsig", death_signal, *command],
                env=dict(environment),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                cwd=log.parent,
            ).result()

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def is_running(self) -> bool:
        return self._process.poll() is None

    def wait_until(self, condition: Callable[[], bool], what: str) -> None:
        """Wait for the condition, but no longer than the process lives."""

        def holds() -> bool:
            if not self.is_running:
                raise ServerError(f"{what}: it exited with {self._process.returncode}{_tail(self.log)}")
            return condition()

        wait_until(holds, what, log=self.log)

    def send(self, number: signal.Signals) -> None:
        """Send a signal to the server alone."""
        self._process.send_signal(number)

    def pause(self) -> None:
        """SIGSTOP the server, then its children; return once every thread stands still.

        A busy machine runs a server's threads on until the first of them comes to its signal.
        """
        self._signal_all(signal.SIGSTOP)
        if self.is_running:
            wait_until(self._stands_still, "every thread of the server is stopped", pause=0.001)

    def resume(self) -> None:
        """SIGCONT to all of them."""
        self._signal_all(signal.SIGCONT)

    def end(self, number: signal.Signals = signal.SIGKILL) -> int:
        """End the server, wait for it and return its exit code; what is left of its group is killed."""
        if self._has_ended:
            return self._process.returncode  # by now its number may be another process's
        self._has_ended = True
        if self.is_running:
            self._process.send_signal(number)
            self.resume()
        try:
            self._process.wait(PATIENCE_SECONDS)
        finally:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
        return self._process.returncode

    def _stands_still(self) -> bool:
        """Whether no thread runs (proc_pid_stat(5): T is stopped)."""
        stats = Path(f"/proc/{self._process.pid}/task").glob("*/stat")
        return all(stat.read_text().rpartition(")")[2].split()[0] in "TXZ" for stat in stats)

    def _signal_all(self, number: signal.Signals) -> None:
        if not self.is_running:
            return
        self._process.send_signal(number)
        pid = self._process.pid
        for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
            with suppress(ProcessLookupError):
                os.kill(int(child), number)


def _tail(log: Path | None) -> str:
    if log is None or not log.exists():
        return ""
    return "\n" + "\n".join(log.read_text(errors="replace").splitlines()[-20:])
