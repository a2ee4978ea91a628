"""A measured store times what is asked of it, and tells what failed and how."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import pytest
from prometheus_client import CollectorRegistry
from sqlalchemy import column, delete, insert, select, table, text, update

from faultwire_consumer.metrics.store import StoreMetrics
from faultwire_consumer.store.contract.store import (
    RowsRejectedError,
    StoreBusyError,
    StoreRefusedError,
    StoreSlowError,
    StoreUnavailableError,
)
from faultwire_consumer.store.measured import MeasuredStore

THING = table("thing", column("id"))


class Transaction:
    dialect = "sqlite"
    pile = None

    def __init__(self, store: "Fake") -> None:
        self.store = store

    async def execute(self, statement: object, parameters: object = None) -> list[Any]:
        self.store.now += 0.5
        return []


class Fake:
    """A store that takes a second to begin and two to commit, and fails as it is told to."""

    name = "sqlite"
    certificate_ends_at = None

    def __init__(self) -> None:
        self.now = 0.0
        self.error: Exception | None = None

    def clock(self) -> float:
        return self.now

    def connections(self) -> Mapping[str, int]:
        return {"in_use": 3, "idle": 9}

    @asynccontextmanager
    async def write(self) -> AsyncIterator[Transaction]:
        self.now += 1
        yield Transaction(self)
        self.now += 2
        if self.error is not None:
            raise self.error

    async def ping(self) -> None:
        if self.error is not None:
            raise self.error


class Scene:
    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.fake = Fake()
        metrics = StoreMetrics(self.registry)
        self.store = MeasuredStore(self.fake, metrics, clock=self.fake.clock)  # type: ignore[arg-type]  # of a store it has what is asked here

    def seconds(self, statement: str) -> float | None:
        labels = {"statement": statement}
        return self.registry.get_sample_value("faultwire_store_statement_seconds_sum", labels)

    def errors(self) -> dict[str, float]:
        return {
            sample.labels["class"]: sample.value
            for family in self.registry.collect()
            for sample in family.samples
            if sample.name == "faultwire_store_errors_total" and sample.value
        }

    @property
    def is_up(self) -> bool:
        return self.registry.get_sample_value("faultwire_store_up") == 1


@pytest.fixture
def scene() -> Scene:
    return Scene()


async def test_a_transaction_is_timed_by_its_parts(scene: Scene) -> None:
    async with scene.store.write() as tx:
        for statement in (
            select(THING),
            insert(THING),
            update(THING),
            delete(THING),
            text("x"),
            select(THING),
        ):
            await tx.execute(statement)
    assert scene.seconds("begin") == 1
    assert scene.seconds("commit") == 2
    assert scene.seconds("select") == 1
    assert [scene.seconds(one) for one in ("insert", "update", "delete", "other")] == [0.5] * 4
    assert (scene.errors(), scene.is_up) == ({}, True)


@pytest.mark.parametrize(
    ("error", "name", "is_up"),
    [
        (StoreBusyError("a lock"), "busy", True),
        (StoreSlowError("too many rows"), "slow", True),
        (RowsRejectedError("a null"), "rejected", True),
        (StoreRefusedError("no login"), "refused", False),
        (StoreUnavailableError("gone"), "unavailable", False),
    ],
)
async def test_an_error_is_counted_by_its_class_and_says_whether_the_database_answers(
    scene: Scene, error: Exception, name: str, is_up: bool
) -> None:
    scene.fake.error = error
    with pytest.raises(type(error)):
        async with scene.store.write():
            pass
    assert (scene.errors(), scene.is_up) == ({name: 1}, is_up)
    scene.fake.error = None
    await scene.store.ping()
    assert scene.is_up


async def test_what_fails_within_a_transaction_and_is_not_the_store_s_is_not_counted(scene: Scene) -> None:
    with pytest.raises(KeyError):
        async with scene.store.write():
            raise KeyError
    assert (scene.errors(), scene.is_up) == ({}, True)
    assert scene.seconds("commit") == 0


async def test_connections_are_shown_by_state(scene: Scene) -> None:
    await scene.store.show_connections()
    found = [
        scene.registry.get_sample_value("faultwire_store_connections", {"state": state})
        for state in ("idle", "in_use")
    ]
    assert found == [9, 3]
