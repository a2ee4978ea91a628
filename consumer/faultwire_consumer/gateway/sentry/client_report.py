"""Reads what an SDK says it dropped before it came here: the only trace of those events."""

from typing import Any, Final

from faultwire_consumer.gateway.lenient import UnreadableError, read_json
from faultwire_consumer.gateway.reading import ClientLoss
from faultwire_shared.event import COUNT_MAX, NAME_CHARACTERS

REPORT_BYTES: Final = 4_096
"""Of one report, at most: Sentry's own bound."""
LOSSES: Final = 50
"""Pairs of reason and category of one request that are kept apart; the others are counted under `REST`."""
REST: Final = "other"
DEFAULT_CATEGORY: Final = "default"


class UnreadableReportError(Exception):
    """A client report is no JSON object."""


def read_report(payload: bytes) -> list[ClientLoss]:
    """Read a report's ``discarded_events``; an entry that counts nothing is left out.

    Raises:
        UnreadableReportError: it is no JSON object.
    """
    try:
        told = read_json(payload)
    except UnreadableError as error:
        raise UnreadableReportError(str(error)) from None
    if not isinstance(told, dict):
        raise UnreadableReportError("it is no object")
    entries = told.get("discarded_events")
    return merge_losses([loss for one in _list(entries) if (loss := _loss(one))])


def merge_losses(losses: list[ClientLoss]) -> list[ClientLoss]:
    """Add up what is said of the same reason and category; at most `LOSSES` of them, and one for the rest."""
    counts: dict[tuple[str, str], int] = {}
    for loss in losses:
        key = (loss.reason, loss.category)
        if key not in counts and len(counts) >= LOSSES:
            key = (REST, DEFAULT_CATEGORY)
        counts[key] = min(counts.get(key, 0) + loss.count, COUNT_MAX)
    return [ClientLoss(reason=reason, category=category, count=n) for (reason, category), n in counts.items()]


def _loss(entry: Any) -> ClientLoss | None:
    told = entry if isinstance(entry, dict) else {}
    count = told.get("quantity")
    if isinstance(count, bool) or not isinstance(count, int | float) or count < 1:
        return None
    return ClientLoss(
        reason=_name(told.get("reason")) or REST,
        category=_name(told.get("category")) or DEFAULT_CATEGORY,
        count=int(min(count, COUNT_MAX)),
    )


def _name(value: Any) -> str:
    return value.strip()[:NAME_CHARACTERS] if isinstance(value, str) else ""


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
