"""Puts events from files through the intake of a worker, as if they were published again."""

import asyncio
import random
import ssl
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from aiohttp import ClientError, ClientSession, ClientTimeout, TCPConnector
from msgspec import Struct

from faultwire_consumer.maintenance.event_lines import EventLines, ImportLine

INTAKE: Final = "/ingest/v1/events?import"
ATTEMPTS: Final = 12
COMPLAINTS: Final = 20
"""Lines that are named one by one."""
_REQUESTS: Final = 4
_DENIED: Final = (401, 403)
_WAIT_SECONDS: Final = 15.0
_TIMEOUT: Final = ClientTimeout(total=60)
_KINDS: Final = {"stored": "stored", "duplicate": "duplicates", "accepted": "accepted"}


class Imported(Struct):
    """Counts of the lines, by what became of them."""

    stored: int = 0
    duplicates: int = 0
    accepted: int = 0
    """Taken by a worker that passes them on to a broker: what becomes of them shows later."""
    dead_lettered: int = 0
    refused: int = 0


class _Answer(Struct, frozen=True):
    """The worker took the events, or never will."""

    status: int
    document: Any


class _Later(Struct, frozen=True):
    """The worker may take them later."""

    why: str
    seconds: float | None = None
    """When it asks to be asked again."""


class EventImport:
    """Sends portions, some at a time, and counts what became of their lines.

    Args:
        url: the worker's.
        files: what to read; ``-`` is stdin.
        headers: let the import in.
        trusted: who may vouch for the worker; None leaves it to this machine.
        sleep: waits between attempts.
        rng: spreads them.
    """

    def __init__(
        self,
        url: str,
        files: Sequence[Path],
        *,
        headers: Mapping[str, str] | None = None,
        trusted: ssl.SSLContext | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        rng: random.Random | None = None,
    ) -> None:
        self.result = Imported()
        self.complaints: list[str] = []
        """The first lines that were not taken, each with its place and why."""
        self._url = url + INTAKE
        self._trusted = trusted
        self._headers = {"Content-Type": "application/json", **(headers or {})}
        self._sleep = sleep
        self._rng = rng or random.Random()  # noqa: S311 - spreads waits, keeps no secret
        self._lines = EventLines(files, refuse=self._refuse)

    @property
    def bytes_read(self) -> int:
        """Of the files as they lie on the disk."""
        return self._lines.bytes_read

    def _refuse(self, place: str, why: str) -> None:
        self.result.refused += 1
        self._complain(place, why)

    def _complain(self, place: str, why: str) -> None:
        if len(self.complaints) < COMPLAINTS:
            self.complaints.append(f"{place}: {why}")

    async def run(self, tell: Callable[[], None]) -> None:
        """Send everything; ``tell`` after each portion that was read.

        Raises:
            OSError: a file cannot be read, or the worker took nothing for minutes; what was sent is counted.
        """
        portions: asyncio.Queue[Sequence[ImportLine] | None] = asyncio.Queue(_REQUESTS)
        try:
            async with (
                ClientSession(
                    headers=self._headers,
                    timeout=_TIMEOUT,
                    connector=TCPConnector(ssl=self._trusted) if self._trusted is not None else None,
                ) as session,
                asyncio.TaskGroup() as tasks,
            ):
                for _ in range(_REQUESTS):
                    tasks.create_task(self._send_all(portions, session))
                source = self._lines.portions()
                # In a thread: stdin may keep us waiting while answers come in.
                while (portion := await asyncio.to_thread(next, source, None)) is not None:
                    await portions.put(portion)
                    tell()
                for _ in range(_REQUESTS):
                    await portions.put(None)
        except BaseExceptionGroup as group:
            raise group.exceptions[0] from None

    async def _send_all(
        self, portions: asyncio.Queue[Sequence[ImportLine] | None], session: ClientSession
    ) -> None:
        while (portion := await portions.get()) is not None:
            await self._send(portion, session)

    async def _send(self, portion: Sequence[ImportLine], session: ClientSession) -> None:
        """Send a portion; one that the intake does not take goes in halves, down to the line."""
        answer = await self._post(portion, session)
        if answer.status == 202:
            for line, result in zip(portion, answer.document["results"], strict=True):
                self._count(line, result)
        elif len(portion) == 1:
            self._refuse(portion[0].place, f"the worker answered {answer.status}{_told(answer.document)}")
        else:
            middle = len(portion) // 2
            await self._send(portion[:middle], session)
            await self._send(portion[middle:], session)

    def _count(self, line: ImportLine, result: dict[str, Any]) -> None:
        kind = _KINDS.get(result["status"])
        if kind is not None:
            setattr(self.result, kind, getattr(self.result, kind) + 1)
            return
        self.result.dead_lettered += 1
        self._complain(line.place, f"a dead letter: {result.get('reason')}: {result.get('detail')}")

    async def _post(self, portion: Sequence[ImportLine], session: ClientSession) -> _Answer:
        """Post a portion until the worker takes it or says that it never will.

        Raises:
            OSError: it took nothing for minutes, or lets nobody in by this token.
        """
        body = b"[" + b",".join(line.body for line in portion) + b"]"
        why = ""
        for attempt in range(ATTEMPTS):
            answer = await _ask(self._url, body, session)
            if isinstance(answer, _Answer) and answer.status in _DENIED:
                raise PermissionError(f"the worker answered {answer.status}{_told(answer.document)}")
            if isinstance(answer, _Answer):
                return answer
            why = answer.why
            if attempt + 1 < ATTEMPTS:
                await self._sleep(self._wait(attempt, answer.seconds))
        raise OSError(why)

    def _wait(self, attempt: int, asked: float | None) -> float:
        """Seconds until the next attempt: as the worker asks, else twice as long each time, with jitter."""
        longest = min(asked or 0.5 * 2**attempt, _WAIT_SECONDS)
        return longest * self._rng.uniform(0.5, 1)


async def _ask(url: str, body: bytes, session: ClientSession) -> _Answer | _Later:
    try:
        async with session.post(url, data=body, allow_redirects=False) as answer:
            if answer.status < 500 and answer.status != 429:
                return _Answer(answer.status, await answer.json(content_type=None))
            return _Later(f"the worker answered {answer.status}", _seconds(answer.headers.get("Retry-After")))
    except (ClientError, TimeoutError, OSError) as error:
        return _Later(f"no answer from the worker: {str(error) or type(error).__name__}")


def _told(document: Any) -> str:
    error = document.get("error") if isinstance(document, dict) else None
    message = error.get("message") if isinstance(error, dict) else None
    return f": {message}" if message else ""


def _seconds(header: str | None) -> float | None:
    return float(header) if header is not None and header.isascii() and header.isdigit() else None
