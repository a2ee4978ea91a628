"""Starts worker and shop as child processes, prints what there is to see, and stops them in order."""

import asyncio
import contextlib
import os
import signal
import socket
import sys
from asyncio.subprocess import Process
from collections.abc import Mapping
from typing import Any, Final

import aiohttp
from msgspec import Struct

from faultwire_shared.redact import redact_url
from faultwire_shared.text import printable

START_SECONDS: Final = 40.0
SHOP_SECONDS: Final = 6.0
WORKER_SECONDS: Final = 25.0
FIRST_INCIDENTS: Final = 12
_PACKAGE: Final = "faultwire_consumer"


class StageError(Exception):
    """The demonstration cannot go on; the text is one line."""

    def __init__(self, message: str, exit_code: int = 1) -> None:
        super().__init__(message)
        self.exit_code = exit_code


class Scene(Struct, frozen=True, kw_only=True):
    """The part of the worker's configuration that the demonstration needs."""

    broker_url: str | None
    database_url: str
    http_host: str
    http_port: int
    log_level: str


async def run(scene: Scene) -> int:
    """Run until SIGINT, SIGTERM or SIGHUP, or until a child ends on its own.

    Raises:
        StageError: the port is taken, or a child did not start.
    """
    stop = _stop_on_signals()
    port = _free_port(scene.http_host, scene.http_port)
    address = f"http://{_reachable(scene.http_host)}:{port}"
    worker = await _start("cli", "worker", environment=_worker_environment(scene, port))
    shop: Process | None = None
    try:
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=5)) as session:
            if not await _until_ready(session, address, worker, stop):
                return 0
            shop = await _start("demo.shop", environment=_shop_environment(scene, address))
            _announce(scene, address)
            await _show(session, address, (worker, shop), stop)
    finally:
        if shop is not None:
            await _end(shop, SHOP_SECONDS)
        await _end(worker, WORKER_SECONDS)
    _print("", "Drained; nothing is left running. The stored incidents are still there at the next start.")
    return 0


async def _start(module: str, *arguments: str, environment: Mapping[str, str]) -> Process:
    # A session of its own: Ctrl-C reaches only this process, which then ends the shop first.
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        f"{_PACKAGE}.demo.kept",
        f"{_PACKAGE}.{module}",
        *arguments,
        stdin=asyncio.subprocess.PIPE,
        start_new_session=True,
        env={**os.environ, **environment},
    )


def _worker_environment(scene: Scene, port: int) -> dict[str, str]:
    # By environment, never by arguments, which everybody can read.
    environment = {
        "FAULTWIRE_DATABASE_URL": scene.database_url,
        "FAULTWIRE_HTTP_HOST": scene.http_host,
        "FAULTWIRE_HTTP_PORT": str(port),
        "FAULTWIRE_LOG_LEVEL": "WARNING" if scene.log_level == "INFO" else scene.log_level,
    }
    return environment | ({"FAULTWIRE_BROKER_URL": scene.broker_url} if scene.broker_url else {})


def _shop_environment(scene: Scene, address: str) -> dict[str, str]:
    return {
        "FAULTWIRE_BROKER_URL": scene.broker_url or address,
        "FAULTWIRE_ENVIRONMENT": "demo",
        "FAULTWIRE_RELEASE": "1.4.2",
    }


async def _until_ready(
    session: aiohttp.ClientSession, address: str, worker: Process, stop: asyncio.Event
) -> bool:
    deadline = asyncio.get_running_loop().time() + START_SECONDS
    while not stop.is_set():
        if worker.returncode is not None:
            # The worker has said why on stderr.
            raise StageError("the worker did not start", worker.returncode)
        if await _get(session, f"{address}/readyz") is not None:
            return True
        if asyncio.get_running_loop().time() > deadline:
            raise StageError(
                f"the worker is not ready after {START_SECONDS:g} s; see {address}/readyz?verbose"
            )
        await _pause(stop, 0.2)
    return False


async def _show(
    session: aiohttp.ClientSession, address: str, children: tuple[Process, ...], stop: asyncio.Event
) -> None:
    """Print incidents as they appear, the first dozen; then wait for the end."""
    shown: set[str] = set()
    while not stop.is_set():
        for child in children:
            if child.returncode is not None:
                raise StageError(
                    f"a part of the demonstration ended on its own with exit code {child.returncode}"
                )
        if len(shown) < FIRST_INCIDENTS:
            page = await _get(session, f"{address}/api/v1/incidents?limit=100") or {"incidents": []}
            for incident in reversed(page["incidents"]):
                if incident["id"] not in shown and len(shown) < FIRST_INCIDENTS:
                    shown.add(incident["id"])
                    _print(_line(incident))
            if len(shown) >= FIRST_INCIDENTS:
                _print("", f"More at {address}/ and by: faultwire incidents list")
        await _pause(stop, 0.5)


async def _get(session: aiohttp.ClientSession, url: str) -> Any:
    """Return the document, or None if it is not available now."""
    try:
        async with session.get(url) as answer:
            return await answer.json() if answer.status == 200 else None
    except (aiohttp.ClientError, TimeoutError, OSError):
        return None


async def _pause(stop: asyncio.Event, seconds: float) -> None:
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(stop.wait(), seconds)


async def _end(child: Process, seconds: float) -> None:
    """Ask a child to end, and kill it if it does not."""
    if child.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            child.terminate()
    try:
        await asyncio.wait_for(child.wait(), seconds)
    except TimeoutError:
        child.kill()
        await child.wait()


def _announce(scene: Scene, address: str) -> None:
    by = redact_url(scene.broker_url) if scene.broker_url else "the worker's HTTP intake (no broker)"
    _print(
        "",
        f"  page    {address}/",
        f"  stored  {redact_url(scene.database_url)}",
        f"  events  by {by}",
        "",
        "  With RabbitMQ and PostgreSQL, nothing else changed:",
        "    make run BROKER_URL=amqp://user:password@host/ DATABASE_URL=postgresql://user:password@host/database",
        "",
        "  The shop is open. Ctrl-C closes it. Its first incidents:",
        "",
        f"  {'ID':8}{'SEVERITY':10}{'SERVICE':10}TITLE",
    )


def _line(incident: Mapping[str, Any]) -> str:
    title = printable(incident["title"])
    shown = title if len(title) <= 90 else f"{title[:89]}…"
    return f"  {incident['id']:8}{incident['severity']:10}{printable(incident['service']):10}{shown}"


def _print(*lines: str) -> None:
    sys.stdout.write("\n".join(lines) + "\n")
    sys.stdout.flush()


def _free_port(host: str, port: int) -> int:
    """Return the port to listen on; 0 becomes a free one.

    Raises:
        StageError: something already listens there.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host.strip("[]"), port))
        except OSError as error:
            raise StageError(
                f"cannot listen on {host}:{port}: {error.strerror}; choose another with --http-port"
            ) from None
        return int(probe.getsockname()[1])


def _reachable(host: str) -> str:
    """Return the name by which this machine reaches a server on that host."""
    if host in ("0.0.0.0", "::"):  # noqa: S104 - compared, not bound
        return "127.0.0.1"
    return f"[{host.strip('[]')}]" if ":" in host else host


def _stop_on_signals() -> asyncio.Event:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        loop.add_signal_handler(number, stop.set)
    return stop
