"""The state of a producer: who owes something and is not heard from is quiet."""

from datetime import UTC, datetime, timedelta

import pytest

from faultwire_consumer.domain.producer.state import (
    ProducerReason,
    ProducerState,
    ProducerVerdict,
    judge_producer,
)

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
REPORTS = ProducerVerdict(ProducerState.REPORTS, ProducerReason.HEARD)
SETTLED = ProducerVerdict(ProducerState.SETTLED, ProducerReason.SAID_ALL)
OWES_EVENTS = ProducerVerdict(ProducerState.QUIET, ProducerReason.ON_ITS_DISK)
OWES_A_WORD = ProducerVerdict(ProducerState.QUIET, ProducerReason.NO_GOODBYE)


@pytest.mark.parametrize(
    ("seen", "reported", "on_disk", "verdict"),
    [
        (10, None, 0, REPORTS),
        (10, 500, 7, REPORTS),
        (90, 500, 0, REPORTS),
        (91, 500, 0, OWES_A_WORD),
        (3600, 3600, 0, SETTLED),
        (3600, 3690, 0, SETTLED),
        (3600, 3691, 0, OWES_A_WORD),
        (3600, None, 0, OWES_A_WORD),
        (3600, 3600, 3, OWES_EVENTS),
        (3600, 7200, 3, OWES_EVENTS),
        (3600, 1800, 0, SETTLED),
    ],
)
def test_who_owes_something_and_is_not_heard_from_is_quiet(
    seen: int, reported: int | None, on_disk: int, verdict: ProducerVerdict
) -> None:
    said = None if reported is None else NOW - timedelta(seconds=reported)
    found = judge_producer(
        last_seen_at=NOW - timedelta(seconds=seen), last_report_at=said, spool_depth=on_disk, now=NOW
    )
    assert found == verdict
