"""A histogram that takes a batch at once shows what prometheus_client's own would show."""

import math

from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, Histogram

from faultwire_consumer.metrics import BatchHistogram

BOUNDS = (0.05, 1.0, 86400.0)
_VALUES = st.lists(st.one_of(st.sampled_from(BOUNDS), st.floats(-10, 1e6)), max_size=20)


def shown(registry: CollectorRegistry) -> dict[tuple[str, str], float]:
    return {
        (sample.name, sample.labels.get("le", "")): sample.value
        for family in registry.collect()
        for sample in family.samples
        if not sample.name.endswith("_created")
    }


@given(st.lists(_VALUES, max_size=3))
def test_a_batch_is_counted_as_its_values_one_by_one_are(batches: list[list[float]]) -> None:
    ours, theirs = CollectorRegistry(), CollectorRegistry()
    at_once = BatchHistogram("age_seconds", "Age.", buckets=BOUNDS, registry=ours)
    one_by_one = Histogram("age_seconds", "Age.", buckets=BOUNDS, registry=theirs)
    for batch in batches:
        at_once.observe(batch)
        for value in batch:
            one_by_one.observe(value)
    found, expected = shown(ours), shown(theirs)
    assert found.keys() == expected.keys()
    assert all(math.isclose(found[key], value, abs_tol=1e-6) for key, value in expected.items())
