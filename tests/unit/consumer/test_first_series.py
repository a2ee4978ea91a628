"""Every series whose labels are known is there before the first event, and nothing is counted twice."""

from prometheus_client import generate_latest
from tests.tools.reference import all_metrics, worker_registry

from faultwire_consumer.domain.policy.text import parse_policy
from faultwire_consumer.metrics import Metrics
from faultwire_consumer.notify.policy_file import shipped_text
from faultwire_consumer.worker.exposition.first_series import show_receivers

UNKNOWN_BEFORE = {
    "faultwire_gateway_client_losses_total",  # reasons times categories: 250, which hardly anybody has
    "faultwire_http_request_seconds",  # which routes are asked for, and how they are answered
    "faultwire_notification_attempts_total",  # the policy's receivers, see below
    "faultwire_ready",  # the checks depend on broker, database and settings; shown when somebody asks
    "faultwire_templates_failed_total",
}


def test_a_metric_with_labels_has_series_from_the_start() -> None:
    empty = {one.name for one in all_metrics() if one.labels and not all(one.labels.values())}
    assert empty == UNKNOWN_BEFORE


def test_the_policy_s_receivers_have_series_from_the_start() -> None:
    metrics = Metrics()
    show_receivers(metrics, parse_policy(shipped_text()))
    name, labels = "faultwire_notification_attempts_total", {"receiver": "log", "outcome": "permanent"}
    assert metrics.registry.get_sample_value(name, labels) == 0


def test_there_is_no_sample_for_when_a_series_began() -> None:
    assert b"_created" not in generate_latest(worker_registry())


def test_each_metric_has_a_sentence_and_a_name_that_says_its_unit() -> None:
    for one in all_metrics():
        assert one.text.endswith("."), one.name
        assert (one.kind == "counter") == one.name.endswith("_total")
