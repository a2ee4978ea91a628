"""The topology as data: keys and queues."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from faultwire_shared.event import Category, ErrorSeverity, Lane
from faultwire_shared.topology import TOPOLOGY, names_service, queue_of, report_key, routing_key


@given(st.sampled_from(ErrorSeverity), st.sampled_from(Category), st.text(min_size=1, max_size=200))
def test_a_routing_key_fits_and_has_four_words_whatever_the_service_is_called(
    severity: ErrorSeverity, category: Category, service: str
) -> None:
    key = routing_key(severity, category, service)
    assert len(key.encode()) <= 255
    assert key.count(".") == 3


@given(st.sampled_from(ErrorSeverity), st.sampled_from(Category), st.text(min_size=1, max_size=300))
def test_a_key_names_the_service_that_it_was_written_for(
    severity: ErrorSeverity, category: Category, service: str
) -> None:
    assert names_service(routing_key(severity, category, service), service)
    assert names_service(report_key(service), service)
    assert not names_service(report_key("x" + service.replace(".", "_")[:200]), service[:200])


@pytest.mark.parametrize(
    ("key", "service", "named"),
    [
        ("event.high.system.shop_eu", "shop.eu", True),
        ("event.high.system.shop", "shop.eu", False),
        ("event.high.system.shop.eu", "shop.eu", False),
        ("event.high.system.", "", True),
        ("", "shop", False),
        ("shop", "shop", True),
    ],
)
def test_the_last_word_of_a_key_names_the_service(key: str, service: str, named: bool) -> None:
    assert names_service(key, service) is named


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
