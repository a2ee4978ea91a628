"""How well errors are grouped, over a corpus whose bugs are known."""

from collections.abc import Sequence
from typing import Final

import pytest
from tests.tools.corpus import Sample
from tests.tools.corpus.clients import client_samples
from tests.tools.corpus.foreign import foreign_samples
from tests.tools.corpus.judging import Judgement, judge
from tests.tools.corpus.python import python_samples
from tests.tools.corpus.texts import text_samples

from faultwire_consumer.ingest.read.grouping import Grouper
from faultwire_consumer.ingest.read.narrow import decode_narrow

PRECISION: Final = 0.985
RECALL: Final = 0.96


@pytest.fixture(scope="module")
def samples() -> list[Sample]:
    return [*python_samples(), *text_samples(), *foreign_samples()]


def grouped(samples: Sequence[Sample]) -> Judgement:
    grouper = Grouper()
    groups = [grouper.group(decode_narrow(sample.body)).fingerprint.key for sample in samples]
    return judge([sample.bug for sample in samples], groups)


def test_the_corpus_is_large_enough_to_judge_by(samples: list[Sample]) -> None:
    assert len(samples) >= 600
    assert len({sample.bug for sample in samples}) >= 80


def test_one_bug_is_one_incident_and_two_are_two_through_four_releases(samples: list[Sample]) -> None:
    found = grouped(samples)
    assert found.precision >= PRECISION, found.merged
    assert found.recall >= RECALL, found.split


def test_events_of_other_languages_clients_are_one_incident_in_two_builds() -> None:
    samples = list(client_samples())
    assert len(samples) >= 300
    assert len({sample.bug for sample in samples}) >= 50
    found = grouped(samples)
    assert found.precision >= PRECISION, found.merged
    assert found.recall >= RECALL, found.split
