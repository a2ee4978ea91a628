"""What is kept before an answer: passed on within a second, else on disk, and passed on from there."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import msgspec
import pytest
from tests.tools import waiting

from faultwire.publish.transport import Busy, Outgoing, Refused
from faultwire.queue.file import REFUSALS, SpoolLimit
from faultwire_consumer.gateway.keeping import keeper as keeping
from faultwire_consumer.gateway.keeping.keeper import Keeper, Keeping
from faultwire_consumer.gateway.keeping.message import bundles_of, message_of, record_of
from faultwire_consumer.gateway.keeping.spool import GatewaySpool
from faultwire_consumer.gateway.reading import ReadEvent
from faultwire_consumer.metrics import Metrics
from faultwire_shared.event import ErrorSeverity, Sdk


class Broker:
    """Takes messages, refuses them, or says nothing, as it is told."""

    def __init__(self) -> None:
        self.taken: list[str] = []
        self.is_away = self.is_silent = False
        self.unwanted: set[str] = set()
        self.asked = 0
        self.refused: list[str] = []

    async def publish(self, message: Outgoing) -> None:
        self.asked += 1
        body = msgspec.json.decode(message.body)
        ids = [one["id"] for one in (body if isinstance(body, list) else [body])]
        if self.is_silent:
            await asyncio.Event().wait()
        if self.is_away:
            raise Busy("away")
        if self.unwanted & set(ids):
            self.refused += ids
            raise Refused("unwanted")
        self.taken += ids


def read_event(
    number: int, severity: ErrorSeverity = ErrorSeverity.HIGH, *, service: str = "shop", text: str = ""
) -> ReadEvent:
    event_id = f"error_20260801_{number:032x}"
    body = msgspec.json.encode({"id": event_id, "service": service, "category": "external", "message": text})
    return ReadEvent(id=event_id, severity=severity, body=body, sdk=Sdk())


@asynccontextmanager
async def a_keeper(path: Path, broker: Broker, *, limit: SpoolLimit | None = None) -> AsyncIterator[Keeper]:
    spool = GatewaySpool(str(path), limit or SpoolLimit())
    keeper = Keeper(broker.publish, spool, metrics=Metrics())
    try:
        yield keeper
    finally:
        await keeper.aclose()


@asynccontextmanager
async def passing_on(keeper: Keeper) -> AsyncIterator[None]:
    running = asyncio.create_task(keeper.run())
    try:
        yield
    finally:
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running


async def until(condition: Callable[[], bool]) -> None:
    async def holds() -> bool:
        return condition()

    await waiting.until(holds, "passed on")


def ids(*events: ReadEvent) -> list[str]:
    return [event.id for event in events]


def test_events_share_a_message_with_those_of_their_service_and_lane_alone() -> None:
    given = [
        read_event(1),
        read_event(2, ErrorSeverity.CRITICAL),
        read_event(3),
        read_event(4, service="billing"),
        read_event(5, ErrorSeverity.LOW),
        read_event(6, ErrorSeverity.MEDIUM),
    ]
    messages = [message_of(bundle) for bundle in bundles_of(map(record_of, given))]
    assert [message.routing_key for message in messages] == [
        "event.high.external.shop",
        "event.critical.external.shop",
        "event.high.external.billing",
        "event.medium.external.shop",
    ]
    assert [message.event_id for message in messages] == [None, given[1].id, given[3].id, None]


def test_a_message_stays_within_the_bounds_of_a_batch() -> None:
    many = [read_event(number) for number in range(120)]
    large = [read_event(number, text="x" * 50_000) for number in range(5)]
    assert [len(bundle) for bundle in bundles_of(map(record_of, many))] == [50, 50, 20]
    assert [len(bundle) for bundle in bundles_of(map(record_of, large))] == [2, 2, 1]


async def test_what_the_broker_confirms_never_touches_the_disk(tmp_path: Path) -> None:
    broker = Broker()
    async with a_keeper(tmp_path / "spool", broker) as keeper:
        assert await keeper.keep([read_event(1)]) is Keeping.PASSED_ON
        assert await keeper.keep([]) is Keeping.PASSED_ON
    assert broker.taken == ids(read_event(1))
    assert not (tmp_path / "spool").exists()


async def test_what_nobody_takes_is_on_disk_and_is_passed_on_the_most_severe_first(tmp_path: Path) -> None:
    broker = Broker()
    broker.is_away = True
    low, high, critical = (
        read_event(number, severity)
        for number, severity in enumerate(
            (ErrorSeverity.LOW, ErrorSeverity.HIGH, ErrorSeverity.CRITICAL), start=1
        )
    )
    async with a_keeper(tmp_path / "spool", broker) as keeper:
        for event in (low, high, critical):
            assert await keeper.keep([event]) is Keeping.SPOOLED
        broker.is_away = False
        async with passing_on(keeper):
            await until(lambda: not keeper.spool.waiting)
        assert broker.taken == ids(critical, high, low)
    assert not list((tmp_path / "spool").iterdir())


async def test_a_silent_broker_costs_one_wait_and_the_next_events_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keeping, "CONFIRM_SECONDS", 0.05)
    monkeypatch.setattr(keeping, "SHUT_SECONDS", 60.0)
    broker = Broker()
    broker.is_silent = True
    async with a_keeper(tmp_path / "spool", broker) as keeper:
        assert await keeper.keep([read_event(1)]) is Keeping.SPOOLED
        assert await keeper.keep([read_event(2)]) is Keeping.SPOOLED
        assert broker.asked == 1
        assert await keeper.keep([read_event(3, ErrorSeverity.CRITICAL)]) is Keeping.SPOOLED
        assert broker.asked == 2


async def test_a_confirm_that_comes_late_costs_a_second_message_and_loses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keeping, "CONFIRM_SECONDS", 0.05)
    may_answer, taken = asyncio.Event(), list[str]()

    async def publish(message: Outgoing) -> None:
        await may_answer.wait()
        taken.append(message.event_id or "")

    spool = GatewaySpool(str(tmp_path / "spool"), SpoolLimit())
    keeper = Keeper(publish, spool, metrics=Metrics())
    assert await keeper.keep([read_event(1)]) is Keeping.SPOOLED
    may_answer.set()
    async with passing_on(keeper):
        await until(lambda: not spool.waiting and len(taken) == 2)
    assert taken == ids(read_event(1), read_event(1))
    await keeper.aclose()


async def test_a_full_spool_takes_nothing_and_evicts_nothing(tmp_path: Path) -> None:
    broker = Broker()
    broker.is_away = True
    async with a_keeper(tmp_path / "spool", broker, limit=SpoolLimit(rows=2)) as keeper:
        first, second = read_event(1, ErrorSeverity.LOW), read_event(2, ErrorSeverity.LOW)
        assert await keeper.keep([first]) is Keeping.SPOOLED
        assert await keeper.keep([read_event(3), read_event(4)]) is Keeping.FULL
        assert await keeper.keep([second]) is Keeping.SPOOLED
        assert await keeper.keep([read_event(5, ErrorSeverity.CRITICAL)]) is Keeping.FULL
        broker.is_away = False
        async with passing_on(keeper):
            await until(lambda: not keeper.spool.waiting)
    assert broker.taken == ids(first, second)


async def test_a_directory_that_cannot_be_written_is_told_and_takes_nothing(tmp_path: Path) -> None:
    broker = Broker()
    broker.is_away = True
    (tmp_path / "file").write_text("not a directory")
    async with a_keeper(tmp_path / "file" / "spool", broker) as keeper:
        assert await keeper.keep([read_event(1)]) is Keeping.FULL
        assert "Not a directory" in keeper.spool.why_unavailable


async def test_requests_at_the_same_time_share_a_commit(tmp_path: Path) -> None:
    broker = Broker()
    broker.is_away = True
    async with a_keeper(tmp_path / "spool", broker) as keeper:
        kept = await asyncio.gather(*(keeper.keep([read_event(number)]) for number in range(200)))
        assert set(kept) == {Keeping.SPOOLED}
        assert keeper.spool.waiting == 200


async def test_the_heir_of_a_gateway_passes_on_what_it_had(tmp_path: Path) -> None:
    broker = Broker()
    broker.is_away = True
    events = [read_event(number) for number in range(3)]
    async with a_keeper(tmp_path / "spool", broker) as keeper:
        await keeper.keep(events)
    broker.is_away = False
    async with a_keeper(tmp_path / "spool", broker) as heir, passing_on(heir):
        await until(lambda: len(broker.taken) == len(events))
        await until(lambda: not heir.spool.waiting)
        await until(lambda: len(files_in(tmp_path / "spool")) == 1)  # what was inherited is removed
    assert broker.taken == ids(*events)
    assert not list((tmp_path / "spool").iterdir())


async def test_an_event_that_the_broker_never_takes_holds_up_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keeping, "DRAIN_SECONDS", (0.001, 0.002))
    broker = Broker()
    broker.is_away = True
    unwanted, wanted = read_event(1), read_event(2)
    async with a_keeper(tmp_path / "spool", broker) as keeper:
        await keeper.keep([unwanted, wanted])
        broker.is_away, broker.unwanted = False, {unwanted.id}
        async with passing_on(keeper):
            await until(lambda: broker.taken == ids(wanted))
            await until(lambda: broker.refused.count(unwanted.id) > REFUSALS)
    assert rows_in(tmp_path / "spool") == [(REFUSALS,)]


async def test_a_damaged_file_is_put_aside_and_what_can_be_read_of_it_is_passed_on(tmp_path: Path) -> None:
    broker = Broker()
    broker.is_away = True
    async with a_keeper(tmp_path / "spool", broker) as keeper:
        events = [read_event(number) for number in range(50)]
        await keeper.keep(events)
    (file,) = (tmp_path / "spool").glob("*.db")
    content = bytearray(file.read_bytes())
    content[0:16] = b"not a database!!"
    file.write_bytes(content)
    broker.is_away = False
    async with a_keeper(tmp_path / "spool", broker) as heir, passing_on(heir):
        await until(lambda: set(broker.taken) == set(ids(*events)))


def files_in(directory: Path) -> list[Path]:
    """Return the spools of a directory."""
    return list(directory.glob("*.db"))


def rows_in(directory: Path) -> list[tuple[int]]:
    (file,) = directory.glob("*.db")
    connection = sqlite3.connect(file)
    try:
        return list(connection.execute("SELECT refusals FROM events"))
    finally:
        connection.close()
