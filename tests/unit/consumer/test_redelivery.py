"""How often a message was delivered, by headers that anybody may have written."""

from typing import Any

import pytest

from faultwire_consumer.ingest.receive.redelivery import attempts_of


@pytest.mark.parametrize(
    ("headers", "attempts"),
    [
        ({}, 1),
        ({"x-delivery-count": 0}, 1),
        ({"x-delivery-count": 3}, 4),
        ({"x-delivery-count": -3}, 1),
        ({"x-delivery-count": 2**62}, 1001),
        ({"x-delivery-count": "3"}, 1),
        ({"x-delivery-count": None}, 1),
        ({"x-delivery-count": 50, "x-acquired-count": 2}, 3),
        ({"x-delivery-count": 1, "x-acquired-count": 2}, 2),
        ({"x-acquired-count": 2}, 1),
        ({"x-delivery-count": 4, "x-acquired-count": "many"}, 1),
    ],
)
def test_the_count_is_the_brokers_only_at_a_later_delivery_and_bounded(
    headers: dict[str, Any], attempts: int
) -> None:
    assert attempts_of(headers, redelivered=True) == attempts
    assert attempts_of(headers, redelivered=False) == 1
