"""What real SDKs of Sentry sent, of twelve years, is stored as an ideal receiver would store it."""

import re
from collections import Counter
from datetime import timedelta
from functools import cache, lru_cache
from typing import Final

import pytest
from msgspec import Struct
from tests.tools.ideal_line import ideal_line
from tests.tools.sentry_traffic import RECORDED_AT, SentEvent, events_of, sentry_recordings
from tests.tools.traffic import Recording, recording

from faultwire_consumer.domain.grouping.call import is_of_library
from faultwire_consumer.domain.grouping.material import GroupingFrame
from faultwire_consumer.gateway.reading import ReadEvent, ReadingContext
from faultwire_consumer.gateway.sentry.event import read_event
from faultwire_consumer.ingest.read.grouping import Grouper
from faultwire_consumer.ingest.read.narrow import decode_narrow
from faultwire_consumer.ingest.read.scrubbing import BodyScrubber
from faultwire_shared.codec import decode
from faultwire_shared.event import EVENT_BYTES, FRAMES, Event

CONTEXT: Final = ReadingContext(service="shop", received_at=RECORDED_AT, address="203.0.113.9")
SECRETS: Final = (
    *(b"hunter2", b"not-real", b"4111 1111", b"4111111111111111", b"SENTRY_DSN"),
    *(b'"vars"', b"{{auto}}", b"203.0.113.9"),
)

PRIVATE: Final = {"cookie", "cookies", "authorization"}


class Judged(Struct, frozen=True):
    """Where we differ from the lines beside the recordings on purpose, and why."""

    reason: str
    pattern: str
    replacement: str
    sdks: str = ""


JUDGED: Final = (
    Judged(
        "a file's place is its path: hosts and schemes are a deployment's",
        r"crash (.*?) (?:https?|app)://[^/ ]*(/\S*?):(\d+|None) in_app",
        r"crash \1 \2:\3 in_app",
    ),
    Judged("nor is a query a place", r"crash \? eventId=\w+:1 ", "crash ? /api/embed/error-page/:1 "),
    Judged(
        "a file's name is not shortened", r"crash generated \(/srv", "crash generated eval at oddities (/srv"
    ),
    Judged("React's boundary is no cause", r" <- React ErrorBoundary [^|<]*? \|", " |"),
    Judged(
        "the raised exception's text is every event's message, so it is not said again",
        r"(?s)^([^:]*: )(.*?)( <- .*?| \{.*?)?( \| \d+ frames.*?)? \| message '\2' \[",
        r"\1\2\3\4 [",
    ),
    Judged("half a pair and U+0000 are U+FFFD", r"a\\ud800b \\0 \n ", "a\ufffdb \ufffd \u2028 "),
    Judged("a note stands on a line of its own", "⏎", "\n"),
    Judged("the first and the last frames are kept", r"999 frames \(999 in app\)", "100 frames (100 in app)"),
    Judged("the last breadcrumbs are kept", "100 crumbs", "50 crumbs"),
    Judged("Python's own library is nobody's code, whether the client says so or nothing", "=-", "=False"),
    Judged(
        "a shell's script is the service's code, though its client does not say so",
        r"2 frames \(0 in app\), crash main /srv/app/failing.sh:3 in_app=False",
        "2 frames (2 in app), crash main /srv/app/failing.sh:3 in_app=True",
    ),
    Judged(
        "clients up to 1.0 take all that is installed for the service's own",
        r"(\d+) frames \(\d+ in app\), crash (\S+) (\S+) in_app=\w+",
        r"\1 frames (… in app), crash \2 \3",
        "sentry-python-0 sentry-python-1.0",
    ),
)


def judged(line: str, name: str) -> str:
    for each in JUDGED:
        if not each.sdks or name.startswith(tuple(each.sdks.split())):
            line = re.sub(each.pattern, each.replacement, line)
    return line


def read(sent: SentEvent, context: ReadingContext = CONTEXT) -> ReadEvent:
    return read_event(sent.payload, context, sent.envelope)


class Handled(Struct, frozen=True):
    sent: SentEvent
    found: ReadEvent
    event: Event


@cache
def handled(name: str) -> list[Handled]:
    found = [(sent, read(sent)) for sent in events_of(recording(name))]
    return [Handled(sent, one, decode(one.body)) for sent, one in found]


@lru_cache(maxsize=1)
def everything() -> list[tuple[str, Handled]]:
    return [(each.name, one) for each in sentry_recordings() for one in handled(each.name)]


def stored_of(name: str) -> list[Event]:
    return [one.event for one in handled(name)]


def described(each: Recording) -> list[str]:
    """The lines that describe events: some say in words what did not come, or which of them did."""
    lines = [line for line in each.ideal if " [" in line and not line.startswith("**")]
    return [line for line in lines if "; service " not in line]


def test_every_recorded_event_is_stored_as_it_should_be() -> None:
    compared = 0
    for each in sentry_recordings():
        ideal = described(each)
        if ideal:
            ours = [judged(ideal_line(event), each.name) for event in stored_of(each.name)]
            assert Counter(ours) == Counter(judged(line, each.name) for line in ideal), each.name
            compared += len(ideal)
    assert compared > 400


