"""Where nobody signs in: a program of this machine reports under any name, a page or a wrong key does not."""

from collections.abc import AsyncIterator

import msgspec
import pytest
from tests.tools.gateway_bench import GatewayBench, a_gateway

EVENT = b'{}\n{"type":"event"}\n{"message":"order 17 was refused"}\n'
_SERVICES = "SELECT DISTINCT service FROM {s}events WHERE service NOT IN ('shop', 'faultwire')"


@pytest.fixture
async def bench(sqlite_url: str) -> AsyncIterator[GatewayBench]:
    """A worker on this machine's own address, as it starts without a setting."""
    async with a_gateway(sqlite_url) as bench:
        yield bench


async def test_a_key_that_nobody_made_names_the_service_of_a_program_of_this_machine(
    bench: GatewayBench,
) -> None:
    answered = await bench.post("/api/7/envelope/?sentry_key=cart", EVENT)
    assert answered.status == 200
    assert await bench.stored.all(_SERVICES) == ["cart"]


@pytest.mark.parametrize(
    ("key", "headers"),
    [
        pytest.param("cart", {"Origin": "https://shop.example"}, id="a page of the web"),
        pytest.param("4c0b7a5d8f214a9eb1f652a4d3c9e870", {}, id="a key as others make them"),
        pytest.param("1", {}, id="no name"),
    ],
)
async def test_nothing_else_is_taken_for_a_service_s_name(
    bench: GatewayBench, key: str, headers: dict[str, str]
) -> None:
    answered = await bench.send("POST", f"/api/7/envelope/?sentry_key={key}", EVENT, headers, chunked=False)
    assert answered.status == 403
    assert msgspec.json.decode(answered.body)["detail"]


async def test_beyond_this_machine_a_key_has_to_be_made(sqlite_url: str) -> None:
    async with a_gateway(sqlite_url, access="login") as bench:
        assert (await bench.post("/api/7/envelope/?sentry_key=cart", EVENT)).status == 403
