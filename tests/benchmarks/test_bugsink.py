"""The worker on SQLite beside Bugsink on SQLite: events stored in a second, and CPU of an event.

Bugsink does more for an event (it keeps tags and indexes for its page) and takes events over HTTP, where ours
come from RabbitMQ: the ratio is of what an operator gets from the same machine.
"""

import os
import uuid
from typing import Final

import pytest
from tests.benchmarks import bugsink, drain
from tests.benchmarks.report import report
from tests.servers.postgresql import Servers
from tests.servers.process import temporary_home
from tests.servers.rabbitmq import Nodes
from tests.tools.corpus.foreign import foreign_samples
from tests.tools.corpus.judging import judge
from tests.tools.corpus.python import python_samples
from tests.tools.corpus.texts import text_samples

from faultwire_consumer.domain.grouping import version_2
from faultwire_consumer.ingest.read.grouping import material_of
from faultwire_consumer.ingest.read.narrow import decode_narrow
from faultwire_shared import codec
from faultwire_shared.event import BATCH_EVENTS

pytestmark = [pytest.mark.benchmark, pytest.mark.timeout(3600)]

ROUNDS: Final = int(os.environ.get("BENCH_ROUNDS", "3"))
EVENTS: Final = int(os.environ.get("BENCH_EVENTS", str(drain.WORKER_EVENTS)))
THEIR_EVENTS: Final = 200


def test_k5_beside_bugsink(nodes: Nodes, servers: Servers) -> None:
    if why_not := bugsink.install():
        print(f"\nK5 IS NOT MEASURED: Bugsink cannot be installed here.\n{why_not}")
        return
    ours, theirs = [], []
    for turn in range(1, ROUNDS + 1):
        with temporary_home("bugsink") as home:
            theirs.append(bugsink.store(bugsink.set_up(home), THEIR_EVENTS))
        with drain.fresh_place(nodes, servers) as place:
            ours.append(drain.drain_worker(place, EVENTS, a_message=BATCH_EVENTS, on_sqlite=True))
            path = place.home / "worker-0" / "faultwire.db"
            drain.check_counts(place, "incidents", EVENTS, sqlite_path=path)
        print(f"\nK5 round {turn}: worker {ours[-1].rate:,.0f}/s, Bugsink {theirs[-1].rate:.1f}/s")
    rates = [one.rate / other.rate for one, other in zip(ours, theirs, strict=True)]
    seen = {"events/s": [one.rate for one in ours], "against": [one.rate for one in theirs]}
    report("K5 worker / Bugsink, SQLite both, events stored", "at least 250", rates, seen)
    our_cpu, their_cpu = [one.cpu_us for one in ours], [one.cpu_us for one in theirs]
    report(
        "K5 the same: CPU of an event, theirs / the worker's",
        "at least 400",
        [other / one for one, other in zip(our_cpu, their_cpu, strict=True)],
        {"us": our_cpu, "against": their_cpu},
    )


def test_grouping_beside_bugsink() -> None:
    """The labelled corpus of this project, put into both: what each makes of the same events."""
    if why_not := bugsink.install():
        print(f"\nGROUPING BESIDE BUGSINK IS NOT MEASURED: it cannot be installed here.\n{why_not}")
        return
    samples = [*python_samples(), *text_samples(), *foreign_samples()]
    bugs = [sample.bug for sample in samples]
    ours = [version_2.compute(material_of(decode_narrow(sample.body))).key for sample in samples]
    ids = [uuid.uuid4().hex for _ in samples]
    sent = [
        bugsink.in_sentrys_words(codec.decode(sample.body), event_id)
        for sample, event_id in zip(samples, ids, strict=True)
    ]
    with temporary_home("bugsink") as home:
        installed = bugsink.set_up(home)
        with bugsink.running(installed) as (port, _):
            bugsink.send(port, installed.key, sent)
            theirs = bugsink.groups_of(installed, ids)
    our, their = judge(bugs, ours), judge(bugs, theirs)
    report("grouping beside Bugsink, precision", "none", [our.precision], {"Bugsink's": [their.precision]})
    report("grouping beside Bugsink, recall", "none", [our.recall], {"Bugsink's": [their.recall]})
    counts = {"Bugsink's": [float(len(set(theirs)))], "bugs": [float(len(set(bugs)))]}
    report(f"grouping beside Bugsink, groups of {len(bugs)} events", "none", [float(len(set(ours)))], counts)
