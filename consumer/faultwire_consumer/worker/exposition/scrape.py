"""Looks up what ``/metrics`` shows and changes by itself: the lanes, and the checks of readiness."""

from collections.abc import Sequence

from faultwire_consumer.ingest.receive.lane import LaneLoop
from faultwire_consumer.metrics import Metrics
from faultwire_consumer.metrics.state import Look
from faultwire_shared.health import HealthChecker


def lanes_look(metrics: Metrics, lanes: Sequence[LaneLoop]) -> Look:
    """Return what shows the lanes' state; on the event loop, where they change."""
    shown = metrics.lanes

    async def look() -> None:
        for lane in lanes:
            shown.receiving.labels(lane.lane).set(not lane.why_idle)
            shown.waiting_seconds.labels(lane.lane).set(lane.waiting_seconds)
            shown.unacknowledged_messages.labels(lane.lane).set(lane.in_hand)
            shown.oldest_seconds.labels(lane.lane).set(lane.oldest_seconds)
        shown.show_lag(in_hand=sum(lane.in_hand for lane in lanes))

    return look


def ready_look(metrics: Metrics, ready: HealthChecker) -> Look:
    """Return what shows the checks of readiness, which are a second old at most."""

    async def look() -> None:
        report = await ready.run_checks()
        checks = ((check["name"], check["status"] == "pass") for check in report["checks"])
        metrics.state.show_checks(checks, is_ready=report["status"] == "healthy")

    return look
