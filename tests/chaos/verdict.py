"""The verdict: what the clients and the receiver wrote down against what is kept. Pure; trusts no counter
of faultwire's but where it says that they have to agree.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from tests.chaos.book import Book, Life
from tests.chaos.findings import Kept, StoredEvent, Told
from tests.chaos.trouble import SEVERITY_OF, TOLD

OWN: Final = "faultwire"
"""The service under which the worker tells of itself."""
GAP: Final = " did not arrive"
LATE: Final = ("DeadlineMissedError", "DispatcherStalledError")
"""True where faults were in the way of notifications, also of the dispatcher itself."""
_SHOWN: Final = 5

Group = tuple[str, str]


def judge(
    book: Book, told: Sequence[Told], kept: Kept, *, disturbances: int, due: frozenset[str] = TOLD
) -> list[str]:
    """A line for each broken promise; none is the proof.

    Args:
        book: what the clients wrote down.
        told: what the receiver was sent.
        kept: what is left at the end.
        disturbances: faults after which a notification may be sent again under its own key.
        due: severities of which somebody has to be told.
    """
    return [
        *_judge_events(book, kept),
        *_judge_counts(book, kept),
        *_judge_accounts(book),
        *_judge_notifications(told, kept, disturbances, due),
        *_judge_rest(kept),
        *_judge_own_words(book, kept, disturbances),
    ]


def _judge_events(book: Book, kept: Kept) -> Iterator[str]:
    places = Counter(event.event_id for event in kept.events if event.service != OWN) + Counter(kept.dead)
    everywhere = set(places) | set(kept.spooled)
    poison = {event_id for life in book.lives.values() for event_id in life.poison}
    known = {event_id for life in book.lives.values() for event_id in life.told} | poison
    for pid, life in book.lives.items():
        yield from _some("accepted and nowhere", life.accepted - everywhere, pid, life)
        yield from _judge_buffered(pid, life, everywhere)
    yield from _some("dead letters of what can be stored", set(kept.dead) - poison)
    yield from _some("stored, and cannot be", poison & {event.event_id for event in kept.events})
    yield from _some("kept more than once", (one for one, times in places.items() if times > 1))
    strange = sorted(everywhere - known)
    unanswered = sum(sum(life.in_flight.values()) for life in book.lives.values())
    if len(strange) > unanswered:
        yield from _some(f"kept and handed over by nobody ({unanswered} calls had no answer)", strange)


def _judge_buffered(pid: int, life: Life, everywhere: set[str]) -> Iterator[str]:
    """What a process that was not torn was told is kept, or lost for a reason that it counted."""
    if life.is_torn:
        return
    missing = set(life.told) - everywhere - life.accepted - set(life.refused)
    if life.figures is None:
        if not life.had_no_disk:
            yield from _some("in memory before SIGTERM, and nowhere", missing, pid, life)
    elif len(missing) > sum(life.figures.lost.values()):
        yield from _some(f"nowhere, and lost are {life.figures.lost}", missing, pid, life)


def _judge_counts(book: Book, kept: Kept) -> Iterator[str]:
    calls: dict[str, tuple[int, int]] = {}
    for life in book.lives.values():
        for event_id, times in life.told.items():
            calls[event_id] = times, times + life.in_flight[life.group_of[event_id]]
    for event in kept.events:
        least, most = calls.get(event.event_id, (event.count, event.count))
        if not least <= event.count <= most:
            yield f"{event.event_id} counts {event.count}, and {least} to {most} were handed over"
    yield from _judge_sums(kept)
    yield from _judge_grouping(book, kept.events, kept)


def _judge_sums(kept: Kept) -> Iterator[str]:
    sums: Counter[int] = Counter()
    for event in kept.events:
        sums[event.incident] += event.count
    for incident in kept.incidents:
        if incident.count != sums[incident.number]:
            where = f"{incident.service}: {incident.group}"
            yield f"incident {where} counts {incident.count}, and its events {sums[incident.number]}"
    if kept.hourly != sums.total():
        yield f"the hours count {kept.hourly}, and the events {sums.total()}"


def _judge_grouping(book: Book, events: Iterable[StoredEvent], kept: Kept) -> Iterator[str]:
    group_of = {
        event_id: (life.service, group)
        for life in book.lives.values()
        for event_id, group in life.group_of.items()
    }
    incidents = {one.number: (one.service, one.group) for one in kept.incidents}
    wrong = [
        one.event_id
        for one in events
        if one.event_id in group_of and incidents.get(one.incident) != group_of[one.event_id]
    ]
    yield from _some("in an incident that is not theirs", wrong)
    for group, number in Counter(incidents.values()).items():
        if number > 1 and group[0] != OWN:
            yield f"{number} incidents are of {': '.join(group)}"


def _judge_accounts(book: Book) -> Iterator[str]:
    for pid, life in book.lives.items():
        for text in life.raised:
            yield f"a call raised {text} ({_whose(pid, life)})"
        if life.figures is None:
            continue
        if life.figures.difference:
            yield f"the accounting is off by {life.figures.difference} ({_whose(pid, life)}): {life.figures}"
        if life.figures.handled != life.calls.total():
            yield f"{life.calls.total()} calls, and {life.figures.handled} handled ({_whose(pid, life)})"


def _judge_notifications(
    told: Sequence[Told], kept: Kept, disturbances: int, severities: frozenset[str]
) -> Iterator[str]:
    happened = {(one.service, one.group) for one in kept.incidents if one.count}
    due = {one for one in happened if SEVERITY_OF.get(one[1]) in severities}
    taken, keys = Counter[str](), defaultdict[Group, set[str]](set)
    for request in told:
        taken[request.key] += request.was_taken
        for group in request.incidents if request.was_taken else ():
            keys[group].add(request.key)
    seen = {group for request in told for group in request.incidents}
    yield from _some("due, and told to nobody", (": ".join(one) for one in due - set(keys)))
    yield from _some("told, and never happened", (": ".join(one) for one in seen - happened))
    yield from _some(
        "told, and not asked for", (": ".join(one) for one in seen & happened - due if one[0] != OWN)
    )
    for group, several in keys.items():
        if len(several) > 1 and group[0] != OWN:
            yield f"{': '.join(group)} was told under {len(several)} keys: {sorted(several)[:_SHOWN]}"
    for key, times in taken.items():
        if times - 1 > disturbances:
            yield f"{key} was sent {times} times, and {disturbances} faults could be in its way"


def _judge_rest(kept: Kept) -> Iterator[str]:
    yield from _some("left in spools", kept.spooled)
    for number, what in (
        (kept.queued, "messages left in queues"),
        (kept.unsent, "notifications left in the outbox"),
        (kept.given_up, "notifications given up"),
    ):
        if number:
            yield f"{number} {what}"


def _judge_own_words(book: Book, kept: Kept, disturbances: int) -> Iterator[str]:
    """What the worker says of others and of itself has to be true."""
    losers = {one.service for one in book.lives.values() if one.is_torn or one.had_no_disk}
    for service, number in kept.open_gaps.items():
        if service not in losers and not (kept.spooled or kept.queued):
            yield f"{number} gaps are open in the numbers of {service}, which lost nothing"
    for incident in kept.incidents:
        is_true = (GAP in incident.group and losers) or (disturbances and incident.group.startswith(LATE))
        if incident.service == OWN and not is_true:
            yield f"the worker tells of itself: {incident.group}"


def _some(what: str, ids: Iterable[str], pid: int = 0, life: Life | None = None) -> Iterator[str]:
    found = sorted(ids)
    if found:
        shown = ", ".join(found[:_SHOWN]) + (", …" if len(found) > _SHOWN else "")
        yield f"{len(found)} {what}: {shown}" + (f" ({_whose(pid, life)})" if life else "")


def _whose(pid: int, life: Life) -> str:
    return f"{life.client} {pid} of {life.service}"
