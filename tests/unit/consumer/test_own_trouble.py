"""What faultwire reports of its own notifications, and when that would be a loop or a flood."""

from datetime import timedelta

import pytest
from tests.tools.notification import NOON
from tests.unit.consumer.test_pace import due

from faultwire_consumer.domain.notification import NotificationKind
from faultwire_consumer.notify.own_trouble import OwnTrouble, is_own, late_by
from faultwire_consumer.notify.own_watch import OwnWatch, Trouble


def test_trouble_that_lasts_is_told_once_an_hour_for_each_receiver_and_of_all_that_is_late_the_latest() -> (
    None
):
    told = list[Trouble]()
    watch = OwnWatch(told.append)
    for minutes in (0, 1, 59, 60, 61):
        now = NOON + timedelta(minutes=minutes)
        for receiver in ("pager", "chat"):
            watch.note_given_up(receiver, [due()], reason="refused", detail="410 <b>\x1b", now=now)
    assert [one.receiver for one in told] == ["pager", "chat"] * 2
    assert str(told[0].error) == ("a notification for the receiver pager was given up, refused: 410 <b>\\x1b")
    waited = [due(due_at=NOON - timedelta(seconds=late)) for late in (5, 12, 400)]
    watch.note_start("pager", waited, urgent=True, now=NOON)
    assert str(told[-1].error) == (
        "2 notifications for the receiver pager were, at worst, late: critical, "
        "7 min after the time at which it was due"
    )
    own = due(service="faultwire", code="NOTIFICATION_LATE", due_at=NOON - timedelta(days=1))
    watch.note_start("mail", [own], urgent=True, now=NOON)
    watch.note_given_up("mail", [own], reason="expired", detail="", now=NOON)
    assert len(told) == 5


@pytest.mark.parametrize(
    ("kind", "urgent", "seconds", "is_late"),
    [
        (NotificationKind.INCIDENT, True, 11, False),
        (NotificationKind.INCIDENT, True, 12, True),
        (NotificationKind.SUMMARY, False, 90, False),
        (NotificationKind.SUMMARY, False, 91, True),
        (NotificationKind.DIGEST, False, 3_600, False),
        (NotificationKind.DIGEST, False, 3_601, True),
    ],
)
def test_each_kind_has_a_promise(kind: NotificationKind, urgent: bool, seconds: int, is_late: bool) -> None:
    late = late_by(kind, urgent=urgent, due_at=NOON - timedelta(seconds=seconds), now=NOON)
    assert (late is not None) == is_late


def test_trouble_with_reports_of_trouble_is_recognised() -> None:
    assert all(is_own("faultwire", trouble.value) for trouble in OwnTrouble)
    assert not is_own("faultwire", "RETENTION_HELD")
    assert not is_own("billing", OwnTrouble.DEADLINE_MISSED.value)
