"""DSNs in the database: made, taken over, numbered, revoked, and read by gateways."""

import asyncio
import random
from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
from alembic import command
from sqlalchemy import Connection, text
from tests.tools.clock import FixedClock

from faultwire_consumer.domain.access.audit import AuditSource
from faultwire_consumer.domain.access.dsn import KEYS_MAX
from faultwire_consumer.domain.access.dsn_draft import DsnDraft
from faultwire_consumer.domain.access.principal import Via
from faultwire_consumer.domain.access.scope import AccessScope
from faultwire_consumer.domain.access.token import AccessToken, TokenDraft
from faultwire_consumer.store.access.audit import AuditFilter, list_audit
from faultwire_consumer.store.access.dsns import issue_dsn, list_keys, note_uses
from faultwire_consumer.store.access.tokens import (
    TokenDraftError,
    find_named,
    issue_token,
    list_tokens,
    revoke_token,
)
from faultwire_consumer.store.contract.store import Store
from faultwire_consumer.store.engine import open_store
from faultwire_consumer.store.migrations import migrate, schema_version

draw: Callable[[int], int] = random.Random(21).randrange
ADA = AuditSource(actor="ada", via=Via.SESSION)
OLD = "0f1e2d3c4b5a69788796a5b4c3d2e1f0"


async def issue(store: Store, now: datetime, service: str = "shop", **changes: object) -> AccessToken:
    draft = DsnDraft(service=service, **changes)  # type: ignore[arg-type]  # what a test says is what it means
    async with store.write() as tx:
        return await issue_dsn(tx, draft, source=ADA, now=now, draw=draw)


async def revoke(store: Store, token: AccessToken, now: datetime) -> None:
    async with store.write() as tx:
        assert await revoke_token(tx, token.id, source=ADA, now=now) is not None


async def test_a_dsn_is_a_token_of_one_service_whose_secret_nobody_has(
    store: Store, clock: FixedClock
) -> None:
    made = await issue(store, clock(), origins=("https://Shop.Example/", "https://*.shop.example"))
    assert (made.name, made.services, made.scopes) == ("shop", ("shop",), frozenset({AccessScope.INGEST}))
    assert (made.project, made.expires_at, made.created_by) == (1, None, "ada")
    assert made.origins == ("https://shop.example", "https://*.shop.example")
    assert made.public_key is not None
    assert len(made.public_key) == 32
    assert (await list_tokens(store, limit=9)).rows == (made,)
    assert await find_named(store, made.prefix) == (made,)
    (told,) = (await list_audit(store, AuditFilter(), limit=9)).rows
    assert (told.action, told.object) == ("token.created", f"shop ({made.prefix})")
    assert told.detail == "DSN of shop, project 1"


async def test_an_old_key_and_project_are_taken_over(store: Store, clock: FixedClock) -> None:
    made = await issue(
        store, clock(), key="0F1E2D3C-4B5A-6978-8796-A5B4C3D2E1F0", project=4505281256357888, name="web"
    )
    assert (made.public_key, made.project, made.name) == (OLD, 4505281256357888, "web")
    assert (await issue(store, clock(), "billing")).project == 1
    # A project of Sentry's has several keys; here all of them are of one service.
    other = await issue(store, clock(), key="ab12", project=4505281256357888)
    assert {kept.key.public_key for kept in await list_keys(store)} > {OLD, other.public_key}


async def test_what_is_taken_is_refused_with_its_owner_and_what_mends_it(
    store: Store, clock: FixedClock
) -> None:
    made = await issue(store, clock(), key=OLD, project=7)
    with pytest.raises(TokenDraftError, match=r"shop \(fwt_.*revoke that first") as caught:
        await issue(store, clock(), "billing", key=OLD.upper())
    assert caught.value.fault.field == "key"
    with pytest.raises(TokenDraftError, match="project 7 is the one of shop") as caught:
        await issue(store, clock(), "billing", project=7)
    assert caught.value.fault.field == "project"
    with pytest.raises(TokenDraftError, match="one service, and no pattern"):
        await issue(store, clock(), "*")
    await revoke(store, made, clock())
    again = await issue(store, clock(), "billing", key=OLD, project=7)
    assert (again.public_key, again.project) == (OLD, 7)
    assert len((await list_tokens(store, limit=9)).rows) == 2


async def test_a_number_is_given_once_also_after_its_dsn_was_revoked(store: Store, clock: FixedClock) -> None:
    first = await issue(store, clock(), "a")
    await issue(store, clock(), "b", project=3)
    second = await issue(store, clock(), "c")
    await revoke(store, first, clock())
    third = await issue(store, clock(), "d")
    assert [first.project, second.project, third.project] == [1, 2, 4]


async def test_dsns_that_are_made_at_once_have_numbers_of_their_own(store: Store, clock: FixedClock) -> None:
    made = await asyncio.gather(*(issue(store, clock(), f"s-{number}") for number in range(6)))
    assert sorted(one.project or 0 for one in made) == [1, 2, 3, 4, 5, 6]


