"""Puts a dead letter's body through ingest again, as if it had just been delivered."""

from collections import Counter
from collections.abc import Sequence
from typing import Any, Final

from faultwire_consumer.domain.dead_letter import ReplayOutcome
from faultwire_consumer.domain.outcome import DeadLettered, Noted, Outcome, Retry, Stored, result_of
from faultwire_consumer.ingest.pipeline import Pipeline
from faultwire_consumer.ingest.read.candidate import Candidate, Decoded, ReceivedReport
from faultwire_consumer.ingest.read.delivery import Delivery, read_delivery
from faultwire_consumer.ingest.read.scrubbing import BodyScrubber
from faultwire_consumer.store.contract.store import StoreUnavailableError
from faultwire_consumer.store.dead_letters.queries import DeadLetterBody
from faultwire_shared.codec import BATCH_TYPE, EVENT_TYPE, PRODUCER_TYPE

_WOULD: Final = {
    "stored": "would_be_stored",
    "dead_lettered": "would_be_dead_lettered",
    "noted": "would_be_noted",
}


REHEARSED: Final = "it was read, grouped and held against retention; whether it is stored was not asked"
"""The extent of a dry run, which writes nothing and opens no transaction."""


class Replayer:
    """Replays dead letters through a pipeline. Events that are already stored are not counted again."""

    def __init__(self, pipeline: Pipeline) -> None:
        self._pipeline = pipeline
        self._scrubber = BodyScrubber()

    async def replay(self, dead_letter: DeadLetterBody) -> ReplayOutcome:
        """Ingest the body; if it fails again, its own row has counted one more attempt.

        A corrected body is rehearsed first: one that is still wrong leaves no second dead letter behind.

        Raises:
            StoreUnavailableError: nothing was written.
        """
        delivery = _delivery_of(dead_letter)
        if dead_letter.edited_body is not None:
            rehearsed = await self.rehearse(dead_letter)
            if not rehearsed.is_kept:
                return rehearsed
        (outcomes,) = await self._pipeline.ingest([delivery])
        for outcome in outcomes:
            if isinstance(outcome, Retry):
                raise StoreUnavailableError(outcome.reason)
        return _attempt(delivery, outcomes, [result_of(outcome) for outcome in outcomes])

    def scrub(self, body: bytes) -> bytes:
        """Return a corrected body without the secrets that a body may not be kept with."""
        return self._scrubber.scrub_dead_letter(body)

    async def rehearse(self, dead_letter: DeadLetterBody) -> ReplayOutcome:
        """Find out what a replay would do, without writing: see `REHEARSED`.

        Raises:
            StoreUnavailableError: retention's floors have to be read, and the database does not answer.
        """
        delivery = _delivery_of(dead_letter)
        outcomes: list[Outcome] = [_expected(each) for each in await self._pipeline.expect(delivery)]
        results = [result_of(outcome) for outcome in outcomes]
        rehearsed = [result | {"status": _WOULD[result["status"]]} for result in results]
        return _attempt(delivery, outcomes, rehearsed)


def _delivery_of(dead_letter: DeadLetterBody) -> Delivery:
    body = dead_letter.replayed_body
    # A bad event of a batch was kept alone, with the type of the message that it came in.
    alone = dead_letter.message_type == BATCH_TYPE and body.lstrip()[:1] != b"["
    message_type = EVENT_TYPE if alone else dead_letter.message_type
    if dead_letter.edited_body is not None and message_type != PRODUCER_TYPE:
        message_type = None  # a corrected body is read by its shape, whatever it once was sent as
    return read_delivery(body, message_type, origin=dead_letter.origin, handle=None)


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
