"""What operators read is looked up by an index, on stores that are large enough for a plan to matter."""

import re
import sqlite3
from contextlib import closing
from datetime import timedelta
from pathlib import Path

from msgspec.structs import replace
from sqlalchemy import Select, update
from tests.contract.filling import BUSY, NEWEST, RARE, explain, fill_store, key_of
from tests.servers.postgresql import PostgreSQL

from faultwire_consumer.domain.figures.order import IncidentOrder
from faultwire_consumer.domain.figures.release_rates import span_of
from faultwire_consumer.domain.query.text import parse_query
from faultwire_consumer.store.contract.prepared import Prepared
from faultwire_consumer.store.contract.store import Store
from faultwire_consumer.store.engine import open_store, open_to_read
from faultwire_consumer.store.events import event_list, incidents
from faultwire_consumer.store.events.event_list import PageRequest
from faultwire_consumer.store.events.figures import beside
from faultwire_consumer.store.events.figures import reading as figures_reading
from faultwire_consumer.store.events.figures import releases as figures_releases
from faultwire_consumer.store.events.figures import standing as figures_standing
from faultwire_consumer.store.events.figures.facets import (
    INCIDENTS_MAX,
    read_facets,
    select_found,
    select_places,
    select_tags,
)
from faultwire_consumer.store.events.figures.order import decode_position, encode_position
from faultwire_consumer.store.events.figures.releases import list_releases
from faultwire_consumer.store.events.quiet import select_quiet
from faultwire_consumer.store.events.search import Frequency, estimate_frequency, kept_terms, select_sample
from faultwire_consumer.store.schema.events import events, sightings
from faultwire_consumer.store.sqlite import record


def scans(store: Store, plan: str) -> list[str]:
    """Steps that read a whole large table."""
    if store.name == "sqlite":
        large = rf"SCAN (?:main\.)?(?:{_LARGE}|events|event)\b(?! USING (?:COVERING )?INDEX).*"
    else:  # the quarantine is empty here, and an empty table is read as a whole
        large = rf"Seq Scan on (?:{_LARGE}|events_\d+)\b"
    return re.findall(large, plan)


_LARGE = "incidents|event_texts|event_values|hourly|value_counts|hourly_totals|release_totals|user_sketches"
LISTS = [
    ("", "ix_incidents_last_seen_hour"),
    ("is:open", "last_seen_hour"),
    ("is:open,acknowledged", "last_seen_hour"),
    ("severity:critical", "last_seen_hour"),
    ("service:rare", "ix_incidents_service_last_seen_hour"),
    ("code:rare", "ix_incidents_code_last_seen_hour"),
    ("environment:rare", "ix_sightings_environment"),
    ("release:rare", "ix_sightings_release"),
    ("since:24h", "last_seen_hour"),
    ("zanzibar", "ix_incidents_search_text|incidents_search VIRTUAL TABLE INDEX"),
    ("zanzibar", "ix_event_texts_text|event_texts_search VIRTUAL TABLE INDEX"),
    ("user:user-77", "ix_event_values_name_value_fingerprint"),
    ("user:user-77*", "ix_event_values_name_value_fingerprint"),
    ("type:Rare zanzibar", "ix_event_values_name_value_fingerprint"),
    ("-user:user-77", "last_seen_hour"),
    ("-zanzibar", "ix_event_texts_fingerprint_occurred_at"),
    ("first:24h", "last_seen_hour"),
    ("last:24h", "last_seen_hour"),
    ("regressed:24h", "ix_incident_history_regressed_at"),
    ("first-release:rare", "ix_sightings_release"),
    ("service:rare first-release:1.4", "ix_sightings_release|ix_incidents_service_last_seen_hour"),
    ("regressed-release:rare", "ix_incident_history_regressed_release"),
    ("is:unresolved", "last_seen_hour"),
    ("is:new", "last_seen_hour"),
    ("is:worse", "last_seen_hour"),
]
COUNTED = [
    ("severity:critical status:open -is:assigned", "ix_incidents_"),
    ("is:regressed", "ix_incidents_"),
    ("is:worse", "ix_incidents_"),
    ("is:unresolved first:24h", "ix_incidents_"),
    ("is:unresolved -is:muted", "ix_incidents_"),
]
COMMON = [
    "refused",
    "tag.region:eu",
    "type:OSError",
    "refused tag.region:eu",
    "tag.region:e*",
    "refused -zanzibar",
]
SAID = [
    ("zanzibar", "ix_event_texts_text|event_texts_search VIRTUAL TABLE INDEX"),
    ("zanzibar since:24h service:rare", "ix_event_texts_text|event_texts_search VIRTUAL TABLE INDEX"),
    ("user:user-77", "ix_event_values_name_value_fingerprint"),
    ("user:user-77* type:OSError", "ix_event_values_name_value_fingerprint"),
]
EVENTS = [
    ("", "received_at"),
    ("since:24h", "received_at"),
    ("severity:low", "received_at"),
    ("-code:rare", "received_at"),
    (f"incident:INC-{BUSY}", "fingerprint_occurred_at"),
    ("service:rare", "fingerprint_occurred_at"),
    ("severity:critical release:1.0", "fingerprint_occurred_at"),
    ("error_20261123_0000000000000001", r"pkey|sqlite_autoindex_events"),
]


