"""A worker at half of what it can do, for as long as it takes: its memory at the beginning and at the end.

``python -m tests.benchmarks.soak MINUTES``. First it drains a full queue, which says what it can do; then it
is fed at half of that rate. What it holds after a tenth of the time (the second of twenty minutes) is
compared with what it holds at the end, and every event must be in the database.
"""

import statistics
import sys
import time
from typing import Final

from tests.benchmarks import drain
from tests.benchmarks.feeding import publish_evenly
from tests.benchmarks.report import report
from tests.servers.postgresql import Servers
from tests.servers.process import wait_until
from tests.servers.rabbitmq import Nodes
from tests.tools.usage import resident_mib

from faultwire_shared.event import BATCH_EVENTS

WARM_SHARE: Final = 0.1
SAMPLES_SECONDS: Final = 15.0
"""Memory is the median of what was seen in these seconds before the moment."""
SAMPLE_SECONDS: Final = 1.0


def feed(place: drain.Place, per_second: float, seconds: float, pid: int) -> tuple[int, list[float]]:
    """Publish batches at a steady rate; how many events, and the memory at each second."""
    samples, started = list[float](), time.monotonic()
    for sent in publish_evenly(place.broker_url, per_second):
        elapsed = time.monotonic() - started
        if len(samples) < elapsed / SAMPLE_SECONDS:
            samples.append(resident_mib(pid))
        if elapsed > seconds:
            return sent, samples
    raise AssertionError("it publishes without end")


def main(minutes: float) -> None:
    nodes, servers = Nodes(), Servers(durable=True)
    try:
        with drain.fresh_place(nodes, servers) as place:
            rate = drain.drain_worker(place, a_message=BATCH_EVENTS).rate
            print(f"saturated: {rate:,.0f} events a second")
        with drain.fresh_place(nodes, servers) as place:
            _soak(place, rate / 2, minutes * 60)
    finally:
        nodes.stop()
        servers.stop()


def _soak(place: drain.Place, per_second: float, seconds: float) -> None:
    worker = drain.worker_at(place, "worker", database_url=place.database.url)
    worker.prepare()
    worker.start()
    try:
        sent, samples = feed(place, per_second, seconds, worker.process.pid)
        stored = "SELECT count(*) FROM faultwire.events"
        wait_until(lambda: int(place.database.execute(stored)) >= sent, "all is stored", seconds=300, pause=1)
        assert int(place.database.execute(stored)) == sent
        drain.check_counts(place, "faultwire.incidents", sent)
    finally:
        worker.kill()
    window = int(SAMPLES_SECONDS / SAMPLE_SECONDS)
    warm = int(len(samples) * WARM_SHARE)
    early, late = (
        statistics.median(samples[max(0, warm - window) : warm]),
        statistics.median(samples[-window:]),
    )
    text = f"S1 memory after {seconds / 60:.3g} minutes at half of the rate / after a tenth of them"
    seen = {"MiB early": [early], "MiB late": [late], "events/s": [per_second]}
    report(text, "at most 1.02", [late / early], seen)
    step = max(1, len(samples) // 20)
    print("MiB: " + " ".join(f"{one:.1f}" for one in samples[::step]))


if __name__ == "__main__":
    main(float(sys.argv[1]))
