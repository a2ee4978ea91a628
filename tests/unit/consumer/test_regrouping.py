"""What grouping events anew would change."""

from faultwire_consumer.domain.regrouping import Move, add_up, judge


def move(old: str, new: str, *, incident: int, known: int | None = None, events: int = 1) -> Move:
    return Move(
        fingerprint=old,
        incident_id=f"INC-{incident}",
        new_fingerprint=new,
        new_incident_id=None if known is None else f"INC-{known}",
        title="",
        events=events,
        count=events * 2,
        example=f"error_{old}_{new}",
    )


def test_moves_of_two_fingerprints_add_up_over_pages() -> None:
    (first, second) = add_up(
        [move("a", "a", incident=1), move("a", "b", incident=1), move("a", "a", incident=1)]
    )
    assert (first.events, first.count, second.events) == (2, 4, 1)


def test_a_fingerprint_whose_events_would_have_two_splits_its_incident() -> None:
    found = judge([move("a", "a", incident=1, known=1, events=9), move("a", "b", incident=1, events=3)])
    (split,) = found.splits
    assert (split.incidents, [one.events for one in split.moves]) == (("INC-1",), [9, 3])
    assert (found.merges, found.renamed, found.unchanged) == ((), 0, 0)


def test_incidents_whose_events_would_have_one_fingerprint_merge() -> None:
    found = judge([move("a", "c", incident=1), move("b", "c", incident=2)])
    assert [change.incidents for change in found.merges] == [("INC-1", "INC-2")]
    assert (found.splits, found.renamed, found.unchanged) == ((), 0, 0)


def test_events_that_would_go_to_an_incident_that_stands_merge_with_it() -> None:
    (merge,) = judge([move("a", "b", incident=1, known=2)]).merges
    assert merge.incidents == ("INC-1", "INC-2")


def test_several_fingerprints_of_one_incident_may_become_one_and_nothing_changes() -> None:
    found = judge(
        [move("a", "c", incident=1), move("b", "c", incident=1), move("d", "d", incident=3, known=3)]
    )
    assert (found.splits, found.merges, found.renamed, found.unchanged) == ((), (), 2, 1)


def test_events_of_one_fingerprint_that_would_have_two_and_join_one_incident_are_no_split() -> None:
    found = judge([move("a", "b", incident=1, known=1), move("a", "c", incident=1, known=1)])
    assert (found.splits, found.merges, found.renamed, found.unchanged) == ((), (), 1, 0)
