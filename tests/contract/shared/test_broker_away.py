"""A broker of which no node is there."""

import pytest

from faultwire_shared.amqp import BrokerUnreachableError, connect


async def test_a_node_that_is_away_is_told_without_its_password() -> None:
    with pytest.raises(BrokerUnreachableError) as told:
        await connect("amqp://u:secret@127.0.0.1:9,127.0.0.1:10/", "test")
    assert str(told.value).startswith("none of 2 nodes: connect to amqp://u:***@127.0.0.1:")
    assert "secret" not in str(told.value)
