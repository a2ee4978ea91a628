"""The gateway's metrics, each with a sentence; what strangers name is bounded before it comes here."""

from prometheus_client import CollectorRegistry, Counter, Gauge


class GatewayMetrics:
    """Counters of what comes through the gateway.

    Args:
        registry: the process's, on which they are shown.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        self.events = Counter(
            "faultwire_gateway_events_total",
            "Events that came through the gateway and were kept, repeated ones included, by protocol.",
            ["protocol"],
            registry=registry,
        )
        self.items_dropped = Counter(
            "faultwire_gateway_items_dropped_total",
            "Items of kinds that are not stored, such as sessions and transactions, by kind.",
            ["kind"],
            registry=registry,
        )
        self.items_broken = Counter(
            "faultwire_gateway_items_broken_total",
            "Items and records that could not be read, while their neighbours could.",
            registry=registry,
        )
        self.client_losses = Counter(
            "faultwire_gateway_client_losses_total",
            "What SDKs say they dropped before it came here, by their reason and data category.",
            ["reason", "category"],
            registry=registry,
        )
        self.refused = Counter(
            "faultwire_gateway_refused_total",
            "Requests of which nothing was taken, by reason.",
            ["reason"],
            registry=registry,
        )
        self.spool_events = Gauge(
            "faultwire_gateway_spool_events",
            "Events in the gateway's spool, which wait for the broker or the database.",
            registry=registry,
        )
