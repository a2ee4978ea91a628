"""A bounded cache, and what makes a text safe to store."""

from faultwire_shared.memo import Memo
from faultwire_shared.text import storable


def test_a_full_memo_starts_anew() -> None:
    memo: Memo[int, str] = Memo(maximum=3)
    for number in range(4):
        memo[number] = str(number)
    assert dict(memo) == {3: "3"}


def test_nul_is_replaced_and_everything_else_stays() -> None:
    assert storable("a\x00b\u202e\ufffd") == "a\ufffdb\u202e\ufffd"
    text = "as it was"
    assert storable(text) is text