async def test_every_list_is_read_by_an_index(filled: Store) -> None:
    for text, index in LISTS:
        statement = incidents.select_incidents(filled.name, parse_query(text), None, 51, NEWEST)
        await check(filled, text, index, statement)
    for text, index in EVENTS:
        request = PageRequest(parse_query(text), 51, NEWEST)
        if event_list.is_narrow(request.query):
            plan = await explain(filled, event_list.candidates(filled.name, request, 51))
            assert scans(filled, plan) == [], f"{text}: {plan}"
            statement = event_list.newest_of(filled.name, request, [key_of(BUSY), key_of(RARE)])
        else:
            statement = event_list.walk(filled.name, request)
        await check(filled, text, index, statement)
    for text, index in SAID:
        request = PageRequest(parse_query(text), 51, NEWEST)
        await check(filled, text, index, event_list.among_texts(filled.name, request, Frequency()))
    await check(filled, "totals", "ix_incidents_status_last_seen_hour", incidents.select_totals())
    quiet = select_quiet(NEWEST - timedelta(days=30), 0)
    await check(filled, "quiet", "last_seen_hour|incidents_pkey", quiet)
    trend = incidents.select_hours(RARE, since=NEWEST)
    await check(filled, "trend", "hourly_pkey|sqlite_autoindex_hourly", trend)


async def test_what_many_say_is_found_among_the_newest(filled: Store) -> None:
    sampled = "ix_event_texts_occurred_at_event_id"
    for text in COMMON:
        query = parse_query(text)
        await check(filled, text, sampled, select_sample(filled.name, kept_terms(query)))
        frequency = await estimate_frequency(filled, query)
        assert (frequency.is_common, frequency.is_common_in_incidents) == (True, True), text
        statement = incidents.select_incidents(filled.name, query, None, 51, NEWEST, common=True)
        await check(filled, text, "ix_incidents_last_seen_hour", statement)
        statement = event_list.among_texts(filled.name, PageRequest(query, 51, NEWEST), frequency)
        await check(filled, text, sampled, statement)
    assert not (await estimate_frequency(filled, parse_query("zanzibar"))).is_common


async def test_what_many_say_is_asked_of_each_text_and_never_read_as_a_whole(filled: Store) -> None:
    for text in COMMON:
        query = parse_query(text)
        terms = kept_terms(query)
        for statement in (
            select_sample(filled.name, terms),
            incidents.select_incidents(filled.name, query, None, 51, NEWEST, common=True),
            event_list.among_texts(filled.name, PageRequest(query, 51, NEWEST), Frequency(1_000, 1_000)),
        ):
            plan = await explain(filled, statement)
            assert "Semi Join" not in plan, f"{text}: {plan}"
            if "*" in text:
                assert "ix_event_values_name_value_fingerprint" not in plan, f"{text}: {plan}"


