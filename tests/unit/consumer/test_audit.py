"""What a batch says of its producers."""

import json
from datetime import UTC, datetime

from tests.tools.factories import wire_event

from faultwire_consumer.ingest.read.audit import heard_in
from faultwire_consumer.ingest.read.candidate import candidates_of
from faultwire_consumer.ingest.read.delivery import read_delivery
from faultwire_consumer.ingest.read.grouping import Grouper
from faultwire_consumer.ingest.read.scrubbing import BodyScrubber
from faultwire_consumer.store.audit.heard import Speaker
from faultwire_shared.codec import BATCH_TYPE

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)


def test_a_producer_whose_name_holds_nul_is_one_whether_its_events_can_be_read_or_not() -> None:
    read = wire_event(producer_id="p\x001", service="shop\x00", sequence=1)
    broken = wire_event(producer_id="p\x001", service="shop\x00", sequence=2, count=0)
    delivery = read_delivery(json.dumps([read, broken]).encode(), BATCH_TYPE, origin="http", handle=None)
    candidates = candidates_of(delivery, grouper=Grouper(), scrubber=BodyScrubber(), received_at=NOON)
    (producer,) = heard_in(candidates).items()
    speaker, heard = producer
    assert (speaker, sorted(heard.sequences)) == (Speaker("p\ufffd1", "shop\ufffd"), [1, 2])
