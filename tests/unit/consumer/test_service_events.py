"""Events by service are bounded, and no series of theirs ever goes back."""

from collections import Counter
from collections.abc import Mapping

from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry

from faultwire_consumer.metrics.loudness import OTHER, ROUND_EVENTS, SERVICES, ServiceEvents, ServiceMetrics

_BATCHES = st.lists(
    st.dictionaries(st.sampled_from("abcdefgh"), st.integers(1, ROUND_EVENTS), max_size=4), max_size=30
)


def shown(registry: CollectorRegistry, name: str = "faultwire_service_events_total") -> dict[str, float]:
    return {
        sample.labels["service"]: sample.value
        for family in registry.collect()
        for sample in family.samples
        if sample.name == name
    }


@given(_BATCHES)
def test_every_event_is_counted_once_and_no_series_goes_back(batches: list[Mapping[str, int]]) -> None:
    registry = CollectorRegistry()
    events, total, before = ServiceEvents(registry, services=3, known=5), 0, dict[str, float]()
    grown: Counter[str] = Counter()
    for batch in batches:
        events.add(batch)
        total += sum(batch.values())
        after = shown(registry)
        assert after[OTHER] >= before.get(OTHER, 0)
        for service, value in after.items():
            # What began anew is a reset, as counters have; what stays only grows.
            grown[service] += int(value - before[service] if service in before else value)
            assert service not in before or value >= before[service]
        assert len(after) <= 4
        before = after
    assert sum(grown.values()) <= total


def test_a_service_that_gets_loud_takes_the_name_of_one_that_is_quiet() -> None:
    registry = CollectorRegistry()
    events = ServiceEvents(registry, services=2)
    events.add({"old": 3, "loud": 50})
    events.add({"newcomer": 40})
    assert shown(registry) == {"old": 3, "loud": 50, OTHER: 40}
    events.add({"newcomer": ROUND_EVENTS})
    events.add({"newcomer": 7})
    assert shown(registry) == {"newcomer": 7, "loud": 50, OTHER: 40 + ROUND_EVENTS}


def test_the_newest_events_are_told_of_two_hundred_services_and_of_all_others_together() -> None:
    registry = CollectorRegistry()
    services, name = ServiceMetrics(registry), "faultwire_service_last_event_timestamp_seconds"
    services.show_last({f"service-{number}": float(number) for number in range(1, SERVICES + 3)})
    found = shown(registry, name)
    assert len(found) == SERVICES + 1
    assert found[OTHER] == 2.0
    services.show_last({"billing": 5.0})
    assert shown(registry, name) == {"billing": 5.0, OTHER: 0.0}
