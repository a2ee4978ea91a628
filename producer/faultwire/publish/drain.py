"""Publishing what dead processes left, without being one of their service: ``faultwire spool drain``."""

import asyncio
import os
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Final

from msgspec import Struct

from faultwire.options import scheme_of
from faultwire.process.private_directory import slug_of
from faultwire.publish.publisher import message_of
from faultwire.publish.spool_overview import orphans_of, services_in
from faultwire.publish.transport import Busy, Denied, Refused, Transport, TransportDown
from faultwire.publish.transport_choice import transport_for
from faultwire.queue.adoption import AdoptedRow, Adopter
from faultwire.queue.directory import Lock, SpoolDirectory
from faultwire.queue.record import unpack
from faultwire.queue.ticket import SPOOLED, Ticket
from faultwire_shared.event import BATCH_BYTES, BATCH_EVENTS, ErrorSeverity
from faultwire_shared.failure import ConfigurationError, UnavailableError
from faultwire_shared.tls.files import NO_FILES, TlsFiles

BUSY_ATTEMPTS: Final = 10
BUSY_SECONDS: Final = 1.0
RETRY_AFTER_MAXIMUM: Final = 30.0


class Drain(Struct):
    """The result for the files so far."""

    files: int = 0
    """Files that are gone, or put aside because they were damaged."""
    published: int = 0
    refused: int = 0
    """Events that the other side will never take; they stay on disk, unless their file was damaged."""
    lost: int = 0
    """Events that damaged files had and could not give."""


Tell = Callable[[str, int, int], None]
"""Is told a service, about how many of its events there are in all, and how many are published."""


class DrainStoppedError(UnavailableError):
    """The other side, or the disk, stopped a drain; the text says how far it got."""


async def drain_all(
    directories: Sequence[SpoolDirectory],
    url: str,
    *,
    service: str | None = None,
    token: str | os.PathLike[str] | None = None,
    tls: TlsFiles = NO_FILES,
    tell: Tell,
) -> Mapping[str, Drain]:
    """Publish what dead processes left, by service; those that live publish their own.

    Args:
        directories: where to look.
        url: where to publish to.
        service: leave other services' alone.
        token: is shown to a worker's intake.
        tls: the files that an encrypted address may need.
        tell: is told after each message.

    Raises:
        ConfigurationError: nothing can be published to that URL.
        DrainStoppedError: run it again to go on; what was published is gone from the disk.
    """
    try:
        scheme_of(url)
        make_transport = partial(transport_for, url, token=token, tls=tls)
        make_transport("")
    except ValueError as error:
        raise ConfigurationError(str(error)) from None
    wanted = None if service is None else slug_of(service)
    results: dict[str, Drain] = {}
    try:
        for directory in directories:
            for name in services_in(directory):
                if wanted in (None, name) and orphans_of(directory, name):
                    await _drain_service(
                        directory, name, make_transport(name), results.setdefault(name, Drain()), tell
                    )
    except (TransportDown, Busy, OSError, sqlite3.Error) as error:
        published = sum(result.published for result in results.values())
        raise DrainStoppedError(f"{error}; published {published}, the rest stays on disk") from None
    return results


async def _drain_service(
    directory: SpoolDirectory,
    service: str,
    make_transport: Callable[[], Transport] | None,
    result: Drain,
    tell: Tell,
) -> None:
    if make_transport is None:
        return
    left = sum(sum(entry.by_rank.values()) for entry in orphans_of(directory, service))
    total = result.published + left
    tell(service, total, result.published)
    transport = make_transport()
    await transport.open()
    try:
        await drain(
            directory,
            service,
            transport,
            result=result,
            tell=lambda: tell(service, total, result.published),
        )
    finally:
        await transport.aclose()


async def drain(
    directory: SpoolDirectory,
    service: str,
    transport: Transport,
    *,
    result: Drain,
    tell: Callable[[], None] = lambda: None,
) -> None:
    """Publish every file of the service that nobody owns, each under its lock; ``tell`` after each message.

    What was confirmed is deleted, so a drain that is interrupted or fails is simply run again: at most the
    events of the last chunk arrive twice, and the store knows them.

    Raises:
        TransportDown: the other side is gone.
        Busy: it took nothing for a while.
        OSError: a file cannot be read now.
        sqlite3.Error: the same.
    """
    for lock in directory.orphans(service):
        await _drain_file(directory, lock, transport, result, tell)


async def _drain_file(
    directory: SpoolDirectory, lock: Lock, transport: Transport, result: Drain, tell: Callable[[], None]
) -> None:
    adopter = Adopter(directory, lock)
    refused: set[Ticket] = set()
    try:
        while rows := adopter.read():
            tickets = dict(zip(map(_ticket, rows), rows, strict=True))
            for message in _messages(list(tickets)):
                refused.update(await _publish(transport, message))
                result.published += sum(ticket not in refused for ticket in message)
                tell()
            adopter.copied([row for ticket, row in tickets.items() if ticket not in refused])
    except BaseException:
        adopter.close()
        raise
    result.refused += len(refused)
    result.lost += adopter.missing
    if refused and not adopter.is_damaged:
        adopter.close()
        return
    adopter.finish()
    result.files += 1


def _ticket(row: AdoptedRow) -> Ticket:
    record = unpack(row.data)
    if record is None:
        raise ValueError("an adopter gives whole records")
    return Ticket(
        event_id=record.event_id,
        body=record.body,
        lane=ErrorSeverity.from_rank(row.rank).lane,
        rank=row.rank,
        routing_key=record.routing_key,
        state=SPOOLED,
    )


def _messages(tickets: list[Ticket]) -> Iterator[list[Ticket]]:
    """A lane a message, the most severe first, each within a batch's bounds."""
    tickets.sort(key=lambda ticket: -ticket.rank)
    batch: list[Ticket] = []
    size = 0
    for ticket in tickets:
        size += len(ticket.body) + 1
        if batch and (
            ticket.lane is not batch[0].lane or len(batch) == BATCH_EVENTS or size + 2 > BATCH_BYTES
        ):
            yield batch
            batch, size = [], len(ticket.body) + 1
        batch.append(ticket)
    if batch:
        yield batch


async def _publish(transport: Transport, tickets: list[Ticket]) -> list[Ticket]:
    """Publish as one message, halved until what is refused stands alone; the refused ones."""
    try:
        await _publish_patiently(transport, tickets)
    except Refused:
        if len(tickets) == 1:
            return tickets
        middle = len(tickets) // 2
        refused = await _publish(transport, tickets[:middle])
        return refused + await _publish(transport, tickets[middle:])
    return []


async def _publish_patiently(transport: Transport, tickets: list[Ticket]) -> None:
    for _ in range(BUSY_ATTEMPTS - 1):
        try:
            await transport.publish(message_of(tickets))
        except Denied:
            raise
        except Busy as error:
            await asyncio.sleep(min(error.after_seconds or BUSY_SECONDS, RETRY_AFTER_MAXIMUM))
        else:
            return
    await transport.publish(message_of(tickets))