ORDERS = {
    IncidentOrder.LAST: "ix_incidents_last_seen_hour",
    IncidentOrder.URGENT: "ix_incidents_urgency_last_seen_hour",
    IncidentOrder.FIRST: "ix_incidents_began_at",
    IncidentOrder.COUNT: "ix_incidents_count_class",
    IncidentOrder.USERS: "ix_incidents_users",
    IncidentOrder.GROWTH: "ix_incidents_growth",
}


async def test_every_order_is_read_by_an_index_on_every_page(filled: Store) -> None:
    for order, index in ORDERS.items():
        for text in ("", "is:open"):
            first = incidents.select_incidents(filled.name, parse_query(text), None, 51, NEWEST, order=order)
            await check(filled, f"{order} {text}", index if not text else "ix_incidents_", first)
            row = (await filled.read(first))[40]
            position = decode_position(order, encode_position(order, row))
            second = incidents.select_incidents(
                filled.name, parse_query(text), position, 51, NEWEST, order=order
            )
            await check(filled, f"{order} {text}, page 2", index if not text else "ix_incidents_", second)


async def test_figures_are_read_by_an_index(filled: Store) -> None:
    values = "value_counts_pkey|sqlite_autoindex_value_counts"
    await check(filled, "values", values, figures_reading.select_values(RARE))
    by_sighting = "sightings_pkey|sqlite_autoindex_sightings"
    await check(filled, "releases", by_sighting, figures_reading.select_sighted_releases(RARE))
    by_first = "ix_release_totals_first_seen_at"
    await check(filled, "newest releases", by_first, figures_releases.select_releases((), None, 51))
    of_one = figures_releases.select_releases(["s1"], None, 51)
    await check(filled, "releases of a service", "release_totals", of_one)
    page = (await list_releases(filled, services=(), limit=50)).rows
    spans = [span_of(one.first_seen_at, next_at=one.next_at, now=NEWEST) for one in page]
    rates = figures_releases.select_rates(page, spans)
    await check(filled, "rates of releases", "ix_hourly_totals_service_hour|hourly_totals_pkey", rates)
    later = [(number, one) for number, one in enumerate(page) if one.previous_at is not None]
    ended = figures_releases.select_ended(later)
    await check(filled, "ended", "ix_incidents_service_last_seen_hour", ended)
    # Of one release: the fifty of this page are almost every sight that there is here.
    worst = figures_releases.select_worst(filled.name, [replace(page[0], release="rare")])
    await check(filled, "worst of releases", "ix_sightings_release", worst)
    by_hour = "hourly_totals_pkey|sqlite_autoindex_hourly_totals"
    hours = figures_reading.select_totals("hour", since=NEWEST - timedelta(days=1), until=NEWEST, services=())
    await check(filled, "stats", by_hour, hours)
    growth = figures_standing.select_rates([BUSY, RARE], NEWEST)
    await check(filled, "rates", "hourly_pkey|sqlite_autoindex_hourly", growth)
    by_look = ("last_seen_hour", "ix_incidents_growth", "ix_incidents_is_new")
    for index, due in zip(by_look, figures_standing.due(NEWEST), strict=True):
        await check(filled, f"due: {index}", index, due.limit(500))
    await check(filled, "unfigured", "ix_incidents_began_at", figures_standing.unfigured().limit(500))


async def test_what_stands_beside_the_rows_of_a_list_is_read_by_an_index(filled: Store) -> None:
    rows, since = range(BUSY, BUSY + 50), NEWEST - timedelta(days=1)
    by_hour = "hourly_pkey|sqlite_autoindex_hourly"
    await check(filled, "bars", by_hour, beside.select_hours_of(rows, since=since))
    origins = beside.select_origins(rows)
    await check(filled, "origins: counted", "value_counts_pkey|sqlite_autoindex_value_counts", origins)
    await check(filled, "origins: sighted", "sightings_pkey|sqlite_autoindex_sightings", origins)
    by_incident = "ix_incident_history_incident_id|ix_incident_history_regressed"
    await check(filled, "regressions", by_incident, beside.select_regressions(rows))
    event = "error_20261123_0000000000000001"
    await check(filled, "releases", r"pkey|sqlite_autoindex_events", beside.select_releases_of([event]))


