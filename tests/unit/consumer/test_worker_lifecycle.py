"""The end of a worker: the order of its parts, when it is told to, when a part dies, and when none begins."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Final

import pytest
from msgspec import structs
from structlog.testing import capture_logs
from tests.unit.consumer.worker_fakes import Life, Part, SkippingLoop

from faultwire_consumer.worker.lifecycle import DRAIN_SECONDS, chores_of, release

TURNS: Final = 50
"""More than any task here needs to get as far as it can."""
CHORES: Final = [
    "gap watch",
    "loop lag",
    "self report",
    "digest maker",
    "figures",
    "upkeep",
    "dispatcher",
    "partitions",
    "absence",
    "auto resolve",
    "retention",
    "search filler",
    "store size",
    "replica watch",
]


async def settle_down() -> None:
    for _ in range(TURNS):
        await asyncio.sleep(0)


def assert_in_order(diary: list[str], *entries: str) -> None:
    assert [entry for entry in diary if entry in entries] == list(entries)


async def test_every_part_runs_under_the_name_that_users_know_when_the_server_listens() -> None:
    life = Life()
    running = life.begin()
    await settle_down()
    assert life.diary[:2] == ["self report begins", "server starts"]
    assert set(life.diary[2:]) == {f"{name} runs" for name in ["receiver", "lane", *CHORES]}
    assert {task.get_name() for task in asyncio.all_tasks()} >= {
        "receiver critical",
        "lane critical",
        *CHORES,
    }
    life.stop.set()
    await running


async def test_receivers_stop_then_lanes_end_then_connections_close_and_chores_come_last() -> None:
    life = Life()
    running = life.begin()
    await settle_down()
    before = len(life.diary)
    life.stop.set()
    await running
    ended = life.diary[before:]
    assert set(ended[:2]) == {"receiver stops", f"dispatcher drains {DRAIN_SECONDS:g} s"}
    assert ended[2:4] == ["lane ends", "receiver closes"]
    assert set(ended[4:-2]) == {"receiver ends", *(f"{name} is cancelled" for name in CHORES)}
    assert ended[-2:] == ["server ends", "self report publishes the rest"]


async def test_nothing_stops_before_it_was_heard_that_the_end_begins() -> None:
    life, heard = Life(), asyncio.Event()

    class Ending:
        async def begin(self) -> None:
            life.diary.append("the end begins")
            await heard.wait()

    life.worker = structs.replace(life.worker, ending=Ending())
    running = life.begin()
    await settle_down()
    life.stop.set()
    await settle_down()
    assert life.diary[-1] == "the end begins"
    heard.set()
    await running
    assert_in_order(life.diary, "the end begins", "receiver stops", "server ends")


async def test_while_a_lane_settles_its_receiver_keeps_the_connection_and_probes_are_answered() -> None:
    life = Life()
    life.lane.settled.clear()
    running = life.begin()
    await settle_down()
    before = len(life.diary)
    life.stop.set()
    await settle_down()
    assert set(life.diary[before:]) == {"receiver stops", f"dispatcher drains {DRAIN_SECONDS:g} s"}
    life.lane.settled.set()
    await running
    assert "lane ends" in life.diary


def test_a_lane_that_does_not_end_is_cancelled_after_the_time_to_drain_and_not_before() -> None:
    async def drain() -> tuple[Life, float]:
        life, now = Life(), asyncio.get_running_loop().time
        life.lane.settled.clear()
        running = life.begin()
        await settle_down()
        began = now()
        life.stop.set()
        await running
        return life, now() - began

    life, took = run_in_skipped_time(drain)
    assert DRAIN_SECONDS <= took < 2 * DRAIN_SECONDS
    assert_in_order(life.diary, "receiver stops", "receiver closes", "upkeep is cancelled", "server ends")
    assert_in_order(life.diary, "receiver stops", "lane is cancelled", "server ends")
    assert "lane ends" not in life.diary


@pytest.mark.parametrize(
    ("choose", "name"),
    [
        (lambda life: life.receiver, "receiver critical"),
    ],
)
async def test_a_part_that_dies_is_reported_and_ends_the_rest_at_once(
    choose: Callable[[Life], Part], name: str
) -> None:
    life = Life()
    running = life.begin()
    await settle_down()
    dying = choose(life)
    dying.die(RuntimeError("gone"))
    with pytest.raises(ExceptionGroup) as raised:
        await running
    assert raised.group_contains(RuntimeError, match="gone")
    parts = [life.receiver.name, life.lane.name, *CHORES]
    cancelled = {f"{one} is cancelled" for one in parts if one != dying.name}
    assert cancelled <= set(life.diary)
    assert_in_order(
        life.diary,
        f"self report is told that {name} died of RuntimeError('gone')",
        "upkeep is cancelled",
        "server ends",
        "self report publishes the rest",
    )
    assert "receiver stops" not in life.diary


async def test_a_part_that_dies_during_the_drain_ends_it() -> None:
    life = Life()
    life.lane.settled.clear()
    running = life.begin()
    await settle_down()
    life.stop.set()
    await settle_down()
    life.receiver.die(RuntimeError("gone"))
    with pytest.raises(ExceptionGroup):
        await running
    assert_in_order(life.diary, "receiver stops", "lane is cancelled", "server ends")
    assert "receiver closes" not in life.diary


async def test_a_part_that_ends_by_itself_begins_the_drain() -> None:
    life = Life()
    running = life.begin()
    await settle_down()
    life.upkeep.ended.set()
    await running
    assert_in_order(
        life.diary, "upkeep ends", "receiver stops", "lane ends", "receiver closes", "server ends"
    )


async def test_nothing_runs_where_the_address_cannot_be_listened_on() -> None:
    life = Life()
    life.server.error = OSError("address already in use")
    with pytest.raises(OSError, match="already in use"):
        await life.run()
    assert life.diary == ["self report begins", "server ends", "self report publishes the rest"]


def test_a_chore_that_fails_is_reported_and_begun_again_and_ends_nothing() -> None:
    async def fail() -> tuple[Life, float]:
        life, now = Life(), asyncio.get_running_loop().time
        running = life.begin()
        await settle_down()
        began = now()
        life.upkeep.die(RuntimeError("a row"))
        await asyncio.sleep(600)
        life.upkeep.error = None
        life.stop.set()
        await running
        return life, now() - began

    with capture_logs() as logs:
        life, _ = run_in_skipped_time(fail)
    assert {line["chore"] for line in logs if line["event"] == "chore.failed"} == {"upkeep"}
    told = life.diary.count("self report is told that upkeep goes on after RuntimeError('a row')")
    assert 9 < told < 600, "the wait grows to a minute at most"
    assert life.diary.count("upkeep runs") == told
    assert_in_order(life.diary, "lane ends", "server ends", "self report publishes the rest")


async def test_a_wait_for_the_signal_is_not_left_behind_by_a_part_that_dies() -> None:
    life = Life()
    running = life.begin()
    await settle_down()
    life.receiver.die(RuntimeError("gone"))
    with pytest.raises(ExceptionGroup):
        await running
    await settle_down()
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_every_connection_is_let_go_the_store_s_last() -> None:
    life = Life()
    await release(life.worker)
    assert life.diary == [
        "replica is let go",
        "ping is let go",
        "intake is let go",
        "first sender is let go",
        "second sender is let go",
        "store is let go",
    ]


async def test_a_connection_that_does_not_let_go_holds_no_other() -> None:
    life = Life()
    life.ping.error = RuntimeError("hangs on")
    life.senders[0].error = ConnectionError("broken")
    with pytest.raises(ExceptionGroup) as raised:
        await release(life.worker)
    assert raised.value.exceptions == (life.ping.error, life.senders[0].error)
    assert life.diary[-2:] == ["second sender is let go", "store is let go"]


async def test_what_is_not_configured_is_neither_run_nor_let_go() -> None:
    life = Life()
    alone = structs.replace(life.worker, replica=None, replica_watch=None, broker_ping=None, broker_door=None)
    assert list(chores_of(alone)) == CHORES[:-1]
    await release(alone)
    assert life.diary == ["first sender is let go", "second sender is let go", "store is let go"]


def run_in_skipped_time(work: Callable[[], Coroutine[Any, Any, tuple[Life, float]]]) -> tuple[Life, float]:
    with asyncio.Runner(loop_factory=SkippingLoop) as runner:
        return runner.run(work())
