"""Which bodies an incident's budget keeps."""

from datetime import UTC, datetime, timedelta

from faultwire_consumer.domain.body_budget import (
    PLACES,
    Body,
    BodyCandidate,
    BodyReason,
    BudgetSpent,
    Decision,
    ceiling_of,
    decide_bodies,
)

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
LIMIT = 100


def sight(
    number: int, *, after: float = 0, release: str | None = "1", host: str | None = "a"
) -> BodyCandidate:
    return BodyCandidate(f"error_{number:06d}", NOON + timedelta(seconds=after), release, host)


def keep(spent: BudgetSpent, sights: list[BodyCandidate], limit: int = LIMIT) -> list[Decision]:
    """Decide for them one after the other, each committed before the next."""
    found = []
    for one in sights:
        decision = decide_bodies(spent, [one], limit)[one.event_id]
        spent.count([one])
        if decision.body is Body.KEPT:
            spent.keep(one)
        found.append(decision)
    return found


def full_opening() -> BudgetSpent:
    """An incident that has spent the first fifth, and is twenty seconds old."""
    spent = BudgetSpent()
    keep(spent, [sight(number, after=number) for number in range(LIMIT // 5)])
    return spent


def test_the_first_fifth_of_the_budget_goes_to_the_first_events() -> None:
    spent = BudgetSpent()
    reasons = [one.reason for one in keep(spent, [sight(number) for number in range(LIMIT)])]
    assert reasons[0] is BodyReason.FIRST
    assert reasons[1:20] == [BodyReason.OPENING] * 19
    assert set(reasons[20:]) == {BodyReason.TOO_SOON}


def test_the_first_event_of_a_release_and_of_a_host_is_kept_and_the_second_is_not() -> None:
    news = [sight(100, after=20, release="2"), sight(101, after=20, host="b"), sight(102, after=20, host="b")]
    reasons = [one.reason for one in keep(full_opening(), news)]
    assert reasons == [BodyReason.NEW_RELEASE, BodyReason.NEW_HOST, BodyReason.TOO_SOON]


def test_releases_without_end_leave_something_for_the_time_to_come() -> None:
    spent = full_opening()
    decided = keep(spent, [sight(200 + number, after=20, release=str(number)) for number in range(1_000)])
    assert sum(one.reason is BodyReason.NEW_RELEASE for one in decided) <= PLACES
    assert spent.bodies <= LIMIT * 3 // 4
    assert len(spent.releases) <= PLACES


def test_what_is_kept_grows_with_the_logarithm_of_the_age() -> None:
    spent, kept = BudgetSpent(), []
    for number in range(60_000):
        keep(spent, [sight(number, after=number)], 1_000)
        if number in (600, 6_000, 59_999):
            kept.append(spent.bodies)
    grown = [kept[1] - kept[0], kept[2] - kept[1]]
    assert all(65 <= one <= 85 for one in grown)


def test_a_late_flood_of_old_events_spends_nothing() -> None:
    spent = full_opening()
    decided = keep(spent, [sight(1_000 + number, after=number / 100) for number in range(1_500)])
    assert {one.reason for one in decided} == {BodyReason.TOO_SOON}


def test_an_event_with_a_clock_decades_behind_does_not_stop_the_spreading() -> None:
    spent = full_opening()
    keep(spent, [sight(999, after=-20 * 365 * 86_400)])
    decided = keep(spent, [sight(2_000 + day, after=(day + 2) * 86_401) for day in range(10)])
    assert [one.reason for one in decided] == [BodyReason.SPREAD] * 10


def test_a_spent_budget_keeps_the_newest_event_only_as_long_as_it_is_the_last() -> None:
    spent = full_opening()
    spent.bodies = ceiling_of(LIMIT)
    (decided,) = keep(spent, [sight(500, after=90_000, release="9")])
    assert decided == Decision(Body.LAST, BodyReason.SPENT)


def test_of_a_batch_the_newest_and_an_older_first_are_kept_beside_the_events() -> None:
    spent = full_opening()
    batch = [sight(301, after=19.2), sight(302, after=-5), sight(303, after=19.5), sight(304, after=-1)]
    decided = decide_bodies(spent, batch, LIMIT)
    assert [decided[one.event_id].body for one in batch] == [Body.NONE, Body.FIRST, Body.LAST, Body.NONE]
    late = decide_bodies(spent, [sight(305, after=5)], LIMIT)
    assert [one.body for one in late.values()] == [Body.NONE]


def test_deciding_changes_nothing_that_was_known() -> None:
    spent = full_opening()
    before = spent.copy()
    decide_bodies(
        spent, [sight(400 + number, after=50 + number, host=f"h{number}") for number in range(9)], 100
    )
    assert spent == before
