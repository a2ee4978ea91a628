"""Grouping: how well, over the labelled corpus, and what it costs beside version 1."""

import timeit
from collections.abc import Callable
from typing import Final

import pytest
from tests.benchmarks.report import report
from tests.tools.corpus import Sample
from tests.tools.corpus.clients import client_samples
from tests.tools.corpus.foreign import foreign_samples
from tests.tools.corpus.judging import judge
from tests.tools.corpus.python import python_samples
from tests.tools.corpus.texts import text_samples

from faultwire_consumer.domain.fingerprint import compute
from faultwire_consumer.domain.grouping import version_1
from faultwire_consumer.domain.grouping.material import Fingerprint, GroupingMaterial
from faultwire_consumer.ingest.read.grouping import Grouper, material_of
from faultwire_consumer.ingest.read.narrow import decode_narrow

pytestmark = pytest.mark.benchmark

ROUNDS: Final = 9
VERSIONS: Final[dict[str, Callable[[GroupingMaterial], Fingerprint]]] = {
    "version 1": version_1.compute,
    "version 2": compute,
}


def corpus() -> list[Sample]:
    return [*python_samples(), *text_samples(), *foreign_samples(), *client_samples()]


def test_precision_and_recall_over_the_corpus() -> None:
    samples = corpus()
    bugs = [sample.bug for sample in samples]
    materials = [material_of(decode_narrow(sample.body)) for sample in samples]
    found = {name: judge(bugs, [by(each).key for each in materials]) for name, by in VERSIONS.items()}
    for name, judgement in found.items():
        print(f"\n{name}: precision {judgement.precision:.4f}, recall {judgement.recall:.4f}")
    print(f"{len(samples)} events of {len(set(bugs))} bugs")
    print(f"split: {found['version 2'].split}, merged: {found['version 2'].merged}")
    before, now = found["version 1"], found["version 2"]
    clients = [sample.bug.startswith("sentry.") for sample in samples]
    chosen = [index for index, is_client in enumerate(clients) if is_client]
    of_clients = judge([bugs[one] for one in chosen], [compute(materials[one]).key for one in chosen])
    print(f"other languages' clients: {len(chosen)} events of {len({bugs[one] for one in chosen})} bugs")
    report("grouping of other clients, precision", "at least 0.985", [of_clients.precision])
    report("grouping of other clients, recall", "at least 0.96", [of_clients.recall])
    report("grouping, precision", "at least 0.985", [now.precision], {"version 1": [before.precision]})
    report("grouping, recall", "at least 0.96", [now.recall], {"version 1": [before.recall]})


def test_what_a_fingerprint_costs_beside_version_1() -> None:
    materials = [material_of(decode_narrow(sample.body)) for sample in corpus()]
    ratios, seen = [], dict[str, list[float]]()
    for _ in range(ROUNDS):
        costs = {
            name: timeit.timeit(lambda: [by(each) for each in materials], number=3) / 3 / len(materials)  # noqa: B023 - called at once
            for name, by in VERSIONS.items()
        }
        ratios.append(costs["version 2"] / costs["version 1"])
        for name, seconds in costs.items():
            seen.setdefault(f"us {name}", []).append(seconds * 1e6)
    report("grouping, version 2 / version 1, each event computed", "none", ratios, seen)


def test_what_a_known_event_costs() -> None:
    events = [decode_narrow(sample.body) for sample in corpus()]
    grouper, number = Grouper(), 3
    seconds = timeit.repeat(lambda: [grouper.group(each) for each in events], number=number, repeat=ROUNDS)
    costs = [each / number / len(events) * 1e6 for each in seconds]
    report("grouping of what was seen before, us an event", "none", costs)
