"""The inside networks that a receiver's rules allow: a connection to a real server is made, or refused."""

import pytest
from tests.contract.notify.receiver import receiving
from tests.tools.clock import FixedClock
from tests.tools.notification import notification

from faultwire_consumer.domain.policy.text import parse_policy
from faultwire_consumer.notify.sender import Outcome, Permanent, SendReason, Sent
from faultwire_consumer.notify.senders.build import senders_of


@pytest.mark.parametrize(
    ("allowed", "expected"),
    [
        ('["127.0.0.0/8"]', Sent()),
        ('"127.0.0.1"', Sent()),
        ('["10.0.0.0/8", "127.0.0.0/30"]', Sent()),
        ("true", Sent()),
        ('["10.0.0.0/8", "fd00::/8", "::1"]', None),
        ("false", None),
    ],
)
async def test_a_receiver_inside_is_reached_only_in_a_network_that_its_rules_name(
    clock: FixedClock, allowed: str, expected: Outcome | None
) -> None:
    async with receiving() as receiver:
        policy = parse_policy(
            f'[receivers.hook]\ntype = "webhook"\nurl = "{receiver.url}/x"\n'
            f"allow_private_addresses = {allowed}\n"
            '[rules.a]\non = "new"\nsend = "now"\n'
        )
        sender = senders_of(policy, clock=clock)["hook"]
        try:
            outcome = await sender.send(notification())
        finally:
            await sender.aclose()
    if expected is not None:
        assert outcome == expected
        return
    assert isinstance(outcome, Permanent)
    assert outcome.reason is SendReason.ADDRESS_REFUSED
    assert not receiver.posted
