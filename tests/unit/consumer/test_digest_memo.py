"""The memo of digests: what it remembers is short, and no clock that was ahead rules it."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.tools.factories import wire_event

from faultwire_consumer.domain.policy.text import parse_policy
from faultwire_consumer.ingest.read.candidate import Decoded, candidates_of
from faultwire_consumer.ingest.read.delivery import read_delivery
from faultwire_consumer.ingest.read.grouping import Grouper
from faultwire_consumer.ingest.read.scrubbing import BodyScrubber
from faultwire_consumer.ingest.rules.digest_memo import DigestMemo
from faultwire_shared.codec import EVENT_TYPE

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
POLICY = """
[receivers.log]
type = "log"
[rules.low]
{where}
on = ["continued"]
send = "daily"
"""


def decoded(**fields: Any) -> Decoded:
    body = json.dumps(wire_event(now=NOON, **fields)).encode()
    delivery = read_delivery(body, EVENT_TYPE, origin="test", handle=None)
    (event,) = candidates_of(delivery, grouper=Grouper(), scrubber=BodyScrubber(), received_at=NOON)
    assert isinstance(event, Decoded)
    return event


def test_a_digest_s_memo_holds_hashes_and_tells_kinds_apart() -> None:
    emoji = "\U0001f600" * 190
    events = [decoded(environment=f"{emoji}{number}", tags={"region": emoji}) for number in range(3)]
    for where, kinds in (('environment = ["*"]', 3), ('tags = {region = ["*"]}', 1), ("", 1)):
        memo = DigestMemo(parse_policy(POLICY.format(where=where)).digests)
        memo.due_at(NOON)
        keys = list(memo.unsettled(events))
        assert len(keys) == kinds, where
        assert all(len(key) <= 17 for key in keys)
        memo.settle(keys, first_due=memo.first_due, now=NOON)
        assert not memo.unsettled(events)


def test_digests_come_on_their_day_when_a_clock_that_was_ahead_is_set_back() -> None:
    memo = DigestMemo(parse_policy(POLICY.format(where="")).digests)
    memo.due_at(NOON + timedelta(days=200))
    (due_at,) = memo.due_at(NOON).values()
    assert NOON < due_at <= NOON + timedelta(days=1)
    assert memo.first_due == due_at
