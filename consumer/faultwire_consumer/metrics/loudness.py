"""Events by service, bounded: the most active services by name, and all others as one."""

from collections.abc import Iterator, Mapping
from threading import Lock
from typing import Final

from prometheus_client import CollectorRegistry, Gauge
from prometheus_client.metrics_core import CounterMetricFamily
from prometheus_client.registry import Collector

SERVICES: Final = 200
"""The services that are shown by name."""
KNOWN: Final = 2_000
"""The services of which is remembered how active they are."""
OTHER: Final = "_other"
"""All other services; a name that begins so is nobody's own."""
ROUND_EVENTS: Final = 10_000
"""Events after which those with a name are chosen anew."""


class ServiceEvents(Collector):
    """Counts events of the most active services by name, and those of all others together.

    A service counts under its name from the moment on at which it has one, and begins anew if it gets it
    again: so every series only grows, that of all others too, as counters must.
    """

    def __init__(self, registry: CollectorRegistry, *, services: int = SERVICES, known: int = KNOWN) -> None:
        self._services = services
        self._known = known
        self._shown: dict[str, int] = {}
        self._active: dict[str, int] = {}
        self._others = 0
        self._in_round = 0
        self._lock = Lock()  # it is shown from a thread
        registry.register(self)

    def add(self, counts: Mapping[str, int]) -> None:
        """Count stored events by their services."""
        with self._lock:
            for service, events in counts.items():
                self._add(service, events)
            if self._in_round >= ROUND_EVENTS:
                self._choose()

    def _add(self, service: str, events: int) -> None:
        self._in_round += events
        if service in self._active or len(self._active) < self._known:
            self._active[service] = self._active.get(service, 0) + events
        if service not in self._shown and len(self._shown) >= self._services:
            self._others += events
            return
        self._shown[service] = self._shown.get(service, 0) + events

    def _choose(self) -> None:
        """Give names to the most active ones; what is long ago weighs half as much with each round."""
        self._in_round = 0
        if len(self._shown) >= self._services:
            ranked = sorted(self._active, key=lambda service: self._active[service], reverse=True)
            chosen = ranked[: self._services]
            self._shown = {service: self._shown.get(service, 0) for service in chosen}
        self._active = {service: count // 2 for service, count in self._active.items() if count > 1}

    def collect(self) -> Iterator[CounterMetricFamily]:
        """Yield the counter as ``/metrics`` shows it."""
        family = CounterMetricFamily(
            "faultwire_service_events",
            f"Events stored for the first time, by service: the {self._services} most active, and _other.",
            labels=["service"],
        )
        with self._lock:
            shown, others = dict(self._shown), self._others
        for service, events in shown.items():
            family.add_metric([service], events)
        family.add_metric([OTHER], others)
        yield family


class ServiceMetrics:
    """Services that are loud, and those that went quiet."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.events = ServiceEvents(registry)
        self._last_event = Gauge(
            "faultwire_service_last_event_timestamp_seconds",
            f"When a service's newest stored event occurred, of the {SERVICES} heard last, and of _other the "
            "newest. Each worker shows the same: take the maximum.",
            ["service"],
            registry=registry,
        )
        self._last_event.labels(OTHER)
        self._named: frozenset[str] = frozenset()

    def show_last(self, moments: Mapping[str, float]) -> None:
        """Show when each service's newest event occurred, in place of what was shown before."""
        newest_first = sorted(moments.items(), key=lambda moment: moment[1], reverse=True)
        named, others = dict(newest_first[:SERVICES]), newest_first[SERVICES:]
        for gone in self._named - named.keys():
            self._last_event.remove(gone)
        for service, moment in named.items():
            self._last_event.labels(service).set(moment)
        self._last_event.labels(OTHER).set(others[0][1] if others else 0)
        self._named = frozenset(named)
