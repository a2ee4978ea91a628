"""How fresh a read replica is, by an injected clock."""

from faultwire_consumer.store.replica.freshness import Freshness


def test_a_replica_that_has_replayed_so_far_has_what_was_committed_before_the_question() -> None:
    freshness = Freshness()
    assert not freshness.has(0)
    freshness.note_primary(100, at=10)
    freshness.note_replica(100)
    assert freshness.has(9.9)
    assert not freshness.has(10)
    assert freshness.behind_seconds == 0


def test_it_is_behind_since_the_last_position_that_it_passed() -> None:
    freshness = Freshness()
    for second in range(50):
        freshness.note_primary(100 + second, at=second)
        freshness.note_replica(105)
    assert freshness.behind_seconds == 44
    freshness.note_replica(148)
    assert freshness.behind_seconds == 1


def test_one_that_never_caught_up_is_behind_since_the_first_question() -> None:
    freshness = Freshness()
    freshness.note_primary(100, at=10)
    freshness.note_replica(7)
    freshness.note_primary(101, at=40)
    assert freshness.behind_seconds == 30
    assert not freshness.has(0)


def test_on_a_primary_where_nothing_is_written_it_does_not_age() -> None:
    freshness = Freshness()
    for second in range(100):
        freshness.note_primary(100, at=second)
        freshness.note_replica(100)
    assert freshness.behind_seconds == 0
    assert freshness.has(98.9)


def test_a_promoted_primary_that_lacks_the_end_of_the_old_log_is_measured_by_its_own() -> None:
    freshness = Freshness()
    freshness.note_primary(500, at=1)
    freshness.note_replica(400)
    freshness.note_primary(410, at=2)
    freshness.note_replica(410)
    assert freshness.behind_seconds == 0


def test_a_replica_that_is_behind_for_days_takes_no_more_memory_and_keeps_its_age() -> None:
    freshness = Freshness()
    freshness.note_primary(0, at=0)
    freshness.note_replica(0)
    for second in range(1, 100_000):
        freshness.note_primary(second, at=second)
    assert freshness.behind_seconds == 99_999
    assert len(freshness._samples) <= 600
    freshness.note_replica(100_000)
    assert freshness.behind_seconds == 0
