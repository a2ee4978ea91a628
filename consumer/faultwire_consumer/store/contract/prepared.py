"""Queries, and statements that are built once and run with other values each time.

Building one costs SQLAlchemy more time than most databases take to answer it: of 6.4 ms that an incident's
seven statements took, their building took 4.
"""

import inspect
from collections.abc import Callable, Mapping, Sequence
from functools import cache, wraps
from typing import Any, ParamSpec

from msgspec import Struct
from sqlalchemy import Executable, Row, bindparam
from sqlalchemy.ext.asyncio import AsyncConnection

from faultwire_consumer.store.contract.packed_body import UnknownDictionaryError
from faultwire_consumer.store.contract.packing import learn_dictionary, select_dictionary

P = ParamSpec("P")


class Prepared(Struct, frozen=True):
    """A statement, and the values that it runs with this time."""

    statement: Executable
    parameters: Mapping[str, Any]


def prepared(build: Callable[P, Executable]) -> Callable[P, Prepared]:
    """Have a function build its statement once, and give it each call's values.

    Args:
        build: uses its arguments as values in the statement and in no other way: at its one call they are
            bind parameters of their names. So none may be a list, or None.
    """
    signature = inspect.signature(build)

    @cache
    def statement() -> Executable:
        return build(**{name: bindparam(name) for name in signature.parameters})  # type: ignore[call-arg,arg-type]  # as said

    @wraps(build)
    def bind(*args: P.args, **kwargs: P.kwargs) -> Prepared:
        return Prepared(statement(), signature.bind(*args, **kwargs).arguments)

    return bind


class ConnectionReader:
    """Runs queries on a connection that somebody else opened, and closes."""

    def __init__(self, name: str, connection: AsyncConnection) -> None:
        self.name = name
        self._connection = connection

    async def read(self, query: Executable | Prepared) -> Sequence[Row[Any]]:
        """Run one query; a second time where its bodies need a dictionary that was not read yet."""
        while True:
            try:
                return await self._run(query)
            except UnknownDictionaryError as error:
                rows = await self._run(select_dictionary(error.dictionary_id))
                learn_dictionary(error.dictionary_id, rows[0].content if rows else None)

    async def _run(self, query: Executable | Prepared) -> Sequence[Row[Any]]:
        if isinstance(query, Prepared):
            return (await self._connection.execute(query.statement, query.parameters)).all()
        return (await self._connection.execute(query)).all()
