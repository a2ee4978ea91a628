"""One setting for all the nodes of a cluster."""

import asyncio
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from faultwire.options import scheme_of
from faultwire_shared import amqp
from faultwire_shared.amqp import BrokerError, BrokerRefusedError, BrokerUnreachableError, connect
from faultwire_shared.broker_url import split_addresses

TWO = "amqp://u:p@one:1/v,amqp://u:p@two:2/v"


@pytest.mark.parametrize(
    ("url", "addresses"),
    [
        ("amqp://u:p@one/v", ["amqp://u:p@one/v"]),
        ("amqp://one", ["amqp://one"]),
        (TWO, ["amqp://u:p@one:1/v", "amqp://u:p@two:2/v"]),
        ("amqp://u:p@one , amqps://u:p@two/", ["amqp://u:p@one", "amqps://u:p@two/"]),
        (
            "amqp://u:p@one:1,two,[::1]:3/v?heartbeat=5",
            [
                "amqp://u:p@one:1/v?heartbeat=5",
                "amqp://u:p@two/v?heartbeat=5",
                "amqp://u:p@[::1]:3/v?heartbeat=5",
            ],
        ),
        ("amqp://u:p,q/r@one/v", ["amqp://u:p,q/r@one/v"]),
        ("amqp://u:p@one,amqp://u:q@two,three/", ["amqp://u:p@one", "amqp://u:q@two/", "amqp://u:q@three/"]),
        ("nonsense", ["nonsense"]),
    ],
)
def test_both_spellings_of_several_nodes_are_read(url: str, addresses: list[str]) -> None:
    assert list(split_addresses(url)) == addresses


@given(st.text())
def test_whatever_is_written_there_is_an_address(text: str) -> None:
    assert split_addresses(text)


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("amqp://u:secret@one,http://u:secret@two", "several addresses of amqp"),
        ("http://u:secret@one,two", "several addresses of amqp"),
        ("amqp://u:secret@one,,two/", "names no host: amqp://u:***@/"),
        ("amqp://u:secret@one,two:x/", "cannot be read: amqp://u:***@two:x/"),
        ("amqp://u:secret@one,ftp://u:secret@two", "not 'ftp'"),
    ],
)
def test_a_client_is_told_which_address_cannot_be(url: str, why: str) -> None:
    with pytest.raises(ValueError, match="broker_url") as told:
        scheme_of(url)
    assert why in str(told.value)
    assert "secret" not in str(told.value)


def test_a_cluster_s_addresses_are_one_transport() -> None:
    assert scheme_of(TWO) == "amqp"


def backwards(addresses: Sequence[str]) -> Sequence[str]:
    return addresses[::-1]


async def test_each_node_is_tried_once_in_the_order_of_the_dice(monkeypatch: pytest.MonkeyPatch) -> None:
    tried: list[str] = []

    async def refuse(url: str, name: str) -> None:
        await asyncio.sleep(0)
        tried.append(url)
        raise BrokerUnreachableError(f"connect to node {len(tried)}: refused")

    monkeypatch.setattr(amqp, "_connect_to", refuse)
    with pytest.raises(BrokerUnreachableError) as told:
        await connect(TWO, "test", order=backwards)
    assert tried == ["amqp://u:p@two:2/v", "amqp://u:p@one:1/v"]
    assert str(told.value) == "none of 2 nodes: connect to node 1: refused; connect to node 2: refused"


@pytest.mark.parametrize("refusing", [1, 2])
async def test_a_node_that_refuses_says_more_than_one_that_is_away(
    monkeypatch: pytest.MonkeyPatch, refusing: int
) -> None:
    tried = 0

    async def answer(url: str, name: str) -> None:
        nonlocal tried
        tried += 1
        error: type[BrokerError] = BrokerRefusedError if tried == refusing else BrokerUnreachableError
        raise error("no")

    monkeypatch.setattr(amqp, "_connect_to", answer)
    with pytest.raises(BrokerRefusedError):
        await connect(TWO, "test")


def test_the_dice_forget_and_repeat_no_node() -> None:
    nodes = [str(number) for number in range(20)]
    assert sorted(amqp.in_random_order(nodes)) == sorted(nodes)