def test_every_recorded_event_is_told_in_full_and_grouped() -> None:
    grouper = Grouper()
    for name, one in everything():
        found, event = one.found, one.event
        assert len(found.body) <= EVENT_BYTES
        assert (found.id, found.severity) == (event.id, event.severity), name
        assert event.sdk == (None if name.startswith("raven") else found.sdk), name
        assert not event.scrubbed
        assert "not_read" not in event.context, (name, event.context)
        grouper.group(decode_narrow(found.body))
    assert len(everything()) > 600


def test_an_event_keeps_its_id_however_often_and_whenever_it_is_sent() -> None:
    tomorrow = ReadingContext(service="shop", received_at=RECORDED_AT + timedelta(days=1))
    for name, one in everything():
        told = one.sent.told
        assert one.found.id.endswith(told["event_id"])
        assert one.found == read(one.sent)
        assert one.found.id == read(one.sent, tomorrow).id or "timestamp" not in told, name


def test_a_browser_that_sends_an_event_again_from_its_offline_store_is_counted_once() -> None:
    sent = handled("sentry-browser-11/offline.reset-first-3")
    assert len(sent) == 4
    assert len({one.found.id for one in sent}) == 3


def test_nothing_private_outlives_the_worker_s_scrubbing() -> None:
    scrubber, seen = BodyScrubber(), Counter[str]()
    for recorded, one in everything():
        body = scrubber.scrub_event(one.found.body)
        assert not [secret for secret in SECRETS if secret in body], recorded
        request = decode(body).request
        headers = {name.lower(): value for name, value in request.get("headers", {}).items()}
        private = [value for told in (headers, request) for name, value in told.items() if name in PRIVATE]
        assert set(private) <= {"[scrubbed]", ""}, recorded
        seen.update(headers.keys() & PRIVATE)
    assert min(seen[name] for name in ("cookie", "authorization")) > 5


@pytest.mark.parametrize("sdk", ["sentry-python-0.20", "sentry-python-1.0", "sentry-python-2.75"])
def test_of_python_s_frames_those_of_the_script_are_the_service_s_own(sdk: str) -> None:
    for event in [
        one for scenario in ("flask", "fastapi", "celery") for one in stored_of(f"{sdk}/{scenario}")
    ]:
        own = {frame.file for frame in event.exceptions[0].frames if frame.in_app}
        assert "start.py" in own
        assert own <= {"start.py", "web.py", "celery_app.py"}


def test_no_own_frame_is_one_that_grouping_would_take_for_a_library_s() -> None:
    for name, one in everything():
        for frame in (frame for exception in one.event.exceptions for frame in exception.frames):
            known = GroupingFrame(frame.module, frame.qualname, frame.file, frame.in_app, frame.context)
            assert not (frame.in_app and is_of_library(known)), (name, frame)


def test_a_group_s_members_are_no_chain_of_causes() -> None:
    python = stored_of("sentry-python-2.75/group")[0].exceptions
    assert [each.type for each in python] == ["ExceptionGroup"]
    first, inner = python[0].members
    assert [each.type for each in first] == ["ValueError"]
    assert [[one.type for one in chain] for chain in inner[0].members] == [["KeyError"], ["OSError"]]
    assert inner[0].members[1][0].attributes == {"errno": 28}


def test_react_s_boundary_is_kept_beside_the_error_and_not_as_its_cause() -> None:
    event = stored_of("sentry-browser-11/react")[0]
    assert [each.type for each in event.exceptions] == ["PaymentError", "TypeError"]
    assert "section (<anonymous>:0)" in event.context["react"]["components"]


def test_an_uncaught_error_is_unhandled_though_only_its_cause_says_so() -> None:
    one = handled("sentry-browser-11/onerror")[0]
    assert one.sent.told["exception"]["values"][-1]["mechanism"]["handled"] is True
    assert not one.event.handled


def test_what_was_thrown_and_is_no_error_is_marked_and_keeps_its_text() -> None:
    thrown = [event for event in stored_of("sentry-node-11/oddities") if event.message == "a bare string"]
    assert [event.exceptions[0].attributes for event in thrown] == [{"synthetic": True}]
    message = [event for event in stored_of("sentry-node-11/message") if event.message == "cache is cold"]
    assert [each.type for event in message for each in event.exceptions] == [""]


def test_a_recursion_s_begin_and_end_are_kept_and_the_cut_is_told() -> None:
    event = stored_of("sentry-python-2.75/recursion")[0]
    assert len(event.exceptions[0].frames) == FRAMES
    assert "exceptions.frames" in event.truncated


def test_a_large_event_is_cut_and_says_what_was() -> None:
    for name in ("sentry-python-2.75/big", "sentry-node-11/big", "sentry-browser-11/big"):
        assert all(one.event.truncated for one in handled(name)), name
