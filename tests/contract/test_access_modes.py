"""A worker knows who asks by its setting, and tells the audit by which from now on."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs
from tests.tools.clock import FixedClock

from faultwire_consumer.config import WorkerConfig
from faultwire_consumer.domain.access.scope import AccountRole
from faultwire_consumer.domain.setting.access import AccessMode
from faultwire_consumer.store.access.accounts import NewAccount, add_account
from faultwire_consumer.store.access.audit import AuditFilter, list_audit
from faultwire_consumer.store.contract.store import Store, StoreUnavailableError
from faultwire_consumer.worker.access import SecretFileError, open_access

PROXY: dict[str, Any] = {"access": "proxy", "proxy_user_header": "X-User", "proxy_networks": "127.0.0.1"}
SIGNED: dict[str, Any] = {
    "access": "proxy",
    "proxy_jwt_header": "X-Jwt",
    "proxy_jwt_keys_url": "http://127.0.0.1:1/keys",
    "proxy_jwt_issuer": "https://id.example.com",
    "proxy_jwt_audience": "faultwire",
}
PROVIDER: dict[str, Any] = {
    "access": "login",
    "public_url": "https://errors.example.com/faultwire/",
    "oidc_issuer": "https://id.example.com",
    "oidc_client_id": "faultwire",
    "oidc_roles": {"admin": ["sre"]},
}


@pytest.fixture
def secret_file(tmp_path: Path) -> Path:
    path = tmp_path / "secret"
    path.write_text("0123456789abcdef0123456789abcdef\n")
    return path


@pytest.mark.parametrize(
    ("given", "names"),
    [
        ({}, ["BearerRecogniser", "open_door"]),
        ({"access": "login"}, ["BearerRecogniser", "SessionRecogniser"]),
        (PROVIDER, ["BearerRecogniser", "SessionRecogniser"]),
        (PROXY, ["BearerRecogniser", "ProxyRecogniser"]),
        (SIGNED, ["BearerRecogniser", "SignedRecogniser"]),
    ],
)
async def test_each_mode_has_its_ways_and_no_other(
    store: Store,
    clock: FixedClock,
    secret_file: Path,
    given: dict[str, Any],
    names: list[str],
) -> None:
    more: dict[str, Any] = {"proxy_secret_file": secret_file} if given is PROXY else {}
    ways = await open_access(WorkerConfig(**given, **more), store, clock=clock)
    assert [getattr(one, "__name__", type(one).__name__) for one in ways.recognisers] == names
    assert (ways.sign_in_door is not None) is (given.get("access") == "login")
    assert (ways.provider_door is not None) is (given is PROVIDER)
    (row,) = (await list_audit(store, AuditFilter(), limit=9)).rows
    assert (row.actor, row.action) == ("worker", "worker.started")
    assert row.detail == f"access = {given.get('access', 'open')}, listening on 127.0.0.1"


async def test_the_log_names_the_command_for_the_first_account_until_somebody_can_sign_in(
    store: Store, clock: FixedClock
) -> None:
    config = WorkerConfig(access=AccessMode.LOGIN)
    with capture_logs() as before:
        await open_access(config, store, clock=clock)
    async with store.write() as tx:
        await add_account(tx, NewAccount(name="ada", role=AccountRole.ADMIN, at=clock()))
    with capture_logs() as after:
        await open_access(config, store, clock=clock)
    assert [(line["event"], line["mend"]) for line in before] == [
        ("access.nobody", "faultwire access invite NAME --role admin")
    ]
    assert after == []


async def test_a_database_that_takes_nothing_keeps_no_worker_from_its_start(
    store: Store, clock: FixedClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_: Store) -> Any:
        raise StoreUnavailableError("the disk is full")

    monkeypatch.setattr(type(store), "write", refuse)
    assert (
        await open_access(WorkerConfig(access=AccessMode.LOGIN), store, clock=clock)
    ).sign_in_door is not None


@pytest.mark.parametrize(
    ("write", "said"),
    [
        (lambda path: path.write_text("short"), "16 characters or more"),
        (lambda path: path.write_bytes(b"\xff" * 40), "cannot read the secret"),
        (lambda path: path.unlink(), "cannot read the secret"),
    ],
)
async def test_a_secret_that_cannot_be_one_ends_the_start(
    store: Store, clock: FixedClock, secret_file: Path, write: Callable[[Path], object], said: str
) -> None:
    write(secret_file)
    config = WorkerConfig(**PROXY, proxy_secret_file=secret_file)
    with pytest.raises(SecretFileError, match=said):
        await open_access(config, store, clock=clock)
