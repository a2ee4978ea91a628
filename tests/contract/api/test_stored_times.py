"""Stored times that Python's calendar does not hold: every list stays readable."""

import pytest
from sqlalchemy import text
from tests.contract.api.conftest import Site
from tests.tools.recording import RecordingSender

from faultwire_consumer.metrics import Metrics
from faultwire_consumer.notify.dispatcher import Dispatcher

_TIMES = {
    "incidents": ("first_seen_at", "last_seen_at"),
    "events": ("occurred_at", "received_at"),
    "producers": ("started_at", "first_seen_at", "last_seen_at"),
    "dead_letters": ("first_seen_at", "last_seen_at"),
    "outbox": ("created_at", "attempted_at"),
}
_BEYOND = {"postgresql": ("'-infinity'", "'infinity'"), "sqlite": (f"{-(2**62)}", f"{2**62}")}
_LISTS = ("incidents", "events", "producers", "dead-letters", "alerts")


@pytest.mark.parametrize("end", [0, 1])
async def test_every_list_and_page_shows_a_row_with_a_time_beyond_the_calendar(site: Site, end: int) -> None:
    event = await site.send(severity="critical", producer_id="p1", sequence=1)
    await site.send_body(b"{")
    await _spoil(site, end)
    for name in _LISTS:
        status, document = await site.get(f"/api/v1/{name}")
        assert status == 200, document
        assert len(next(iter(document.values()))) == 1
    for path in ("/", "/incidents/INC-1", f"/e/{event.id}", "/dead-letters", "/dead-letters/1"):
        status, page = await site.page(path)
        assert status == 200, page


@pytest.mark.parametrize("end", [0, 1])
async def test_a_notification_of_such_an_incident_is_sent(site: Site, end: int) -> None:
    await site.send(severity="critical")
    await _spoil(site, end)
    sender = RecordingSender()
    dispatcher = Dispatcher(site.store, {sender.name: sender}, metrics=Metrics(), clock=site.clock)
    await dispatcher.run_once()
    assert len(sender.received) == 1


async def _spoil(site: Site, end: int) -> None:
    schema = "faultwire." if site.store.name == "postgresql" else ""
    moment = _BEYOND[site.store.name][end]
    async with site.store.write() as tx:
        for table, columns in _TIMES.items():
            changes = ", ".join(f"{column} = {moment}" for column in columns)
            await tx.execute(text(f"UPDATE {schema}{table} SET {changes}"))
