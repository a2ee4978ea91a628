"""What this release's grouping would make of stored events, over both databases."""

import pytest
from sqlalchemy import select, update
from tests.contract.api.conftest import Site

from faultwire_consumer.domain.grouping import version_1
from faultwire_consumer.ingest.read import grouping
from faultwire_consumer.store.schema.events import events, fingerprints

REGROUP = "/api/v1/events/regroup"


async def test_what_was_grouped_by_this_release_stays_where_it_is(site: Site) -> None:
    for kind in ("KeyError", "ValueError", "KeyError"):
        await site.send(kind=kind, scrubbed=True)
    status, page = await site.get(REGROUP)
    assert (status, page["events"], page["left_out"], page["unreadable"]) == (200, 3, 0, 0)
    assert sorted(move["events"] for move in page["moves"]) == [1, 2]
    for move in page["moves"]:
        assert move["fingerprint"] == move["new_fingerprint"]
        assert move["incident_id"] == move["new_incident_id"]


async def test_an_event_that_another_algorithm_put_elsewhere_would_move(site: Site) -> None:
    first = await site.send(kind="KeyError", scrubbed=True)
    other = await site.send(kind="ValueError", scrubbed=True)
    wrong = select(events.c.fingerprint).where(events.c.event_id == first.id).scalar_subquery()
    async with site.store.write() as tx:
        await tx.execute(update(events).where(events.c.event_id == other.id).values(fingerprint=wrong))
    _, page = await site.get(REGROUP)
    moves = {move["example"]: move for move in page["moves"]}
    assert moves[first.id]["new_incident_id"] == "INC-1"
    assert (moves[other.id]["incident_id"], moves[other.id]["new_incident_id"]) == ("INC-1", "INC-2")
    assert moves[other.id]["title"] == "ValueError: bad"


async def test_a_group_that_nobody_knows_yet_has_no_incident(site: Site) -> None:
    await site.send(kind="KeyError", scrubbed=True)
    async with site.store.write() as tx:
        await tx.execute(update(fingerprints).values(fingerprint=b"0123456789abcdef"))
        await tx.execute(update(events).values(fingerprint=b"0123456789abcdef"))
    _, page = await site.get(REGROUP)
    (move,) = page["moves"]
    assert (move["fingerprint"], move["new_incident_id"]) == (b"0123456789abcdef".hex(), None)


async def test_what_cannot_be_seen_is_counted(site: Site) -> None:
    sent = [await site.send(kind="KeyError", scrubbed=True) for _ in range(3)]
    async with site.store.write() as tx:
        for event, body in ((sent[0], None), (sent[1], b'{"schema_version": 7}')):
            await tx.execute(update(events).where(events.c.event_id == event.id).values(doc=body))
    _, page = await site.get(f"{REGROUP}?service=billing")
    assert (page["events"], page["left_out"], page["unreadable"]) == (1, 1, 1)


async def test_what_the_version_before_grouped_goes_on_in_its_incident(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as earlier_release:
        earlier_release.setattr(grouping, "compute", version_1.compute)
        await site.send(kind="KeyError", scrubbed=True)
    _, page = await site.get(REGROUP)
    (move,) = page["moves"]
    assert move["fingerprint"] != move["new_fingerprint"]
    assert (page["version"], move["incident_id"], move["new_incident_id"]) == (2, "INC-1", "INC-1")
