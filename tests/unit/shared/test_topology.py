"""The topology as data: keys and queues."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from faultwire_shared.event import Category, ErrorSeverity, Lane
from faultwire_shared.topology import TOPOLOGY, queue_of, routing_key


@given(st.sampled_from(ErrorSeverity), st.sampled_from(Category), st.text(min_size=1, max_size=200))
def test_a_routing_key_fits_and_has_four_words_whatever_the_service_is_called(
    severity: ErrorSeverity, category: Category, service: str
) -> None:
    key = routing_key(severity, category, service)
    assert len(key.encode()) <= 255
    assert key.count(".") == 3


@pytest.mark.parametrize("severity", ErrorSeverity)
def test_every_severity_has_a_binding_to_its_lane(severity: ErrorSeverity) -> None:
    bound = {binding.queue for binding in TOPOLOGY.bindings if binding.key == f"event.{severity}.#"}
    assert bound == {queue_of(severity.lane)}


def test_no_queue_drops_a_message_by_itself() -> None:
    for queue in TOPOLOGY.queues:
        assert queue.arguments["x-overflow"] == "reject-publish"
        assert queue.arguments["x-delivery-limit"] > 0
        assert "x-message-ttl" not in queue.arguments
    assert {queue.name for queue in TOPOLOGY.queues} == {*(queue_of(lane) for lane in Lane), "faultwire.dead"}
