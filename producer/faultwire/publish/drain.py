"""Publishing what dead processes left, without being one of their service: ``faultwire spool drain``."""

import asyncio
from collections.abc import Callable, Iterator
from typing import Final

from msgspec import Struct

from faultwire.publish.publisher import message_of
from faultwire.publish.transport import Busy, Refused, Transport
from faultwire.queue.adoption import AdoptedRow, Adopter
from faultwire.queue.directory import Lock, SpoolDirectory
from faultwire.queue.record import unpack
from faultwire.queue.ticket import SPOOLED, Ticket
from faultwire_shared.event import BATCH_BYTES, BATCH_EVENTS, ErrorSeverity

BUSY_ATTEMPTS: Final = 10
BUSY_SECONDS: Final = 1.0
RETRY_AFTER_MAXIMUM: Final = 30.0


class Drain(Struct):
    """What has become of the files so far."""

    files: int = 0
    """Files that are gone, or put aside because they were damaged."""
    published: int = 0
    refused: int = 0
    """Events that the other side will never take; they stay on disk, unless their file was damaged."""
    lost: int = 0
    """Events that damaged files had and could not give."""


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
        except Busy as error:
            await asyncio.sleep(min(error.after_seconds or BUSY_SECONDS, RETRY_AFTER_MAXIMUM))
        else:
            return
    await transport.publish(message_of(tickets))
