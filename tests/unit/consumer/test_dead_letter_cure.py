"""What mends a dead letter, by its reason."""

from typing import get_args

from faultwire_consumer.domain.dead_letter_cure import cure_of
from faultwire_consumer.domain.outcome import DeadLetterReason


def test_every_reason_has_a_sentence_of_its_own_that_is_short_enough_to_stand_beside_it() -> None:
    reasons = [reason.value for kind in get_args(DeadLetterReason) for reason in kind]
    cures = {reason: cure_of(reason) for reason in reasons}
    assert len(set(cures.values())) == len(reasons)
    for cure in cures.values():
        assert cure.endswith(".")
        assert len(cure) <= 140


def test_another_release_s_reason_has_one_too() -> None:
    assert "does not know" in cure_of("of_another_release")
