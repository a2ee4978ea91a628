"""What the worker remembers of other people's texts is short, however long they are."""

import json
from datetime import UTC, datetime
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
