"""How many messages a lane holds follows their size."""

from hypothesis import given
from hypothesis import strategies as st

from faultwire_consumer.ingest.receive.prefetch import (
    ALONE,
    BUDGET_BYTES,
    PREFETCH_MAX,
    PREFETCH_MIN,
    PrefetchPlan,
)
from faultwire_shared.event import MESSAGE_BYTES


def changes(plan: PrefetchPlan, size: int, times: int) -> int:
    return sum(plan.note(size) for _ in range(times))


def test_it_starts_with_one_and_then_with_what_fits_if_every_message_is_at_its_limit() -> None:
    plan = PrefetchPlan()
    assert plan.messages == ALONE
    assert plan.note(300)
    assert plan.messages > ALONE
    assert plan.messages * 0.9 * MESSAGE_BYTES <= BUDGET_BYTES


def test_a_suspect_is_held_alone_until_something_else_comes() -> None:
    plan = PrefetchPlan()
    changes(plan, 300, 500)
    assert plan.note(300, is_suspect=True)
    assert plan.messages == ALONE
    assert not plan.note(300, is_suspect=True)
    assert plan.note(300)
    assert plan.messages >= PREFETCH_MIN


def test_small_messages_raise_it_to_the_most_in_a_few_steps() -> None:
    plan = PrefetchPlan()
    assert changes(plan, 2_200, 500) <= 8
    assert plan.messages == PREFETCH_MAX
    assert changes(plan, 2_200, 10_000) == 0


def test_large_messages_after_small_ones_lower_it() -> None:
    plan = PrefetchPlan()
    changes(plan, 300, 1_000)
    changes(plan, MESSAGE_BYTES, 300)
    assert plan.messages * MESSAGE_BYTES <= 2 * BUDGET_BYTES


@given(st.lists(st.integers(0, MESSAGE_BYTES), max_size=300))
def test_it_stays_between_its_bounds_whatever_comes(sizes: list[int]) -> None:
    plan = PrefetchPlan()
    for size in sizes:
        plan.note(size)
        assert PREFETCH_MIN <= plan.messages <= PREFETCH_MAX
