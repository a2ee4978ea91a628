"""Puts a dead letter's body through ingest again, as if it had just been delivered."""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from faultwire_consumer.domain.dead_letter import ReplayOutcome
from faultwire_consumer.domain.outcome import DeadLettered, Noted, Outcome, Retry, Stored, result_of
from faultwire_consumer.ingest.pipeline import Pipeline
from faultwire_consumer.ingest.read.candidate import Candidate, Decoded, ReceivedReport, candidates_of
from faultwire_consumer.ingest.read.delivery import Delivery, read_delivery
from faultwire_consumer.ingest.read.grouping import Grouper
from faultwire_consumer.ingest.read.scrubbing import BodyScrubber
from faultwire_consumer.store.contract.store import StoreUnavailableError
from faultwire_consumer.store.dead_letters.queries import DeadLetterBody
from faultwire_shared.codec import BATCH_TYPE, EVENT_TYPE

_WOULD: Final = {
    "stored": "would_be_stored",
    "dead_lettered": "would_be_dead_lettered",
    "noted": "would_be_noted",
}


class Replayer:
    """Replays dead letters through a pipeline. Events that are stored already are not counted again."""

    def __init__(self, pipeline: Pipeline) -> None:
        self._pipeline = pipeline

    async def replay(self, letter: DeadLetterBody) -> ReplayOutcome:
        """Ingest the body; where it fails again, its own row has counted an attempt more.

        Raises:
            StoreUnavailableError: nothing was written.
        """
        delivery = _delivery_of(letter)
        (outcomes,) = await self._pipeline.ingest([delivery])
        for outcome in outcomes:
            if isinstance(outcome, Retry):
                raise StoreUnavailableError(outcome.reason)
        return _attempt(delivery, outcomes, [result_of(outcome) for outcome in outcomes])

    def rehearse(self, letter: DeadLetterBody, *, now: datetime) -> ReplayOutcome:
        """What a replay would find in the body; asks the store nothing, so a duplicate is not seen."""
        delivery = _delivery_of(letter)
        outcomes: list[Outcome] = [
            _expected(one)
            for one in candidates_of(delivery, grouper=Grouper(), scrubber=BodyScrubber(), received_at=now)
        ]
        results = [result_of(outcome) for outcome in outcomes]
        told = [result | {"status": _WOULD[result["status"]]} for result in results]
        return _attempt(delivery, outcomes, told)


def _delivery_of(letter: DeadLetterBody) -> Delivery:
    # One bad event of a batch was kept alone, with the type of the message that it came in.
    alone = letter.message_type == BATCH_TYPE and letter.body.lstrip()[:1] != b"["
    message_type = EVENT_TYPE if alone else letter.message_type
    return read_delivery(letter.body, message_type, origin=letter.origin, handle=None)


def _expected(candidate: Candidate) -> Outcome:
    if isinstance(candidate, Decoded):
        return Stored(candidate.row.event_id)
    if isinstance(candidate, ReceivedReport):
        return Noted(candidate.report.producer_id)
    return candidate.outcome


def _attempt(delivery: Delivery, outcomes: Sequence[Outcome], events: list[dict[str, Any]]) -> ReplayOutcome:
    dead = [outcome for outcome in outcomes if isinstance(outcome, DeadLettered)]
    counted = Counter(event["status"] for event in events)
    detail = ", ".join(f"{count} {status.replace('_', ' ')}" for status, count in sorted(counted.items()))
    # A bad event among others has become a dead letter of its own; the only one is this letter still.
    whole = delivery.fault is not None or [bytes(event) for event in delivery.events] == [delivery.body]
    if dead and whole:
        return ReplayOutcome(
            is_kept=False, detail=f"{dead[0].reason}: {dead[0].detail}", events=tuple(events)
        )
    return ReplayOutcome(is_kept=True, detail=detail or "it holds no event", events=tuple(events))