async def test_of_one_key_asked_for_twice_at_once_one_dsn_is_made(store: Store, clock: FixedClock) -> None:
    asked = (issue(store, clock(), f"s-{number}", key=OLD) for number in range(4))
    made = await asyncio.gather(*asked, return_exceptions=True)
    assert len([one for one in made if isinstance(one, AccessToken)]) == 1
    assert len([one for one in made if isinstance(one, TokenDraftError)]) == 3


async def test_gateways_read_every_key_once_and_no_token(store: Store, clock: FixedClock) -> None:
    gone = await issue(store, clock(), key=OLD)
    await revoke(store, gone, clock())
    end = clock() + timedelta(days=1)
    again = await issue(store, clock(), key=OLD, origins=("https://shop.example",), expires_at=end)
    over = await issue(store, clock(), "billing")
    await revoke(store, over, clock())
    async with store.write() as tx:
        draft = TokenDraft(name="ci", scopes=frozenset({AccessScope.READ}))
        await issue_token(tx, draft, source=ADA, now=clock(), draw=draw)
    kept = {one.key.public_key: one for one in await list_keys(store)}
    assert list(kept) == [OLD, over.public_key]
    held = kept[OLD]
    assert (held.key.token_id, held.key.project, held.key.service) == (again.id, again.project, "shop")
    assert (held.key.token_name, held.key.allowed_origins) == ("shop", ("https://shop.example",))
    assert (held.expires_at, held.revoked_at, held.last_used_on) == (end, None, None)
    assert kept[over.public_key or ""].revoked_at == clock()


async def test_days_of_use_are_kept_of_several_at_once_and_never_go_back(
    store: Store, clock: FixedClock
) -> None:
    made = [await issue(store, clock(), f"s-{number}") for number in range(3)]
    day = clock().replace(hour=0)
    await note_uses(store, {made[0].id, made[1].id}, day)
    await note_uses(store, {made[0].id}, day - timedelta(days=1))
    used = {one.key.service: one.last_used_on for one in await list_keys(store)}
    assert used == {"s-0": day, "s-1": day, "s-2": None}


async def test_the_database_itself_lets_no_key_stand_twice(store: Store, clock: FixedClock) -> None:
    made = await issue(store, clock())
    schema = "" if store.name == "sqlite" else "faultwire."
    copied = "name, prefix, scopes, services, created_at, created_by, public_key, project, origins"
    twice = text(
        f"INSERT INTO {schema}access_tokens (hash, {copied}) "
        f"SELECT :hash, {copied} FROM {schema}access_tokens WHERE id = :id"
    )
    with pytest.raises(Exception, match=r"(?i)unique|duplicate"):
        async with store.write() as tx:
            await tx.execute(twice, {"hash": b"x", "id": made.id})
    assert len((await list_tokens(store, limit=9)).rows) == 1


async def test_so_many_dsns_stand_and_no_more(
    store: Store, clock: FixedClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert KEYS_MAX == 1_000
    monkeypatch.setattr("faultwire_consumer.domain.access.dsn_draft.KEYS_MAX", 3)
    made = [await issue(store, clock(), f"s-{number}") for number in range(3)]
    with pytest.raises(TokenDraftError, match="3 DSNs stand already"):
        await issue(store, clock(), "s-3")
    await revoke(store, made[0], clock())
    assert (await issue(store, clock(), "s-3")).project == 4


@pytest.mark.may_block("migrations are files")
async def test_tokens_of_the_schema_before_stay_as_they_were(
    empty_database_url: str, clock: FixedClock
) -> None:
    def fill(connection: Connection) -> None:
        prefix, moment = "", "1795435200000000"
        if connection.dialect.name == "postgresql":
            prefix, moment = "faultwire.", "now()"
            connection.execute(text("CREATE SCHEMA IF NOT EXISTS faultwire"))
        command.upgrade(migrate.alembic_config(connection), "0020")
        for number in range(3):
            connection.execute(
                text(
                    f"INSERT INTO {prefix}access_tokens (name, prefix, hash, scopes, services, created_at,"
                    f" created_by) VALUES ('ci', 'fwt_0000000{number}', :hash, '[\"ingest\"]',"
                    f" '[\"shop\"]', {moment}, 'ada')"
                ),
                {"hash": str(number).encode()},
            )

    await asyncio.to_thread(asyncio.run, schema_version.on_connection(empty_database_url, fill))
    if empty_database_url.startswith("postgresql"):  # SQLite brings itself up to date
        await migrate.upgrade(empty_database_url)
    store = await open_store(empty_database_url)
    try:
        rows = (await list_tokens(store, limit=9)).rows
        assert [(one.prefix, one.services) for one in rows] == [
            (f"fwt_0000000{number}", ("shop",)) for number in (2, 1, 0)
        ]
        assert {(one.public_key, one.project, one.origins) for one in rows} == {(None, None, ())}
        assert await list_keys(store) == ()
        made = await issue(store, clock(), key=OLD)
        assert [kept.key.token_id for kept in await list_keys(store)] == [made.id]
    finally:
        await store.close()
