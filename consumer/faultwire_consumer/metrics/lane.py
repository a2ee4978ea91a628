"""Metrics of the lanes: does each receive, what has it in hand, and what waits for it at the broker."""

import time

from prometheus_client import CollectorRegistry, Gauge


class LaneMetrics:
    """Gauges by lane; all but the broker's are looked up when somebody asks for them."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.receiving = Gauge(
            "faultwire_lane_receiving",
            "1 while events can come in by this lane, 0 while they cannot.",
            ["lane"],
            registry=registry,
        )
        self.waiting_seconds = Gauge(
            "faultwire_lane_waiting_seconds",
            "Seconds for which a lane has been waiting for the store; 0 while it is not.",
            ["lane"],
            registry=registry,
        )
        self.unacknowledged_messages = Gauge(
            "faultwire_lane_unacknowledged_messages",
            "Messages, or requests of the intake, that this worker has in hand and has not settled.",
            ["lane"],
            registry=registry,
        )
        self.ready_messages = Gauge(
            "faultwire_lane_ready_messages",
            "Messages that wait in the lane's queue at the broker, asked every 15 s; NaN while it does not "
            "answer. Each worker shows the same queue: take the maximum, not the sum.",
            ["lane"],
            registry=registry,
        )
        self.oldest_seconds = Gauge(
            "faultwire_lane_oldest_seconds",
            "Seconds since the oldest event that this worker has in hand occurred; 0 with none in hand.",
            ["lane"],
            registry=registry,
        )
        self.lag_seconds = Gauge(
            "faultwire_lag_seconds",
            "Seconds since the newest event that this worker stored occurred; 0 while its queues are empty.",
            registry=registry,
        )
        self._newest = time.time()
        self._ready: dict[str, float] = {}

    def note_newest(self, moment: float) -> None:
        """Note when the newest event of a batch occurred, in seconds of Unix time."""
        self._newest = max(self._newest, moment)

    def show_ready(self, lane: str, messages: float) -> None:
        """Show how many messages wait at the broker; NaN: nobody knows."""
        self._ready[lane] = messages
        self.ready_messages.labels(lane).set(messages)

    def show_lag(self, *, in_hand: int) -> None:
        """Show how far what is stored is behind, while there is anything to store."""
        is_drained = not in_hand and not any(self._ready.values())
        self.lag_seconds.set(0.0 if is_drained else max(0.0, time.time() - self._newest))
