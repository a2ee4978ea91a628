"""The verdict finds each violation that is planted, and finds nothing where all is as promised."""

import json
from collections.abc import Callable

import pytest
from msgspec.structs import replace
from tests.chaos.book import Book, Figures
from tests.chaos.findings import Kept, StoredEvent, StoredIncident, Told
from tests.chaos.verdict import judge

FIGURES = {
    "handled": 5,
    "confirmed": 3,
    "spooled": 0,
    "adopted": 0,
    "collapsed": 2,
    "buffered": 0,
    "lost": {},
}
"""Of process 1: a storm of three, one event of another group, and one more."""
TILL, MENU, BASKET = ("shop", "till"), ("shop", "menu"), ("shop", "basket")

Plant = Callable[[Book, list[Told], Kept], None]


def book() -> Book:
    """Process 1 has closed, 2 was killed while a call was in flight, 3 sent what cannot be stored."""
    found = Book()
    lines = ["call 1 till", "told 1 till t1 buffered"] * 3
    lines += ["call 1 menu", "told 1 menu m1 buffered", "call 1 basket", "told 1 basket b1 spooled"]
    lines += ["kept 1 t1", "kept 1 m1", f"end 1 {json.dumps(FIGURES)}"]
    lines += [
        "call 2 menu",
        "told 2 menu m2 confirmed",
        "call 2 menu",
        "told 2 menu m3 buffered",
        "call 2 menu",
    ]
    for line in lines:
        found.read(line, client="loop", service="shop")
    for line in ("poison 3 p1", "kept 3 p1"):
        found.read(line, client="stranger", service="shop")
    found.note_end(1, 0)
    found.note_end(2, -9)
    return found


def told() -> list[Told]:
    return [Told("new:1", (TILL,), True), Told("new:3", (BASKET,), False), Told("new:3", (BASKET,), True)]


def kept() -> Kept:
    """Of the killed process the event that it was told was confirmed, and one that nobody was told of."""
    return Kept(
        events=[
            StoredEvent("t1", "shop", 3, 1),
            StoredEvent("m1", "shop", 1, 2),
            StoredEvent("b1", "shop", 1, 3),
            StoredEvent("m2", "shop", 1, 2),
            StoredEvent("m4", "shop", 1, 2),
        ],
        incidents=[
            StoredIncident(1, *TILL, 3),
            StoredIncident(2, *MENU, 3),
            StoredIncident(3, *BASKET, 1),
        ],
        hourly=7,
        dead=["p1"],
    )


def test_what_is_as_promised_is_no_violation() -> None:
    assert judge(book(), told(), kept(), disturbances=0) == []


def recount(kept: Kept, event_id: str, count: int) -> None:
    """The event counts that, and everything that is summed up agrees with it."""
    (before,) = [one for one in kept.events if one.event_id == event_id]
    kept.events[kept.events.index(before)] = replace(before, count=count)
    for place, incident in enumerate(kept.incidents):
        if incident.number == before.incident:
            kept.incidents[place] = replace(incident, count=incident.count + count - before.count)
    kept.hourly += count - before.count


def lose(kept: Kept, event_id: str) -> None:
    """The event is gone from everything, without a trace."""
    recount(kept, event_id, 0)
    kept.events = [one for one in kept.events if one.event_id != event_id]


def lose_accepted(_: Book, __: list[Told], kept: Kept) -> None:
    lose(kept, "m2")


def lose_buffered(book: Book, _: list[Told], kept: Kept) -> None:
    book.lives[1].accepted.discard("m1")
    lose(kept, "m1")


def lose_at_sigterm(book: Book, _: list[Told], __: Kept) -> None:
    book.note_end(2, -15)


def store_twice(_: Book, __: list[Told], kept: Kept) -> None:
    kept.events.append(StoredEvent("m1", "shop", 0, 2))


def store_and_bury(_: Book, __: list[Told], kept: Kept) -> None:
    kept.dead.append("m1")


def invent(_: Book, __: list[Told], kept: Kept) -> None:
    for number in (5, 6):
        kept.events.append(StoredEvent(f"m{number}", "shop", 0, 2))


def count_too_little(_: Book, __: list[Told], kept: Kept) -> None:
    recount(kept, "t1", 2)


def count_too_much(_: Book, __: list[Told], kept: Kept) -> None:
    recount(kept, "t1", 4)


def count_incident_twice(_: Book, __: list[Told], kept: Kept) -> None:
    kept.incidents[1] = replace(kept.incidents[1], count=4)


def count_an_hour_twice(_: Book, __: list[Told], kept: Kept) -> None:
    kept.hourly += 1


def mix_groups(_: Book, __: list[Told], kept: Kept) -> None:
    kept.events[1] = replace(kept.events[1], incident=3)


def split_a_group(_: Book, __: list[Told], kept: Kept) -> None:
    kept.incidents.append(StoredIncident(4, *MENU, 0))


def raise_into_the_host(book: Book, _: list[Told], __: Kept) -> None:
    book.read("raised 1 RecursionError", client="loop", service="shop")


def figures_of(book: Book) -> Figures:
    figures = book.lives[1].figures
    assert figures is not None
    return figures


def account_wrongly(book: Book, _: list[Told], __: Kept) -> None:
    figures = figures_of(book)
    book.lives[1].figures = replace(figures, confirmed=figures.confirmed - 1)


def handle_one_less(book: Book, _: list[Told], __: Kept) -> None:
    figures = figures_of(book)
    book.lives[1].figures = replace(figures, handled=4, confirmed=figures.confirmed - 1)


def tell_nobody(_: Book, told: list[Told], __: Kept) -> None:
    told.pop()


