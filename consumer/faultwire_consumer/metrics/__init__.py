"""Every metric of the worker, declared once with a sentence; ``GET /metrics`` shows them."""

from faultwire_consumer.metrics.histogram import BatchHistogram as BatchHistogram
from faultwire_consumer.metrics.worker import Metrics as Metrics
