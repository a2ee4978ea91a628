"""Bodies made to hurt: each is answered, the worker lives, and its memory stays within a bound."""

import asyncio
import gzip
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final

import pytest
from aiohttp import ClientSession, ClientTimeout
from tests.tools.gateway_bench import issue
from tests.tools.opening import open_current
from tests.tools.traffic import KEY
from tests.tools.worker_process import WorkerProcess

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

MORE_KIB: Final = 100 * 1024
"""The most that bombs may cost; several come at the same time."""
AT_ONCE: Final = 4
ENVELOPE: Final = f"/api/1/envelope/?sentry_key={KEY}"
STORE: Final = f"/api/1/store/?sentry_key={KEY}"
LOGS: Final = "/v1/logs"
GZIP: Final = {"Content-Encoding": "gzip"}
JSON: Final = {"Content-Type": "application/json"}


def zeros(mebibytes: int, start: bytes = b"") -> bytes:
    """So many MiB of one byte, packed a thousand times smaller."""
    return gzip.compress(start + b"0" * (mebibytes << 20), 9)


def item(payload: bytes, header: bytes = b'{"type":"event"}') -> bytes:
    return b"{}\n" + header + b"\n" + payload


def bombs() -> dict[str, tuple[str, bytes, dict[str, str]]]:
    """By what they are about. Packing them takes ten seconds: not while the tests are collected."""
    return {
        "a gigabyte of gzip": (ENVELOPE, zeros(1024), GZIP),
        "a gigabyte in one item": (ENVELOPE, zeros(1024, item(b"")), GZIP),
        "90 MiB in one item": (ENVELOPE, zeros(90, item(b"")), GZIP),
        "a gigabyte to store": (STORE, zeros(1024), GZIP),
        "a gigabyte of records": (LOGS, zeros(1024), GZIP | JSON),
        "15 MiB of empty lists": (
            LOGS,
            gzip.compress(b'{"resourceLogs":[' + b"[]," * (5 << 20) + b"[]]}"),
            GZIP | JSON,
        ),
        "100,000 items": (ENVELOPE, b"{}\n" + b'{"type":"event"}\n{}\n' * 100_000, {}),
        "a header of 10 MB": (ENVELOPE, b'{"x":"' + b"x" * 10_000_000 + b'"}\n', {}),
        "an item's header of 10 MB": (ENVELOPE, b'{}\n{"x":"' + b"x" * 10_000_000 + b'"}\n', {}),
        "depth 10,000": (ENVELOPE, item(b'{"extra":' + b"[" * 10_000 + b"]" * 10_000 + b"}"), {}),
        "10,000 frames": (
            ENVELOPE,
            item(
                b'{"exception":{"values":[{"type":"E","value":"v","stacktrace":{"frames":['
                + b",".join([b'{"filename":"a.py","function":"f","lineno":1}'] * 10_000)
                + b"]}}]}}"
            ),
            {},
        ),
        "a key of a megabyte": (ENVELOPE, item(b'{"extra":{"' + b"k" * 1_000_000 + b'":1}}'), {}),
        "keys that repeat": (ENVELOPE, item(b"{" + b'"message":"x",' * 50_000 + b'"message":"y"}'), {}),
        "a length of 2^63": (ENVELOPE, item(b"{}", b'{"type":"event","length":9223372036854775808}'), {}),
        "a length that is no integer": (ENVELOPE, item(b"{}", b'{"type":"event","length":1e999}'), {}),
    }


async def test_bombs_are_answered_and_cost_little_memory(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'faultwire.db'}"
    await (await open_current(url)).close()
    await issue(url)
    worker = WorkerProcess(tmp_path, database_url=url)
    await worker.start()
    try:
        async with ClientSession(timeout=ClientTimeout(total=120)) as session:
            pid = worker._worker.process.pid
            await post(session, worker.url, ENVELOPE, item(b'{"message":"warm"}'), {})
            await post(session, worker.url, LOGS, b"{}", JSON)
            before = peak_kib(pid)
            for about, (path, body, headers) in (await asyncio.to_thread(bombs)).items():
                answers = await asyncio.gather(
                    *(post(session, worker.url, path, body, headers) for _ in range(AT_ONCE))
                )
                assert all(200 <= status < 500 or status == 503 for status in answers), (about, answers)
                assert peak_kib(pid) - before < MORE_KIB, about
            assert await post(session, worker.url, ENVELOPE, item(b'{"message":"after"}'), {}) == 200
        assert (await worker.get("/readyz"))[0] == 200
    finally:
        await worker.end()


async def post(session: ClientSession, url: str, path: str, body: bytes, headers: dict[str, str]) -> int:
    """The answer's status; 413 where the connection ended before so much was sent."""

    async def pieces() -> AsyncIterator[bytes]:
        for start in range(0, len(body), 1 << 16):
            yield body[start : start + (1 << 16)]

    try:
        async with session.post(url + path, data=pieces(), headers=headers) as answer:
            await answer.read()
            return answer.status
    except OSError:
        return 413


def peak_kib(pid: int) -> int:
    """The most memory that a process ever had."""
    found = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text(encoding="utf-8"))
    assert found is not None
    return int(found[1])
