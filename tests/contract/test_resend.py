"""Notifications that an operator has sent again, on both databases: once, whole, and whatever stages say."""

from typing import Any

import pytest
from sqlalchemy import select
from tests.contract.test_dispatcher import Bench
from tests.tools.clock import FixedClock

from faultwire_consumer.actions.notifications import (
    AlertConflictError,
    AlertNotFoundError,
    resend_notification,
)
from faultwire_consumer.domain.incident import Verb
from faultwire_consumer.notify.sender import Permanent, SendReason, Transient
from faultwire_consumer.store.contract.store import Store
from faultwire_consumer.store.outbox.queries import list_attempts, list_stages
from faultwire_consumer.store.schema.notify import outbox

pytestmark = pytest.mark.may_block("a zone's file is read once")

REFUSED = Permanent(SendReason.GONE, "410 Gone")


@pytest.fixture
def bench(store: Store, clock: FixedClock) -> Bench:
    """One whose receiver refuses the first notification."""
    bench = Bench(store, clock)
    bench.sender.answers = [REFUSED]
    return bench


async def again(bench: Bench, alert_id: int = 1, **fields: Any) -> None:
    given: dict[str, Any] = {"receivers": ["log"], "actor": "ana", "now": bench.clock()}
    await resend_notification(bench.store, alert_id, **given | fields)


async def test_what_was_given_up_is_sent_again_under_the_same_key_with_its_trace(bench: Bench) -> None:
    await bench.occur("a")
    (key,) = await bench.turn()
    assert await bench.states() == [("given_up", "refused")]
    bench.clock.advance(60)
    await again(bench, note="the pager is back")
    assert await bench.states() == [("waiting", "resent")]
    assert await bench.turn() == [key]
    (row, *_) = await bench.rows()
    assert (row.state, row.attempts, row.resent_at) == ("sent", 2, bench.clock())
    assert [(one.number, one.outcome) for one in await list_attempts(bench.store, 1)] == [
        (1, "permanent"),
        (2, "sent"),
    ]
    last = (await list_stages(bench.store, 1))[-1]
    assert (last.stage, last.decision, last.reason) == ("resent", "resent", "resent")
    assert last.detail == "by ana: the pager is back"
    assert await bench.turn(10) == []


async def test_what_is_sent_again_at_last_starts_the_reminders_that_a_first_success_does(
    bench: Bench,
) -> None:
    await bench.occur("a")
    await bench.turn()
    await again(bench)
    await bench.turn()
    assert await bench.turn(3600) == ["critical:INC-1:1:reminder-1:log"]


async def test_what_was_sent_is_sent_again_and_reminds_no_more_than_before(bench: Bench) -> None:
    bench.sender.answers = []
    await bench.occur("a")
    (key,) = await bench.turn()
    await again(bench)
    assert await bench.turn() == [key]
    assert [row.idempotency_key for row in await bench.rows()] == [key, "critical:INC-1:1:reminder-1:log"]


async def test_no_stage_stops_what_somebody_asked_for_even_at_a_second_attempt(bench: Bench) -> None:
    await bench.occur("a")
    (key,) = await bench.turn()
    await bench.change(Verb.RESOLVE)
    await again(bench)
    bench.sender.answers = [Transient(SendReason.TIMEOUT)]
    assert await bench.turn() == [key]
    assert await bench.turn(5) == [key]
    assert (await bench.states())[0] == ("sent", None)


async def test_what_a_stage_stopped_goes_out_by_itself(bench: Bench) -> None:
    bench.sender.answers = []
    await bench.occur("a", severity="high")
    await bench.change(Verb.RESOLVE)
    await bench.turn(211)
    assert await bench.states() == [("stopped", "resolved")]
    await bench.occur("b", severity="high")
    await again(bench)
    assert await bench.turn() == ["high:INC-1:1:new:log"]
    assert len(bench.sender.received[0].incidents) == 1


async def test_the_day_after_which_it_is_given_up_begins_anew(bench: Bench) -> None:
    await bench.occur("a")
    await bench.turn()
    bench.clock.advance(3 * 86400)
    await again(bench)
    bench.sender.answers = [Transient(SendReason.TIMEOUT)]
    await bench.turn()
    assert (await bench.states())[0] == ("waiting", None)
    await bench.turn(5)
    assert (await bench.states())[0] == ("sent", None)


async def test_a_summary_is_sent_again_whole_and_what_it_carries_not_by_itself(bench: Bench) -> None:
    await bench.occur("a", severity="high")
    await bench.occur("b", severity="high")
    (key,) = await bench.turn(211)
    rows = await bench.rows()
    (carried,) = [row.id for row in rows if row.carrier_id is not None]
    (carrier,) = [row.id for row in rows if row.carrier_id is None]
    with pytest.raises(AlertConflictError, match=f"notification {carrier}"):
        await again(bench, carried)
    await again(bench, carrier)
    assert {state for state, _ in await bench.states()} == {"waiting", "carried"}
    assert await bench.turn() == [key]
    assert {one.title for one in bench.sender.received[-1].incidents} == {"a", "b"}
    assert {state for state, _ in await bench.states()} == {"sent"}


async def test_what_waits_is_unknown_or_has_no_receiver_is_refused_and_unchanged(bench: Bench) -> None:
    await bench.occur("a", severity="high")
    with pytest.raises(AlertConflictError, match="waiting"):
        await again(bench)
    with pytest.raises(AlertNotFoundError):
        await again(bench, 99)
    await bench.turn(211)
    with pytest.raises(AlertConflictError, match="no receiver"):
        await again(bench, receivers=["pager"])
    rows = await bench.store.read(select(outbox.c.state, outbox.c.resent_at))
    assert [tuple(row) for row in rows] == [("given_up", None)]
