"""``faultwire events import``: JSON lines through the intake of a worker, as if they were published again."""

import asyncio
import random
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from msgspec import Struct

from faultwire_consumer.cli.client import Client
from faultwire_consumer.cli.event_lines import EventLines, Line
from faultwire_consumer.cli.failure import FAILED, USAGE, CommandError
from faultwire_consumer.cli.option import OUTPUT, Output
from faultwire_consumer.cli.output import print_json, say
from faultwire_consumer.cli.progress import progress_bars

if TYPE_CHECKING:
    from aiohttp import ClientSession

_INTAKE: Final = "/ingest/v1/events?import"
_REQUESTS: Final = 4
_ATTEMPTS: Final = 12
_WAIT_SECONDS: Final = 15.0
_REQUEST_SECONDS: Final = 60
_TOLD: Final = 20
"""Lines that are named one by one."""
_KINDS: Final = {"stored": "stored", "duplicate": "duplicates", "accepted": "accepted"}


class Imported(Struct):
    """What became of the lines."""

    stored: int = 0
    duplicates: int = 0
    accepted: int = 0
    """Taken by a worker that passes them on to a broker: what becomes of them shows later."""
    dead_lettered: int = 0
    refused: int = 0


def import_(*files: Path, output: Output = OUTPUT) -> int:
    """Store the events of files with one JSON document a line, as `events export` writes them.

    An event that is stored already counts as a duplicate and changes nothing: what was interrupted is run
    again. Exit code 1 where a line was no event, or became a dead letter.

    Args:
        files: Also compressed by gzip; - is stdin.
    """
    if not files:
        raise CommandError("name the files, or - for stdin", USAGE)
    for path in files:
        if str(path) != "-" and not path.is_file():
            what = "a directory" if path.is_dir() else "not there"
            raise CommandError(f"{path} is {what}", USAGE)
    client = Client(output)
    client.get("livez")
    importer = _Importer(client.url, files)
    try:
        with progress_bars(output, unit="bytes") as bars:
            total = sum(path.stat().st_size for path in files if str(path) != "-")
            task = bars.add_task("import", total=total or None)
            asyncio.run(importer.run(lambda: bars.update(task, completed=importer.bytes_read)))
    except OSError as error:
        raise CommandError(f"{error}; {_spell(importer.result)} so far; run it again to go on") from None
    _report(importer, output)
    return FAILED if importer.result.refused or importer.result.dead_lettered else 0


def _report(importer: "_Importer", output: Output) -> None:
    result = importer.result
    for complaint in importer.complaints:
        say(complaint)
    if (more := result.refused + result.dead_lettered - len(importer.complaints)) > 0:
        say(f"and {more} more")
    if output.json or output.jsonl:
        print_json({name: getattr(result, name) for name in Imported.__struct_fields__})
    elif not output.quiet:
        say(_spell(result))


def _spell(result: Imported) -> str:
    counts = [(name, getattr(result, name)) for name in Imported.__struct_fields__]
    told = [
        f"{count} {name.replace('_', ' ')}"
        for name, count in counts
        if count or name in ("stored", "duplicates")
    ]
    return ", ".join(told)


class _Importer:
    """Sends portions, some at a time, and counts what became of their lines."""

    def __init__(self, url: str, files: Sequence[Path]) -> None:
        self.result = Imported()
        self.complaints: list[str] = []
        self._url = url + _INTAKE
        self._lines = EventLines(files, refuse=self._refuse)

    @property
    def bytes_read(self) -> int:
        return self._lines.bytes_read

    def _refuse(self, place: str, why: str) -> None:
        self.result.refused += 1
        self._complain(place, why)

    def _complain(self, place: str, why: str) -> None:
        if len(self.complaints) < _TOLD:
            self.complaints.append(f"{place}: {why}")

    async def run(self, tell: Any) -> None:
        """Send everything."""
        from aiohttp import ClientSession, ClientTimeout  # noqa: PLC0415 - for this command alone

        portions: asyncio.Queue[Sequence[Line] | None] = asyncio.Queue(_REQUESTS)
        try:
            async with (
                ClientSession(timeout=ClientTimeout(total=_REQUEST_SECONDS)) as session,
                asyncio.TaskGroup() as tasks,
            ):
                for _ in range(_REQUESTS):
                    tasks.create_task(self._send_all(portions, session))
                source = self._lines.portions()
                # In a thread: stdin may let us wait, and answers come meanwhile.
                while (portion := await asyncio.to_thread(next, source, None)) is not None:
                    await portions.put(portion)
                    tell()
                for _ in range(_REQUESTS):
                    await portions.put(None)
        except BaseExceptionGroup as group:
            raise group.exceptions[0] from None

    async def _send_all(
        self, portions: "asyncio.Queue[Sequence[Line] | None]", session: "ClientSession"
    ) -> None:
        while (portion := await portions.get()) is not None:
            await self._send(portion, session)

    async def _send(self, portion: Sequence[Line], session: "ClientSession") -> None:
        """Send a portion; one that the intake does not take goes in halves, down to the line."""
        status, answer = await self._post(portion, session)
        if status == 202:
            for line, result in zip(portion, answer["results"], strict=True):
                self._count(line, result)
        elif len(portion) == 1:
            told = answer.get("error", {}).get("message") if isinstance(answer, dict) else None
            self._refuse(portion[0].place, f"the worker answered {status}{f': {told}' if told else ''}")
        else:
            middle = len(portion) // 2
            await self._send(portion[:middle], session)
            await self._send(portion[middle:], session)

    def _count(self, line: Line, result: dict[str, Any]) -> None:
        kind = _KINDS.get(result["status"])
        if kind is not None:
            setattr(self.result, kind, getattr(self.result, kind) + 1)
            return
        self.result.dead_lettered += 1
        self._complain(line.place, f"a dead letter: {result.get('reason')}: {result.get('detail')}")

    async def _post(self, portion: Sequence[Line], session: "ClientSession") -> tuple[int, Any]:
        """Post a portion until the worker takes it or says that it never will.

        Raises:
            OSError: it took nothing for minutes.
        """
        from aiohttp import ClientError  # noqa: PLC0415 - as above

        body = b"[" + b",".join(line.body for line in portion) + b"]"
        headers = {"Content-Type": "application/json"}
        why = ""
        for attempt in range(_ATTEMPTS):
            asked: float | None = None
            try:
                async with session.post(self._url, data=body, headers=headers) as answer:
                    if answer.status < 500 and answer.status != 429:
                        return answer.status, await answer.json(content_type=None)
                    why, asked = (
                        f"the worker answered {answer.status}",
                        _seconds(answer.headers.get("Retry-After")),
                    )
            except (ClientError, TimeoutError, OSError) as error:
                why = f"no answer from the worker: {str(error) or type(error).__name__}"
            if attempt + 1 < _ATTEMPTS:
                await asyncio.sleep(_wait(attempt, asked))
        raise OSError(why)


def _wait(attempt: int, asked: float | None) -> float:
    """Seconds until the next attempt: what the worker asks for, else twice as long each time, with jitter."""
    longest = min(asked or 0.5 * 2**attempt, _WAIT_SECONDS)
    return longest * random.uniform(0.5, 1)  # noqa: S311 - no secret


def _seconds(header: str | None) -> float | None:
    return float(header) if header is not None and header.isascii() and header.isdigit() else None
