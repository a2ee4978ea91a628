"""Of events that need no scrubbing, told from their bytes, the same is stored as the scrubber would store."""

import json
from collections.abc import Iterable
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.contract.test_scrubbing import planted_event
from tests.tools.factories import wire_body, wire_event
from tests.tools.secret import CANARY, ORDINARY, PLANTED
from tests.tools.sentry_traffic import RECORDED_AT, events_of, sentry_recordings
from tests.tools.stranger import Stranger

from faultwire_consumer.gateway.reading import ReadingContext
from faultwire_consumer.gateway.sentry.event import read_event
from faultwire_consumer.ingest.read.candidate import Candidate, Decoded, Rejected, candidates_of
from faultwire_consumer.ingest.read.delivery import read_delivery
from faultwire_consumer.ingest.read.grouping import Grouper
from faultwire_consumer.ingest.read.narrow import NarrowEvent, decode_narrow
from faultwire_consumer.ingest.read.scrubbing import BodyScrubber, InertEvent
from faultwire_shared import codec

NOW: Final = datetime(2026, 11, 23, 11, tzinfo=UTC)
GOLDEN: Final = Path(__file__).parents[1] / "golden" / "wire"


class Thorough(BodyScrubber):
    """Scrubs every event as if each might hold a secret."""

    def mark_inert(self, body: bytes, event: NarrowEvent) -> InertEvent | None:
        """Find nothing that surely holds none."""
        return None


class Side:
    """A worker's way of reading, with its memory."""

    def __init__(self, scrubber: BodyScrubber) -> None:
        self._scrubber, self._grouper = scrubber, Grouper()

    def read(self, body: bytes) -> Candidate:
        delivery = read_delivery(body, codec.EVENT_TYPE, origin="test", handle=None)
        (candidate,) = candidates_of(
            delivery, grouper=self._grouper, scrubber=self._scrubber, received_at=NOW
        )
        return candidate


def told(candidate: Candidate) -> Any:
    """All of a candidate that is stored or counted; of a document what it says, not how it is spelled."""
    if isinstance(candidate, Rejected):
        return candidate
    assert isinstance(candidate, Decoded)
    document = json.dumps(msgspec.json.decode(candidate.row.doc), sort_keys=True)
    row = msgspec.structs.replace(candidate.row, doc=b"")
    # A group that was found before keeps its first title; which one that was depends on what was remembered.
    grouped = msgspec.structs.replace(candidate.grouped, title="")
    return document, msgspec.structs.replace(candidate, row=row, grouped=grouped, delivery=None)


def differences(bodies: Iterable[bytes]) -> tuple[int, int, list[bytes]]:
    """How many there were, how many of them were marked as they came, and those read in two ways."""
    quick, thorough = Side(BodyScrubber()), Side(Thorough())
    count = inert = 0
    differing = []
    for body in bodies:
        one, other = quick.read(body), thorough.read(body)
        count += 1
        inert += isinstance(one, Decoded) and one.row.doc == body.rstrip()[:-1] + b',"scrubbed":true}'
        differing += [] if told(one) == told(other) else [body]
    return count, inert, differing


def strangers(count: int, seed: int) -> Iterable[bytes]:
    stranger = Stranger(seed)
    return (stranger.body() for _ in range(count))


def test_two_thousand_events_of_strangers_are_read_alike() -> None:
    count, inert, differing = differences(strangers(2_000, seed=1))
    assert differing[:3] == []
    assert count * 0.2 < inert < count * 0.8


@pytest.mark.e2e
@pytest.mark.parametrize("seed", range(10))
def test_a_hundred_thousand_events_of_strangers_are_read_alike(seed: int) -> None:
    _, inert, differing = differences(strangers(10_000, seed=100 + seed))
    assert differing[:3] == []
    assert inert > 2_000


def test_all_that_the_tests_plant_is_read_alike_and_none_of_it_is_stored() -> None:
    bodies = []
    for text in [planted.text for planted in PLANTED] + [*ORDINARY]:
        event = planted_event(text, now=NOW)
        bodies += [json.dumps(event).encode(), json.dumps(event, ensure_ascii=False, indent=1).encode()]
        bodies.append(json.dumps(planted_event("an ordinary text", now=NOW) | {"message": text}).encode())
    assert differences(bodies)[2] == []
    quick = Side(BodyScrubber())
    for planted in PLANTED:
        for name in ("message", "unknown", planted.text):
            body = wire_body(**{"now": NOW, name: planted.text})
            assert planted.secret.encode() not in document_of(quick.read(body)), planted


