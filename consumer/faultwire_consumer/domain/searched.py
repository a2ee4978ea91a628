"""The text of an event by which it is found, and the values that it has by name."""

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any, Final

import msgspec
from msgspec import Struct, field

from faultwire_consumer.domain.search_text import search_text, written
from faultwire_shared.event import Scalar
from faultwire_shared.json_text import UNREADABLE
from faultwire_shared.text import storable

USER: Final = "user"
TRACE: Final = "trace"
TYPE: Final = "type"
HOST: Final = "host"
TAG: Final = "tag."
"""The names of values; a tag's is followed by its key."""
VALUE_CHARACTERS: Final = 200
"""Maximum length of a value; a longer one is found by its beginning, with a pattern."""
VALUES: Final = 50
"""The values by which one event is found; its tags come last, and are left out first."""
_TYPES: Final = 10
_PEOPLE: Final = 10


class SearchedEvent(Struct, frozen=True):
    """The text and the values that an event is found by."""

    text: str
    """Folded, a line for each thing that it says."""
    values: tuple[tuple[str, str], ...]
    """Names and values, each pair once."""


class _Raised(Struct, frozen=True):
    """An exception without its frames, which nothing is found by."""

    type: str = ""
    value: str = ""
    members: list[list["_Raised"]] = field(default_factory=list)


class _Said(Struct, frozen=True, kw_only=True):
    """The parts of an event's body that are searched."""

    service: str = ""
    code: str = ""
    message: str = ""
    host: str | None = None
    exceptions: list[_Raised] = field(default_factory=list)
    tags: dict[str, Scalar] = field(default_factory=dict)
    user: dict[str, Any] = field(default_factory=dict)
    transaction: str | None = None
    trace_id: str | None = None


_decoder: Final = msgspec.json.Decoder(_Said)


def read_searched(body: bytes) -> SearchedEvent:
    """Read what an event is found by; a body that no decoder reads is found by nothing."""
    try:
        said = _decoder.decode(body)
        raised = list(_flat(said.exceptions))
    except UNREADABLE:
        return SearchedEvent("", ())
    values = dict.fromkeys(
        (storable(name), storable(value)[:VALUE_CHARACTERS]) for name, value in _values(said, raised)
    )
    return SearchedEvent(_text(said, raised), tuple(pair for pair in values if pair[1])[:VALUES])


def _flat(exceptions: Iterable[_Raised]) -> Iterator[_Raised]:
    for raised in exceptions:
        yield raised
        for chain in raised.members:
            yield from _flat(chain)


def _values(said: _Said, raised: Iterable[_Raised]) -> Iterator[tuple[str, str]]:
    if said.trace_id:
        yield TRACE, said.trace_id.lower()
    yield from ((USER, one) for one in _people(said))
    if said.host:
        yield HOST, said.host
    yield from ((TYPE, one.type) for one in islice(raised, _TYPES) if one.type)
    yield from ((f"{TAG}{key}"[:VALUE_CHARACTERS], written(value)) for key, value in said.tags.items())


def _people(said: _Said) -> Iterator[str]:
    """Yield whatever names the user: an id, an address, a name."""
    for value in islice(said.user.values(), _PEOPLE):
        if isinstance(value, str | int | float) and not isinstance(value, bool):
            yield str(value)


def _text(said: _Said, raised: Iterable[_Raised]) -> str:
    names = [said.service, said.code, said.trace_id or "", said.host or "", said.transaction or ""]
    told = [f"{one.type}: {one.value}" if one.type and one.value else one.type or one.value for one in raised]
    return search_text([*names, *_people(said), said.message, *told], said.tags)