def tell_what_never_was(_: Book, told: list[Told], __: Kept) -> None:
    told.append(Told("new:9", (("shop", "vault"),), True))


def tell_what_nobody_asks_for(_: Book, told: list[Told], __: Kept) -> None:
    told.append(Told("new:2", (MENU,), True))


def tell_under_two_keys(_: Book, told: list[Told], __: Kept) -> None:
    told.append(Told("new:1-again", (TILL,), True))


def tell_again_without_a_reason(_: Book, told: list[Told], __: Kept) -> None:
    told.append(told[0])


def leave_in_a_spool(_: Book, __: list[Told], kept: Kept) -> None:
    kept.spooled.append("m1")


def leave_in_a_queue(_: Book, __: list[Told], kept: Kept) -> None:
    kept.queued = 1


def leave_in_the_outbox(_: Book, __: list[Told], kept: Kept) -> None:
    kept.unsent = 1


def give_up(_: Book, __: list[Told], kept: Kept) -> None:
    kept.given_up = 1


def bury(_: Book, __: list[Told], kept: Kept) -> None:
    lose(kept, "m1")
    kept.dead.append("m1")


def store_poison(_: Book, __: list[Told], kept: Kept) -> None:
    kept.dead.remove("p1")
    kept.events.append(StoredEvent("p1", "shop", 0, 2))


def lose_poison(_: Book, __: list[Told], kept: Kept) -> None:
    kept.dead.remove("p1")


def accuse_falsely(book: Book, _: list[Told], kept: Kept) -> None:
    del book.lives[2], book.lives[3]
    kept.dead.clear()
    kept.events = kept.events[:3]
    kept.incidents[1] = replace(kept.incidents[1], count=1)
    kept.hourly = 5
    kept.open_gaps = {"shop": 1}


def blame_the_worker(_: Book, __: list[Told], kept: Kept) -> None:
    kept.incidents.append(StoredIncident(9, "faultwire", "ConnectionResetError: Connection lost", 0))


@pytest.mark.parametrize(
    ("plant", "violation"),
    [
        (lose_accepted, "1 accepted and nowhere: m2 (loop 2 of shop)"),
        (lose_buffered, "1 nowhere, and lost are {}: m1 (loop 1 of shop)"),
        (lose_at_sigterm, "1 in memory before SIGTERM, and nowhere: m3 (loop 2 of shop)"),
        (store_twice, "1 kept more than once: m1"),
        (store_and_bury, "1 kept more than once: m1"),
        (invent, "3 kept and handed over by nobody (1 calls had no answer): m4, m5, m6"),
        (count_too_little, "t1 counts 2, and 3 to 3 were handed over"),
        (count_too_much, "t1 counts 4, and 3 to 3 were handed over"),
        (count_incident_twice, "incident shop: menu counts 4, and its events 3"),
        (count_an_hour_twice, "the hours count 8, and the events 7"),
        (mix_groups, "1 in an incident that is not theirs: m1"),
        (split_a_group, "2 incidents are of shop: menu"),
        (raise_into_the_host, "a call raised RecursionError (loop 1 of shop)"),
        (account_wrongly, "the accounting is off by 1 (loop 1 of shop)"),
        (handle_one_less, "5 calls, and 4 handled (loop 1 of shop)"),
        (tell_nobody, "1 due, and told to nobody: shop: basket"),
        (tell_what_never_was, "1 told, and never happened: shop: vault"),
        (tell_what_nobody_asks_for, "1 told, and not asked for: shop: menu"),
        (tell_under_two_keys, "shop: till was told under 2 keys: ['new:1', 'new:1-again']"),
        (tell_again_without_a_reason, "new:1 was sent 2 times, and 0 faults could be in its way"),
        (bury, "1 dead letters of what can be stored: m1"),
        (store_poison, "1 stored, and cannot be: p1"),
        (lose_poison, "1 accepted and nowhere: p1 (stranger 3 of shop)"),
        (leave_in_a_spool, "1 left in spools: m1"),
        (leave_in_a_queue, "1 messages left in queues"),
        (leave_in_the_outbox, "1 notifications left in the outbox"),
        (give_up, "1 notifications given up"),
        (accuse_falsely, "1 gaps are open in the numbers of shop, which lost nothing"),
        (blame_the_worker, "the worker tells of itself: ConnectionResetError: Connection lost"),
    ],
    ids=lambda one: getattr(one, "__name__", None),
)
def test_each_planted_violation_is_found(plant: Plant, violation: str) -> None:
    seen = book(), told(), kept()
    plant(*seen)
    found = judge(*seen, disturbances=0)
    assert any(one.startswith(violation) for one in found), found


def test_a_notification_may_be_sent_again_as_often_as_faults_could_be_in_its_way() -> None:
    sent = [*told(), told()[0]]
    assert judge(book(), sent, kept(), disturbances=1) == []
    assert len(judge(book(), [*sent, sent[0]], kept(), disturbances=1)) == 1


def test_a_worker_that_says_it_was_late_is_believed_where_something_was_in_its_way() -> None:
    left = kept()
    left.incidents.append(StoredIncident(9, "faultwire", "DeadlineMissedError: 24 s", 0))
    assert judge(book(), told(), left, disturbances=1) == []
    assert judge(book(), told(), left, disturbances=0) == [
        "the worker tells of itself: DeadlineMissedError: 24 s"
    ]


def test_a_line_that_no_client_writes_is_refused() -> None:
    with pytest.raises(ValueError, match="no line of a client's"):
        book().read("tell 1 till t1", client="loop", service="shop")
