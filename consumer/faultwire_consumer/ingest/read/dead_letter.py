"""Dead letters on their way into the store: without secrets, told of once a batch, bare as a last resort."""

import hashlib
from collections.abc import Sequence

from msgspec import structs

from faultwire_consumer.ingest.read.delivery import Delivery
from faultwire_consumer.ingest.read.narrow import event_id_in
from faultwire_consumer.ingest.read.scrubbing import BodyScrubber
from faultwire_consumer.metrics import Metrics
from faultwire_consumer.store.dead_letters.record import NewDeadLetter
from faultwire_shared.logging.logs import get_logger

log = get_logger(__name__)


def with_oddity(detail: str, delivery: Delivery) -> str:
    """Return a dead letter's detail, with what was odd about the message's properties."""
    return f"{detail}; its properties: {delivery.oddity}" if delivery.oddity else detail


def scrubbed_letter(letter: NewDeadLetter, scrubber: BodyScrubber) -> NewDeadLetter:
    """Return a dead letter whose body and id hold no secret: where that is not sure, they are left out."""
    try:
        body = scrubber.scrub_dead_letter(letter.body)
        return structs.replace(letter, body=body, event_id=event_id_in(body))
    except Exception as error:
        log.exception("delivery.failed", origin=letter.origin)
        return _without_body(letter, f"it could not be scrubbed ({type(error).__name__})")


def bare_letter(letter: NewDeadLetter, why: str) -> NewDeadLetter | None:
    """Return what is stored in place of a dead letter that the database refuses; None if that was it."""
    return None if letter.is_bare else _without_body(letter, f"the database refuses it ({why})")


def _without_body(letter: NewDeadLetter, why: str) -> NewDeadLetter:
    """Leave out all that a stranger wrote. The hash of the body makes each a row of its own."""
    digest = hashlib.sha256(letter.body).hexdigest()
    return structs.replace(
        letter,
        body=f'{{"sha256": "{digest}", "bytes": {max(letter.size, len(letter.body))}}}'.encode(),
        detail=_plain(f"its body is not kept: {why}; it is here since {letter.detail}"),
        event_id=None,
        origin=_plain(letter.origin)[:100],
        message_type=None,
        attempts=1,
        size=0,
        is_bare=True,
    )


def _plain(text: str) -> str:
    return text.encode("ascii", "backslashreplace").decode()


def report_dead_letters(letters: Sequence[NewDeadLetter], *, metrics: Metrics) -> None:
    """Count what a batch left among the dead letters; log a line for each reason: there may be thousands."""
    by_reason: dict[str, list[NewDeadLetter]] = {}
    for letter in letters:
        by_reason.setdefault(letter.reason, []).append(letter)
    for reason, alike in by_reason.items():
        metrics.events_dead_lettered.labels(reason=reason).inc(len(alike))
        first = alike[0]
        log.warning(
            "delivery.dead_lettered",
            reason=reason,
            letters=len(alike),
            detail=first.detail,
            event_id=first.event_id,
            origin=first.origin,
        )
