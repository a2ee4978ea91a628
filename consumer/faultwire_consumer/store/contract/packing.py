"""The one door of stored bodies: what a store packs them with, and the type by which queries unpack them."""

from typing import Any, Final

from sqlalchemy import Dialect, LargeBinary, Select, select
from sqlalchemy.types import TypeDecorator

from faultwire_consumer.store.contract.packed_body import (
    DamagedBodyError,
    Dictionary,
    Packer,
    UnknownDictionaryError,
    unpack,
)
from faultwire_consumer.store.schema.events import body_dictionaries
from faultwire_shared.logging.logs import get_logger
from faultwire_shared.memo import Memo

READS_PACKED: Final = 7_140_923_390
"""PostgreSQL's advisory lock that each session of a worker shares that reads packed bodies."""

log = get_logger("faultwire.store")

# A dictionary's id is made of its content, and neither ever changes: whichever store it was read from.
_known: Final[Memo[int, Dictionary]] = Memo(64)
# Apart, and many: a dictionary that is lost, or an id that damage made, must not push out what is in use.
_lost: Final[Memo[int, bool]] = Memo()


class Packing:
    """The packer that a store uses: none, until somebody says so."""

    def __init__(self) -> None:
        self._packer: Packer | None = None

    @property
    def dictionary_id(self) -> int | None:
        """The dictionary that is in use; None while bodies are stored as they come."""
        return self._packer.dictionary_id if self._packer is not None else None

    def use(self, packer: Packer | None) -> None:
        """Pack with this from now on; with None bodies are stored as they come."""
        self._packer = packer

    def pack(self, body: bytes) -> bytes:
        """Return a body as it is to be stored."""
        return self._packer.pack(body) if self._packer is not None else body


class StoredBody(TypeDecorator[bytes]):
    """A body in a query's result: unpacked, or as it is stored where it is damaged, which no JSON looks like.

    Raises:
        UnknownDictionaryError: while a result is read; a store's reader learns it, and asks again.
    """

    impl = LargeBinary
    cache_ok = True

    def process_result_value(self, value: Any, dialect: Dialect) -> bytes | None:
        """Return the body as it came."""
        if value is None:
            return None
        try:
            return unpack(value, _find)
        except DamagedBodyError as error:
            log.error("body.damaged", why=str(error))  # noqa: TRY400 - where it came from says nothing
            return bytes(value)


def select_dictionary(dictionary_id: int) -> Select[Any]:
    """Select a dictionary by the id that frames name."""
    return select(body_dictionaries.c.content).where(body_dictionaries.c.id == dictionary_id)


def learn_dictionary(dictionary_id: int, content: bytes | None) -> None:
    """Remember what the store has by that id; None where it has nothing."""
    if content is None:
        _lost[dictionary_id] = True
    else:
        _known[dictionary_id] = Dictionary(content)


def _find(dictionary_id: int) -> Dictionary | None:
    if (found := _known.get(dictionary_id)) is not None:
        return found
    if dictionary_id in _lost:
        return None
    raise UnknownDictionaryError(dictionary_id)
