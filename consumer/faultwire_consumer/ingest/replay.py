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
    """Replays dead letters through a pipeline. Events that are already stored are not counted again."""

    def __init__(self, pipeline: Pipeline) -> None:
        self._pipeline = pipeline

    async def replay(self, dead_letter: DeadLetterBody) -> ReplayOutcome:
        """Ingest the body; if it fails again, its own row has counted one more attempt.

        Raises:
            StoreUnavailableError: nothing was written.
        """
        delivery = _delivery_of(dead_letter)
        (outcomes,) = await self._pipeline.ingest([delivery])
        for outcome in outcomes:
            if isinstance(outcome, Retry):
                raise StoreUnavailableError(outcome.reason)
        return _attempt(delivery, outcomes, [result_of(outcome) for outcome in outcomes])

    def rehearse(self, dead_letter: DeadLetterBody, *, now: datetime) -> ReplayOutcome:
        """Find out what a replay would do; it does not ask the store, so it does not see duplicates."""
        delivery = _delivery_of(dead_letter)
        outcomes: list[Outcome] = [
            _expected(candidate)
            for candidate in candidates_of(
                delivery, grouper=Grouper(), scrubber=BodyScrubber(), received_at=now
            )
        ]
        results = [result_of(outcome) for outcome in outcomes]
        rehearsed = [result | {"status": _WOULD[result["status"]]} for result in results]
        return _attempt(delivery, outcomes, rehearsed)


def _delivery_of(dead_letter: DeadLetterBody) -> Delivery:
    # A bad event of a batch was kept alone, with the type of the message that it came in.
    alone = dead_letter.message_type == BATCH_TYPE and dead_letter.body.lstrip()[:1] != b"["
    message_type = EVENT_TYPE if alone else dead_letter.message_type
    return read_delivery(dead_letter.body, message_type, origin=dead_letter.origin, handle=None)


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
    # A bad event among others has become a dead letter of its own; a lone one is still this dead letter.
    whole = delivery.fault is not None or [bytes(event) for event in delivery.events] == [delivery.body]
    if dead and whole:
        return ReplayOutcome(
            is_kept=False, detail=f"{dead[0].reason}: {dead[0].detail}", events=tuple(events)
        )
    return ReplayOutcome(is_kept=True, detail=detail or "it holds no event", events=tuple(events))
