"""A worker whose database is away tells its probes why where it would do so afterwards."""

import asyncio
from functools import partial

import pytest
from aiohttp import ClientSession
from tests.servers.process import reserve_port
from tests.tools.waiting import until

from faultwire_consumer.store.contract.store import StoreUnavailableError
from faultwire_consumer.worker.supervision.service_manager import ServiceManager
from faultwire_consumer.worker.waiting import wait_for_database


@pytest.mark.parametrize("is_open", [True, False], ids=["open", "login"])
async def test_only_where_nobody_signs_in_this_machine_is_told_why_a_worker_waits(is_open: bool) -> None:
    port, stop = await asyncio.to_thread(reserve_port), asyncio.Event()

    async def start() -> None:
        raise StoreUnavailableError("db-1:5432 refused")

    told = list[str]()
    manager = ServiceManager(told.append)
    waiting = asyncio.create_task(
        wait_for_database(start, stop, host="127.0.0.1", port=port, is_open=is_open, manager=manager)
    )
    async with ClientSession(f"http://127.0.0.1:{port}") as session:
        texts: list[str] = []
        await until(partial(_ask, session, texts), "the probe answers")
        assert texts[0].startswith("[-]store failed: ")
        assert ("db-1:5432" in texts[0]) is is_open
        async with session.get("/api/v1/incidents") as answer:
            assert answer.status == 503
    await until(partial(_has_told_twice, told), "the service manager is asked for patience, again and again")
    assert all("EXTEND_TIMEOUT_USEC=" in one and "STATUS=db-1:5432 refused" in one for one in told)
    stop.set()
    await asyncio.wait_for(waiting, 30)


async def _has_told_twice(told: list[str]) -> bool:
    return len(told) > 1


async def _ask(session: ClientSession, texts: list[str]) -> bool:
    try:
        async with session.get("/readyz?verbose") as answer:
            texts.append(await answer.text())
    except OSError:
        return False
    return True
