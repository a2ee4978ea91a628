"""A cache of what strangers send stays within its bytes."""

from hypothesis import given
from hypothesis import strategies as st

from faultwire_consumer.ingest.read.byte_memo import ByteMemo


@given(st.lists(st.binary(max_size=50), unique=True))
def test_the_newest_stay_as_far_as_the_budget_goes(keys: list[bytes]) -> None:
    memo: ByteMemo[bytes, int] = ByteMemo(100, lambda key, _: 10 + len(key))
    for number, key in enumerate(keys):
        memo.put(key, number)
    kept = [key for key in keys if memo.get(key) is not None]
    assert kept == keys[len(keys) - len(kept) :]
    assert sum(10 + len(key) for key in kept) <= 100
    if len(kept) < len(keys):
        assert sum(10 + len(key) for key in keys[-len(kept) - 1 :]) > 100


def test_an_entry_beyond_the_whole_budget_is_not_kept() -> None:
    memo: ByteMemo[bytes, int] = ByteMemo(100, lambda key, _: len(key))
    memo.put(b"x" * 101, 1)
    assert len(memo) == 0
