"""When a notification that failed is tried again, as a pure decision."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from faultwire_consumer.domain.sending import GIVE_UP_AFTER, RetryAt, StageReason, after_failure

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)


def wait_after(attempts: int, *, chance: float = 1.0, after_seconds: float | None = None) -> float:
    then = after_failure(attempts=attempts, first_at=NOW, now=NOW, after_seconds=after_seconds, chance=chance)
    assert isinstance(then, RetryAt)
    return (then.due_at - NOW).total_seconds()


def test_the_wait_doubles_from_a_second_to_a_quarter_of_an_hour() -> None:
    assert [wait_after(attempts) for attempts in (1, 2, 3, 4, 11, 500)] == [1, 2, 4, 8, 900, 900]
    assert wait_after(3, chance=0.0) == 2


def test_the_receiver_s_own_wish_is_the_least_wait_and_never_a_shorter_one() -> None:
    assert wait_after(1, after_seconds=120) == 120
    assert wait_after(11, after_seconds=5) == 900


def test_a_receiver_that_asks_for_a_day_is_tried_again_within_the_hour() -> None:
    assert wait_after(1, after_seconds=86_400) == wait_after(1, after_seconds=1e9) == 3600


@given(
    st.integers(1, 10_000),
    st.floats(0, 200_000),
    st.none() | st.floats(0, 1e9),
    st.floats(0, 1, exclude_max=True),
)
def test_nothing_is_tried_later_than_a_day_after_its_first_attempt(
    attempts: int, elapsed: float, wish: float | None, chance: float
) -> None:
    now = NOW + timedelta(seconds=elapsed)
    then = after_failure(attempts=attempts, first_at=NOW, now=now, after_seconds=wish, chance=chance)
    if isinstance(then, RetryAt):
        assert now < then.due_at <= NOW + GIVE_UP_AFTER
    else:
        assert then is StageReason.EXPIRED
