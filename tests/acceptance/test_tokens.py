"""A worker that wants to know who asks: its tokens, from the first one to one that was revoked."""

import json
import logging
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession
from tests.tools.waiting import until
from tests.tools.worker_process import WorkerProcess, command, running

from faultwire import ErrorManager


async def make_token(directory: Path, url: str, *arguments: str) -> str:
    code, out, err = await command(
        "access", "token", "create", *arguments, cwd=directory, FAULTWIRE_DATABASE_URL=url
    )
    assert code == 0, err
    return out.strip()


async def ask(url: str, method: str, path: str, token: str, **body: object) -> tuple[int, dict[str, object]]:
    headers = {"Authorization": f"Bearer {token}"}
    async with (
        ClientSession() as session,
        session.request(method, f"{url}/api/v1/{path}", headers=headers, json=body or None) as answer,
    ):
        return answer.status, await answer.json()


@pytest.mark.e2e
async def test_what_a_worker_refuses_stays_with_the_client_until_its_token_is_renewed(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("faultwire.publish.transport_http.DENIED_SECONDS", 0.2)
    caplog.set_level(logging.INFO, logger="faultwire")
    database = f"sqlite:///{tmp_path / 'faultwire.db'}"
    admin = await make_token(tmp_path, database, "ops", "--scope", "admin", "--scope", "read")
    held = tmp_path / "token"
    held.write_text(await make_token(tmp_path, database, "shop", "--scope", "ingest", "--service", "shop"))
    worker = WorkerProcess(
        tmp_path,
        database_url=database,
        FAULTWIRE_ACCESS="login",
        FAULTWIRE_HTTP_HOST="0.0.0.0",  # noqa: S104 - which is the point
    )
    environ = {"FAULTWIRE_BROKER_URL": worker.url, "FAULTWIRE_TOKEN_FILE": str(held)}
    async with running(worker), ErrorManager.from_env(environ, service="shop") as errors:
        assert (await worker.get("/api/v1/incidents"))[0] == 401
        first = await errors.handle_error(KeyError("sku"), durability="confirmed")
        assert first.state.state == "confirmed"

        _, listed = await ask(worker.url, "GET", "access/tokens", admin)
        ids = {one["name"]: one["id"] for one in listed["tokens"]}  # type: ignore[attr-defined]  # JSON
        assert (await ask(worker.url, "POST", f"access/tokens/{ids['shop']}/revoke", admin))[0] == 200

        async def is_refused() -> bool:
            errors.handle_error_nowait(ValueError("kept"))
            return "transport.refused" in caplog.text

        await until(is_refused, "the revoked token is refused")
        kept = await errors.handle_error(ValueError("kept too"), durability="spooled")
        assert kept.state.state == "spooled"
        asked = {"name": "shop", "scopes": ["ingest"], "services": ["shop"]}
        _, made = await ask(worker.url, "POST", "access/tokens", admin, **asked)
        held.write_text(str(made["token"]))

        async def is_stored() -> bool:
            return (await ask(worker.url, "GET", f"events/{kept['error_id']}", admin))[0] == 200

        await until(is_stored, "what was kept is published by the new token")
        assert errors.stats().lost == {}
        assert [
            one.event for one in caplog.records if one.levelno == logging.ERROR and hasattr(one, "event")
        ].count("transport.refused") == 1

        settings: dict[str, Any] = {"FAULTWIRE_URL": worker.url, "FAULTWIRE_TOKEN": admin}
        code, out, _ = await command("events", "show", kept["error_id"], "--json", **settings)
        assert (code, json.loads(out)["service"]) == (0, "shop")
        code, _, err = await command("incidents", "resolve", "INC-1", **settings)
        assert (code, err) == (1, "faultwire: token:ops may not do this: it takes the scope act\n")

        # The file is the worker's while it runs: the command has it make the DSN.
        beside: dict[str, Any] = {**settings, "FAULTWIRE_DATABASE_URL": database}
        create = ("access", "token", "create", "--sentry-dsn", "web", "--key", "AB-12", "--project", "45")
        code, out, err = await command(*create, cwd=tmp_path, **beside)
        assert (code, out.partition("@")[0]) == (0, "http://ab12"), err
        assert out.endswith("/45\n")
        code, again, err = await command("access", "token", "dsn", "web", cwd=tmp_path, **beside)
        assert code == 0, err
        assert again.partition("@")[0] == "http://ab12"
