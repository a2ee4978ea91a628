"""Local variables that an event brings: kept, scrubbed like the rest, and nothing that it is grouped by."""

import json
from typing import Any

import msgspec
import pytest
from msgspec import Struct, field
from tests.tools.factories import raised, wire_body
from tests.tools.secret import CANARY

from faultwire_consumer.ingest.read.grouping import Grouper
from faultwire_consumer.ingest.read.narrow import decode_narrow
from faultwire_consumer.ingest.read.scrubbing import BodyScrubber
from faultwire_shared import codec
from faultwire_shared.codec import Undecodable


class FrameBefore(Struct):
    """A frame as a worker reads it that is older than its publisher."""

    file: str = ""
    module: str = ""
    qualname: str = ""
    line: int = 0
    in_app: bool = True
    context: list[str] = field(default_factory=list)


def body(
    variables: object = None, *, in_member: bool = False, context: tuple[str, ...] = ("a", "b", "c")
) -> bytes:
    """An event with these variables in its one frame, or in that of a group's only member."""
    one: dict[str, Any] = raised("LookupError")
    one["frames"][0]["context"] = context
    if variables is not None:
        one["frames"][0]["vars"] = variables
    if in_member:
        one = {"type": "ExceptionGroup", "members": [[one]]}
    return wire_body(exceptions=[one])


def key(grouper: Grouper, raw: bytes) -> bytes:
    return grouper.group(decode_narrow(raw)).fingerprint.key


@pytest.mark.parametrize("in_member", [False, True])
def test_variables_take_no_part_in_grouping_and_fill_no_cache(in_member: bool) -> None:
    grouper = Grouper()
    keys = {key(grouper, body({"order": number}, in_member=in_member)) for number in range(50)}
    assert keys == {key(grouper, body(in_member=in_member))}
    assert len(grouper._cache) == 2, "one spelling of the stack without variables, and one of all with them"


@pytest.mark.parametrize("in_member", [False, True])
def test_variables_that_are_none_are_refused_though_the_stack_is_known(in_member: bool) -> None:
    grouper = Grouper()
    grouper.group(decode_narrow(body({"order": 17}, in_member=in_member)))
    with pytest.raises(Undecodable, match="vars"):
        grouper.group(decode_narrow(body(["order", 17], in_member=in_member)))


def test_lines_around_the_one_that_ran_take_no_part_in_grouping() -> None:
    grouper = Grouper()
    around = [("b",), ("a", "b", "c"), ("", "", "  b", "    c", ""), ("1", "2", "b  # why", "3", "4")]
    assert len({key(grouper, body(context=lines)) for lines in around}) == 1
    assert key(grouper, body(context=("a", "c", "b"))) != key(grouper, body(context=("a", "b", "c")))


def test_variables_of_a_stranger_are_scrubbed_by_name_and_by_looks_and_fill_no_cache() -> None:
    scrubber = BodyScrubber()
    for in_member in (False, True):
        raw = body(
            {"password": CANARY, "order": {"api_key": CANARY, "id": 17}, "url": f"amqp://shop:{CANARY}@host"},
            in_member=in_member,
        )
        scrubbed = scrubber.scrub_event(raw)
        assert CANARY.encode() not in scrubbed
        assert b'"id":17' in scrubbed
    assert len(scrubber._stacks) == 1, "the stack alone, once"


def test_variables_of_frames_that_are_none_are_scrubbed_all_the_same() -> None:
    for frames in (
        {"vars": {"password": CANARY}},
        [{"vars": {"password": CANARY}}, "x"],
        [{"vars": f"token={CANARY}"}],
    ):
        raw = wire_body(exceptions=[{"type": "E", "frames": frames}])
        assert CANARY.encode() not in BodyScrubber().scrub_event(raw)


def test_an_older_worker_takes_events_with_variables() -> None:
    frame = json.loads(body({"order": 17}))["exceptions"][0]["frames"][0]
    read = msgspec.convert(frame, FrameBefore)
    assert (read.qualname, read.context) == ("charge", ["a", "b", "c"])


def test_an_event_without_variables_has_none() -> None:
    frame = codec.decode(body()).exceptions[0].frames[0]
    assert frame.vars == {}
    assert b"vars" not in codec.encode(codec.decode(body()))
