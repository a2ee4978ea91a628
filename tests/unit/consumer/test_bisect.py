"""What does not get through whole goes in halves, and no longer than that can help."""

from collections.abc import Callable, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from faultwire_consumer.domain.outcome import DeadLettered, Outcome, Retry, Stored, StoreReason
from faultwire_consumer.ingest.bisect import SLOW_HALVINGS, TRIES, BisectingStore
from faultwire_consumer.store.contract.store import (
    RowsRejectedError,
    StoreBusyError,
    StoreSlowError,
    StoreUnavailableError,
)

Trouble = Callable[[Sequence[str]], Exception | None]


class Scene:
    """A store that meets trouble; what it tried and what it keeps."""

    def __init__(self, trouble: Trouble) -> None:
        self.trouble = trouble
        self.tried: list[int] = []
        self.kept: list[str] = []
        self.slept: list[float] = []
        self.bisecting: BisectingStore[str] = BisectingStore(self.store, self.reject, sleep=self.sleep)

    async def store(self, items: Sequence[str]) -> list[Outcome]:
        self.tried.append(len(items))
        if (error := self.trouble(items)) is not None:
            raise error
        self.kept += items
        return [outcome_of(item) for item in items]

    def reject(self, item: str, why: str) -> str | None:
        return None if item.startswith("letter") else f"letter of {item}"

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)


def outcome_of(item: str) -> Outcome:
    if item.startswith("letter of "):
        return DeadLettered(StoreReason.REJECTED_BY_STORE, "", item.removeprefix("letter of "))
    return Stored(item)


def refuses(*bad: str) -> Trouble:
    return lambda items: RowsRejectedError("refused") if set(bad) & set(items) else None


def slow_above(most: int) -> Trouble:
    return lambda items: StoreSlowError("57014") if len(items) > most else None


def events(count: int) -> list[str]:
    return [f"e{number}" for number in range(count)]


async def test_an_item_that_brings_out_a_mistake_is_rejected_alone() -> None:
    scene = Scene(lambda items: OverflowError("too large") if "e3" in items else None)
    with capture_logs() as logs:
        outcomes = await scene.bisecting.store(events(10))
    assert [line["event"] for line in logs] == ["ingest.failed"], "once for the batch"
    assert [type(one) for one in outcomes] == [Stored] * 3 + [DeadLettered] + [Stored] * 6
    assert "letter of e3" in scene.kept


@given(st.integers(1, 60), st.sets(st.integers(0, 59)))
async def test_what_is_refused_stands_alone_and_every_outcome_is_in_its_place(
    count: int, bad: set[int]
) -> None:
    scene = Scene(refuses(*(f"e{number}" for number in bad)))
    outcomes = await scene.bisecting.store(events(count))
    for number, outcome in enumerate(outcomes):
        wanted = outcome_of(f"letter of e{number}" if number in bad else f"e{number}")
        assert outcome == wanted
    assert len(scene.kept) == count


async def test_one_bad_event_in_two_hundred_costs_a_handful_of_transactions() -> None:
    scene = Scene(refuses("e77"))
    await scene.bisecting.store(events(200))
    assert len(scene.tried) <= 2 * 8 + 2


async def test_an_item_whose_dead_letter_is_refused_too_goes_back_and_its_neighbours_do_not() -> None:
    scene = Scene(refuses("e1", "letter of e1"))
    outcomes = await scene.bisecting.store(events(3))
    assert [type(one) for one in outcomes] == [Stored, Retry, Stored]


async def test_a_store_that_goes_in_the_middle_is_not_asked_for_the_rest() -> None:
    def trouble(items: Sequence[str]) -> Exception | None:
        if "e60" in items and len(items) > 1:
            return RowsRejectedError("refused")
        return StoreUnavailableError("gone") if scene.kept else None

    scene = Scene(trouble)
    outcomes = await scene.bisecting.store(events(64))
    assert [type(one) for one in outcomes] == [Stored] * 32 + [Retry] * 32
    assert scene.tried == [64, 32, 32, 16]


async def test_what_is_busy_is_tried_again_and_not_for_ever() -> None:
    scene = Scene(lambda _: StoreBusyError("deadlock") if len(scene.tried) < TRIES else None)
    assert await scene.bisecting.store(["e0"]) == [Stored("e0")]
    assert len(scene.slept) == TRIES - 1
    scene = Scene(lambda _: StoreBusyError("deadlock"))
    assert await scene.bisecting.store(["e0", "e1"]) == [Retry("deadlock")] * 2
    assert scene.tried == [2] * TRIES


@pytest.mark.line(22)
async def test_what_is_too_slow_goes_in_halves_and_the_size_that_went_is_remembered() -> None:
    scene = Scene(slow_above(60))
    assert await scene.bisecting.store(events(200)) == [Stored(one) for one in events(200)]
    assert scene.tried == [200, 100, 50, 50, 50, 50]
    scene.tried.clear()
    await scene.bisecting.store(events(100))
    assert scene.tried == [50, 50]


async def test_a_size_that_went_grows_again_by_little() -> None:
    scene = Scene(slow_above(100))
    await scene.bisecting.store(events(200))
    scene.trouble = lambda _: None
    for _ in range(40):
        await scene.bisecting.store(events(400))
    assert scene.tried[-1] == 400


async def test_a_store_that_is_slow_whatever_the_size_is_soon_given_up() -> None:
    scene = Scene(slow_above(0))
    assert await scene.bisecting.store(events(500)) == [Retry("57014")] * 500
    assert len(scene.tried) == SLOW_HALVINGS + 1


async def test_a_batch_that_was_given_up_as_too_slow_is_tried_smaller_the_next_time() -> None:
    scene = Scene(slow_above(3))
    rounds = 0
    while any(isinstance(one, Retry) for one in await scene.bisecting.store(events(500))):
        rounds += 1
        assert rounds < 5
    assert set(scene.kept) == set(events(500))
