"""Writes that are sent together: one statement, in one order, and never later than what follows them."""

from typing import Any

from faultwire_consumer.store.contract.pile import Shape, Write, insertion, together, write_of
from faultwire_consumer.store.postgresql.pile import DriverPile
from faultwire_consumer.store.schema.search import search_queue

ONE = Shape(
    (("one", "INSERT INTO a SELECT * FROM unnest($1::text[], $2::int[]) WHERE {after} RETURNING 1"),), 2
)
TWO = Shape(
    (("source", "SELECT $1::int AS n"), ("two", "INSERT INTO b SELECT n FROM source WHERE {after}")), 1
)


class Driver:
    """Remembers what it was sent."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, tuple[Any, ...]]] = []

    async def fetch(self, text: str, *values: Any) -> list[str]:
        self.sent.append((text, values))
        return ["row"]


def test_each_write_waits_for_the_one_before_it_and_has_parameters_of_its_own() -> None:
    assert together((ONE, TWO)) == (
        "WITH one AS (INSERT INTO a SELECT * FROM unnest($1::text[], $2::int[]) WHERE true RETURNING 1), "
        "source AS (SELECT $3::int AS n), "
        "two AS (INSERT INTO b SELECT n FROM source WHERE (SELECT count(*) FROM one) >= 0) SELECT * FROM two"
    )


def test_rows_become_an_array_for_each_column_of_its_type() -> None:
    shape = insertion("queue", search_queue, ("id", "body"), conflict="ON CONFLICT DO NOTHING")
    ((name, text),) = shape.expressions
    assert name == "queue"
    assert 'AS t ("id", "body") SELECT * FROM unnest($1::BIGINT[], $2::BYTEA[])' in text
    rows = [{"id": 1, "body": b"a"}, {"body": b"b", "id": 2}]
    assert write_of(shape, ("id", "body"), rows).values == [[1, 2], [b"a", b"b"]]


async def test_what_waits_is_sent_once_with_the_last_and_its_rows_are_returned() -> None:
    driver = Driver()
    pile = DriverPile(driver)
    await pile.add(Write(ONE, [["a"], [1]]))
    assert driver.sent == []
    assert await pile.send(Write(TWO, [7])) == ["row"]
    assert driver.sent == [(together((ONE, TWO)), (["a"], [1], 7))]
    assert await pile.send() == ()
    assert len(driver.sent) == 1


async def test_a_second_write_of_a_shape_sends_the_first() -> None:
    driver = Driver()
    pile = DriverPile(driver)
    await pile.add(Write(ONE, [["a"], [1]]))
    await pile.add(Write(ONE, [["b"], [2]]))
    await pile.send()
    assert [values for _, values in driver.sent] == [(["a"], [1]), (["b"], [2])]