def test_every_recorded_event_of_sentrys_sdks_and_each_golden_one_is_read_alike() -> None:
    context = ReadingContext(service="shop", received_at=RECORDED_AT, address="203.0.113.9")
    sent = [one for recording in sentry_recordings() for one in events_of(recording)]
    bodies = [read_event(one.payload, context, one.envelope).body for one in sent]
    bodies += [without_mark(path.read_bytes()) for path in GOLDEN.glob("*/*.json")]
    _, inert, differing = differences(bodies)
    assert differing[:3] == []
    assert inert > 300


@lru_cache(maxsize=1)
def sides() -> tuple[Side, Side]:
    return Side(BodyScrubber()), Side(Thorough())


_NAMES = st.sampled_from(
    ["order", "name", "value", "api key", "Password", "x-auth", "id", "input", "pin", "ship"]
)
_TEXTS = st.one_of(
    st.text(max_size=20),
    st.sampled_from([planted.text for planted in PLANTED]),
    st.sampled_from(ORDINARY),
    _NAMES,
    st.sampled_from(
        ["--password", "-----BEGIN PRIVATE KEY-----", "token:", ",", '",', "b'auth'", "password = ("]
    ),
)
_VALUES = st.recursive(
    st.one_of(
        _TEXTS, st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False)
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.one_of(_NAMES, _TEXTS), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(
    st.dictionaries(_TEXTS, _VALUES, max_size=3),
    st.lists(st.dictionaries(_NAMES, _VALUES, max_size=2), max_size=2),
    st.lists(_TEXTS, max_size=3),
    st.booleans(),
)
def test_whatever_an_event_holds_it_is_read_alike(
    context: dict[str, Any], breadcrumbs: list[dict[str, Any]], lines: list[str], is_ascii: bool
) -> None:
    frames = [{"file": "a.py", "qualname": "pay", "line": 3, "context": lines}]
    event = wire_event(
        now=NOW,
        context=context,
        breadcrumbs=breadcrumbs,
        exceptions=[{"type": "E", "value": "x", "frames": frames}],
        unknown=context,
    )
    body = json.dumps(event, ensure_ascii=is_ascii).encode(errors="replace")
    quick, thorough = sides()
    assert told(quick.read(body)) == told(thorough.read(body))


def test_an_event_without_a_secret_is_kept_as_it_came_and_marked() -> None:
    body = b'{"unknown" : 1.50, "message":"f\\u00fcr", ' + wire_body(now=NOW, message="f\u00fcr")[1:] + b" \n"
    assert document_of(Side(BodyScrubber()).read(body)) == body.rstrip()[:-1] + b',"scrubbed":true}'


def test_an_event_that_says_it_was_not_scrubbed_says_it_once() -> None:
    body = wire_body(now=NOW, scrubbed=False)
    assert document_of(Side(BodyScrubber()).read(body)).count(b'"scrubbed"') == 1


def test_a_name_that_is_given_twice_in_a_frame_hides_nothing() -> None:
    frames = b'[{"file":"a.py","vars":{"password":"%b"},"vars":{}}]' % CANARY.encode()
    for text in (frames, frames.replace(b"vars", b"v\\u0061rs"), frames.replace(b"vars", b"unknown")):
        body = wire_body(now=NOW, exceptions=[{"type": "E", "frames": "@"}]).replace(b'"@"', text)
        assert CANARY.encode() not in document_of(Side(BodyScrubber()).read(body))


def test_a_line_of_source_that_only_names_a_secret_is_looked_at_once() -> None:
    frame = {"file": "a.py", "qualname": "pay", "context": ["    token = next(tokens)"]}
    body = wire_body(now=NOW, exceptions=[{"type": "E", "frames": [frame]}])
    event, scrubber = decode_narrow(body), BodyScrubber()
    assert scrubber.mark_inert(body, event) is not None
    same = wire_body(now=NOW, context={"frames": [frame]}, exceptions=[{"type": "E", "frames": [frame]}])
    assert scrubber.mark_inert(same, decode_narrow(same)) is None, "elsewhere it may be no program"


def document_of(candidate: Candidate) -> bytes:
    assert isinstance(candidate, Decoded), candidate
    return candidate.row.doc


def without_mark(body: bytes) -> bytes:
    return json.dumps(json.loads(body) | {"scrubbed": None}).replace(', "scrubbed": null', "").encode()
