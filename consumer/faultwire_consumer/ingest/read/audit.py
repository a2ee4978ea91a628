"""News of a batch's producers: the numbers that arrived, and their own reports."""

from collections.abc import Iterable
from typing import Final

from msgspec import Raw

from faultwire_consumer.domain.outcome import AccessReason
from faultwire_consumer.domain.producer.sequence import Lost
from faultwire_consumer.ingest.read.candidate import Candidate, Decoded, ReceivedReport, Rejected, sender_of
from faultwire_consumer.ingest.read.delivery import IMPORT
from faultwire_consumer.ingest.read.narrow import number_in
from faultwire_consumer.ingest.read.wire_time import storable_time, was_never_set
from faultwire_consumer.store.audit.heard import Heard, Speaker, counted, counted_kinds
from faultwire_shared.codec import Undecodable, split
from faultwire_shared.event import Sdk
from faultwire_shared.text import storable

_SDK_CHARACTERS: Final = 100


def heard_in(candidates: Iterable[Candidate]) -> dict[Speaker, Heard]:
    """Sort a batch by producer. Duplicates and dead letters arrived too: they are not missing.

    An import may be only a part of what was numbered, so its numbers say nothing.
    """
    heard: dict[Speaker, Heard] = {}
    for candidate in candidates:
        if _origin_of(candidate) == IMPORT:
            continue
        if isinstance(candidate, ReceivedReport):
            _add_report(heard, candidate)
        elif isinstance(candidate, Decoded):
            row = candidate.row
            if row.producer_id and row.sequence is not None:
                speaker = Speaker(row.producer_id, row.service, sender_of(candidate.delivery))
                heard.setdefault(speaker, Heard()).sequences.append(row.sequence)
        elif candidate.outcome.reason is AccessReason.SERVICE_NOT_ALLOWED:
            continue  # its number is another service's affair
        elif (numbered := number_in(candidate.dead_letter.body)) is not None:
            producer_id, service, sequence = numbered
            speaker = Speaker(producer_id, service, candidate.sender)
            heard.setdefault(speaker, Heard()).sequences.append(sequence)
    return heard


def _origin_of(candidate: Candidate) -> str:
    return candidate.dead_letter.origin if isinstance(candidate, Rejected) else candidate.delivery.origin


def heard_of_dead(bodies: Iterable[bytes]) -> dict[Speaker, Heard]:
    """Collect the numbers in the broker's dead letters by producer: they stay here until a replay."""
    heard: dict[Speaker, Heard] = {}
    for body in bodies:
        for raw in _members(body):
            if (numbered := number_in(raw)) is not None:
                producer_id, service, sequence = numbered
                heard.setdefault(Speaker(producer_id, service), Heard()).dead.append(sequence)
    return heard


def _members(body: bytes) -> list[Raw]:
    try:
        return split(body, None)
    except Undecodable:
        return []


def _client_of(sdk: Sdk | None) -> str | None:
    words = [] if sdk is None else [word for word in (sdk.name, sdk.version) if word]
    return storable(" ".join(words))[:_SDK_CHARACTERS] or None


def _add_report(heard: dict[Speaker, Heard], candidate: ReceivedReport) -> None:
    report = candidate.report
    sender = sender_of(candidate.delivery)
    speaker = Speaker(storable(report.producer_id), storable(report.service), sender)
    producer = heard.setdefault(speaker, Heard())
    producer.host = storable(report.host)
    producer.reported_at = candidate.received_at
    if not was_never_set(report.started_at):
        producer.started_at = storable_time(report.started_at, received_at=candidate.received_at)
    producer.spool_depth = report.spool_depth
    producer.sdk = _client_of(report.sdk)
    producer.last_sequence = max(producer.last_sequence, report.last_sequence)
    producer.via = storable(report.via) or None
    producer.unnumbered = max(producer.unnumbered, report.unnumbered)
    lost = [Lost(storable(lost.reason), lost.count, lost.first, lost.last) for lost in report.lost]
    producer.lost += lost
    producer.lost_counts |= counted(lost)
    producer.dropped |= counted_kinds(report.dropped)
