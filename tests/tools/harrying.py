"""Harries a host in a process of its own, and judges what it felt."""

import asyncio
import json
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Final

from tests.servers.rabbitmq import PrivateRabbitMQ
from tests.servers.worker import clean_environment
from tests.tools import harried

CALLS: Final = 10_000
GROWTH_MIB: Final = 32
SMALL_DISK_BYTES: Final = 256 * 1024

Felt = dict[str, Any]
Harm = Callable[[], Awaitable[None]]


async def harry(
    url: str, home: Path, harm: Harm | None = None, *, disk_bytes: int | None = None, calls: int = CALLS
) -> Felt:
    """Run the host; do harm when its manager has started."""
    arguments = [url, str(home / "spool"), str(calls), *([str(disk_bytes)] if disk_bytes else [])]
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        harried.__file__,
        *arguments,
        env=clean_environment(home),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        line = await process.stdout.readline()
        if line == b"ready\n" and harm is not None:
            await harm()
        output, complaints = await process.communicate(b"go\n")
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert process.returncode == 0, complaints.decode()
    felt: Felt = json.loads(output)
    print({name: round(value, 2) if isinstance(value, float) else value for name, value in felt.items()})
    return felt


def assert_unhurt(felt: Felt, calls: int = CALLS) -> None:
    """Nothing raised, nothing unaccounted for, and memory within its bound."""
    assert felt["mistakes"] == []
    assert felt["handled"] == calls + harried.WARM_UP
    kept = felt["confirmed"] + felt["spooled"] + felt["buffered"]
    assert kept + sum(felt["lost"].values()) == felt["handled"]
    assert felt["grown_mib"] < GROWTH_MIB


def harm_to(broker: PrivateRabbitMQ, kind: str) -> Harm:
    """``frozen`` stops the node's process, ``blocked`` lets it read nothing more from publishers."""

    async def freeze() -> None:
        await asyncio.to_thread(broker.pause)

    async def block() -> None:
        await broker.control("set_vm_memory_high_watermark", "absolute", "1")

    return {"frozen": freeze, "blocked": block}[kind]