async def test_what_tiles_count_is_counted_by_an_index(filled: Store) -> None:
    for text, index in COUNTED:
        statement = beside.select_counts(filled.name, [parse_query(text)], most=1_000, now=NEWEST)
        await check(filled, text, index, statement)


async def test_facets_are_counted_among_so_many_incidents_at_most(filled: Store) -> None:
    facets = await read_facets(filled, parse_query("severity:>=low"), now=NEWEST)
    assert (facets.incidents, facets.complete) == (INCIDENTS_MAX, False)
    rare = await read_facets(filled, parse_query("service:rare"), now=NEWEST)
    assert (rare.incidents, rare.complete) == (1, True)
    assert {facet.key: facet.values[0].term for facet in rare.facets}["service"] == 'service:"rare"'
    for statement in (
        select_places(select_found(filled.name, parse_query("service:rare"), NEWEST), sightings.c.release),
        select_tags(select_found(filled.name, parse_query("service:rare"), NEWEST)),
    ):
        await check(filled, "facets", "ix_incidents_service_last_seen_hour", statement)


async def check(store: Store, text: str, index: str, query: Select[tuple[object, ...]] | Prepared) -> None:
    plan = await explain(store, query)
    assert re.search(index, plan), f"{text}: {plan}"
    assert scans(store, plan) == [], f"{text}: {plan}"


async def test_a_time_limits_the_days_that_are_looked_into(filled: Store) -> None:
    plan = await explain(
        filled, event_list.walk(filled.name, PageRequest(parse_query("since:24h"), 51, NEWEST))
    )
    if filled.name == "postgresql":
        days = set(re.findall(r"on events_(\d{8})", plan))
        assert days == {"20261121", "20261122", "20261123"}
    else:
        assert "ix_events_received_at (received_at>?" in plan


async def test_an_analyzed_file_of_few_bugs_is_still_read_in_the_order_in_which_events_came(
    tmp_path: Path,
) -> None:
    store = await open_store(f"sqlite:///{tmp_path / 'faultwire.db'}")
    await fill_store(store, incidents=20, events=5_000)
    async with store.write() as tx:
        # So that the index by it looks worse than it is: they all came at one moment.
        await tx.execute(update(events).values(received_at=NEWEST))
    await store.run_alone("ANALYZE", seconds=10)
    reopened = await open_to_read(f"sqlite:///{tmp_path / 'faultwire.db'}")
    plan = await explain(reopened, event_list.walk("sqlite", PageRequest(parse_query(""), 51, NEWEST)))
    assert re.match(r"SCAN main.events USING INDEX ix_events_received_at", plan), plan
    await reopened.close()
    await store.close()


async def test_the_events_of_a_batch_that_are_there_already_are_looked_up_by_their_key(
    tmp_path: Path,
) -> None:
    store = await open_store(f"sqlite:///{tmp_path / 'faultwire.db'}")
    await fill_store(store, incidents=20, events=5_000)
    await store.run_alone("ANALYZE", seconds=10)
    await store.close()
    with closing(sqlite3.connect(tmp_path / "faultwire.db")) as connection:
        plan = connection.execute(f"EXPLAIN QUERY PLAN {record.FIND_STORED}", ("2026-12-01", "[]")).fetchall()
    assert "COVERING INDEX sqlite_autoindex_events_1 (occurred_day=? AND event_id=?)" in plan[0][3], plan


async def test_a_touch_writes_no_index_until_the_hour_changes(current_postgresql: PostgreSQL) -> None:
    """HOT updates: a new version of the row in its own page, and nothing else."""
    store = await open_store(current_postgresql.url)
    await fill_store(store, incidents=100, events=1)
    for step, is_hot in (("1 microsecond", True), ("1 hour", False)):
        # Statistics are a transaction's own until it ends, so the test looks from inside of it.
        told = current_postgresql.execute(
            "BEGIN; UPDATE faultwire.incidents SET count = count + 1,"
            f" last_seen_at = last_seen_at + interval '{step}' WHERE id = 7;"
            " SELECT n_tup_upd - n_tup_hot_upd FROM pg_stat_xact_user_tables WHERE relname = 'incidents';"
            " COMMIT"
        )
        assert ("0" in told.split()) is is_hot, told
    await store.close()
