"""An envelope is read as it arrives, whatever its pieces, and one item of it is held at most."""

import tracemalloc
from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.tools.traffic import KEY, recordings
from tests.tools.traffic_body import content_of

from faultwire_consumer.gateway.sentry.envelope import ITEMS, LINE_BYTES, EnvelopeReader, Item
from faultwire_consumer.gateway.sentry.envelope_header import EnvelopeHeader
from faultwire_consumer.gateway.sentry.header_line import UnreadableEnvelopeError, normal_id
from faultwire_shared.event import Sdk

NO_LENGTHS: list[Any] = [-1, "5", 1.5, None, True, []]
MEBIBYTE = 1024 * 1024
WANTED = {"event": 1_000, "client_report": 100}
EVENT = b'{"message": "m"}'


def read(pieces: Iterable[bytes], wanted: dict[str, int] = WANTED) -> tuple[list[Item], EnvelopeReader]:
    reader = EnvelopeReader(wanted)
    found = [item for piece in pieces for item in reader.feed(piece)]
    return [*found, *reader.finish()], reader


def told(pieces: Iterable[bytes]) -> tuple[Any, ...]:
    """All that a reader tells of an envelope, or its error."""
    try:
        found, reader = read(pieces)
    except UnreadableEnvelopeError as error:
        return (str(error),)
    return found, reader.header, reader.dropped, reader.broken


def payloads(body: bytes) -> list[bytes]:
    return [item.payload for item in read([body])[0]]


def item(kind: str, payload: bytes, **more: Any) -> bytes:
    return msgspec.json.encode({"type": kind} | more) + b"\n" + payload + b"\n"


def sized(kind: str, payload: bytes) -> bytes:
    return item(kind, payload, length=len(payload))


def pieces_of(body: bytes, size: int) -> Iterator[bytes]:
    return (body[at : at + size] for at in range(0, len(body), size))


SESSION = item("session", b"{}")


@pytest.mark.parametrize(
    ("body", "events", "dropped", "broken"),
    [
        (b"{}", 0, {}, 0),
        (b"{}\n", 0, {}, 0),
        (b"{}\n\n\n", 0, {}, 0),
        (b'{}\n{"type":"event"}', 0, {}, 0),
        (b'{}\n{"type":"event"}\n', 0, {}, 0),
        (b"{}\n" + item("event", EVENT), 1, {}, 0),
        (b"{}\n" + item("event", EVENT)[:-1], 1, {}, 0),
        (b"{}\n" + sized("event", EVENT), 1, {}, 0),
        (b"{}\n" + sized("event", EVENT)[:-1], 1, {}, 0),
        (b"{}\n\n \n" + sized("event", EVENT) + b"\n\n" + item("event", EVENT) + b"\n\n", 2, {}, 0),
        (b"{}\r\n" + sized("event", EVENT).replace(b"\n", b"\r\n") + item("event", EVENT), 2, {}, 0),
        (b"\xef\xbb\xbf{}\n" + item("event", EVENT), 1, {}, 0),
        (b"{}\n" + SESSION + item("event", EVENT) + SESSION, 1, {"session": 2}, 0),
        (b"{}\n" + item("news", b"{}") + item("nel", b"") + item("event", EVENT), 1, {"other": 2}, 0),
        (b"{}\n" + sized("attachment", b"\n\x00\xff\n{}\n" + item("event", EVENT)), 0, {"attachment": 1}, 0),
        # Lengths that are none: the payload ends with its line.
        *((b"{}\n" + item("event", EVENT, length=one), 1, {}, 0) for one in NO_LENGTHS),
        # Lengths that lie: what came before stays, what follows is not looked at.
        (b"{}\n" + item("event", EVENT) + item("event", EVENT, length=999) + item("event", EVENT), 1, {}, 1),
        (b"{}\n" + item("event", EVENT, length=2**63), 0, {}, 1),
        (b"{}\n" + item("session", b"{}", length=5) + item("event", EVENT), 0, {"session": 1}, 1),
        (b"{}\n" + sized("event", EVENT) + item("log", b"ab", length=1) + SESSION, 1, {"log": 1}, 1),
        (b"{}\n" + sized("event", EVENT)[:-1] + b"\rx", 1, {}, 1),
        # Headers that are none.
        (b"{}\n" + item("event", EVENT) + b"rubbish\n{}\n" + item("event", EVENT), 1, {}, 1),
        (b"{}\n" + item("event", EVENT) + b"[]\n{}\n" + item("event", EVENT), 1, {}, 1),
        (b"{}\n" + item("event", EVENT) + b"rubbish", 1, {}, 1),
        (b"{}\n{}\nx\n" + item("event", EVENT), 1, {}, 1),
        (b'{}\n{"type": 7, "length": 3}\n\n\n\n\n' + item("event", EVENT), 1, {}, 1),
        # Items that are too large, and too many.
        (b"{}\n" + item("event", b"x" * 1_001) + item("event", EVENT), 1, {}, 1),
        (b"{}\n" + sized("event", b"x\n" * 501) + item("event", EVENT), 1, {}, 1),
        (b"{}\n" + sized("event", b"x" * 1_000) + item("client_report", b"x" * 101), 1, {}, 1),
        (b"{}\n" + item("event", EVENT) * (ITEMS + 5), ITEMS, {}, 1),
    ],
)  # fmt: skip
def test_framing(body: bytes, events: int, dropped: dict[str, int], broken: int) -> None:
    for size in (1, 7, len(body)):
        found, reader = read(pieces_of(body, size))
        assert (len(found), reader.dropped, reader.broken) == (events, dropped, broken)


def test_a_payload_is_what_its_length_says_or_its_line() -> None:
    assert payloads(b"{}\n" + sized("event", b"a\nb\x00\r\n") + item("event", b"c")) == [
        b"a\nb\x00\r\n",
        b"c",
    ]
    assert payloads(b"{}\n" + sized("event", b"") + sized("event", b"d")) == [b"", b"d"]


@pytest.mark.parametrize(
    "body", [b"", b"\n", b"[]", b"null\n", b"rubbish\n{}", b"\x1f\x8b", b"{" + b" " * 2 * LINE_BYTES]
)
def test_what_does_not_begin_like_an_envelope_is_refused_by_name(body: bytes) -> None:
    for size in (1_000, len(body) or 1):
        with pytest.raises(UnreadableEnvelopeError):
            read(pieces_of(body, size))


def test_the_header_says_what_fits_and_the_rest_is_left_out() -> None:
    line = {
        "event_id": "A94A8FE5-CCB1-9BA6-1C4C-0873D391E987",
        "sent_at": "2026-11-30T10:00:00.123456789Z",
        "dsn": f"https://{KEY}@host/1",
        "sdk": {"name": "sentry.python", "version": "2.75.0", "packages": []},
        "trace": {"trace_id": "t", "sampled": True, "release": "r" * 300, "environment": "e"},
        "more": 1,
    }
    reader = read([msgspec.json.encode(line)])[1]
    assert reader.header == EnvelopeHeader(
        event_id=KEY,
        sent_at=datetime(2026, 11, 30, 10, 0, 0, 123456, tzinfo=UTC),
        dsn=f"https://{KEY}@host/1",
        sdk=Sdk(name="sentry.python", version="2.75.0"),
        trace={"trace_id": "t", "environment": "e"},
    )
    wrong: dict[str, Any] = {"event_id": 7, "sent_at": "now", "dsn": {}, "sdk": {"name": None}, "trace": []}
    assert read([msgspec.json.encode(wrong)])[1].header == EnvelopeHeader()


def test_times_without_a_zone_are_of_utc_and_impossible_ones_are_none() -> None:
    times = ["2026-11-30T10:00:00", "2026-11-30T12:00:00+02:00", "0001-01-01T00:00:00+14:00", "2026"]
    headers = [read([msgspec.json.encode({"sent_at": each})])[1].header for each in times]
    moment = datetime(2026, 11, 30, 10, tzinfo=UTC)
    assert [header and header.sent_at for header in headers] == [moment, moment, None, None]


def test_an_id_is_32_hex_digits_in_any_spelling() -> None:
    assert normal_id(f" {KEY[:8]}-{KEY[8:].upper()} ") == KEY
    for wrong in (None, 7, "", "x" * 32, KEY + "0", "-" * 1_000):
        assert normal_id(wrong) is None


LINES = st.lists(
    st.one_of(
        st.binary(max_size=20),
        st.builds(item, st.sampled_from(["event", "session", "x"]), st.binary(max_size=20)),
        st.builds(sized, st.sampled_from(["event", "attachment"]), st.binary(max_size=20)),
        st.sampled_from([b"\n", b"\r\n", b"{}\n", b'{"type":"event","length":3}\n', b'{"length":1}\n']),
    ),
    max_size=6,
).map(b"".join)


@given(
    rest=LINES,
    cuts=st.lists(st.integers(0, 300), max_size=6),
    header=st.sampled_from([b"{}\n", b"{}\r\n", b""]),
)
def test_an_envelope_is_the_same_whatever_its_pieces(rest: bytes, cuts: list[int], header: bytes) -> None:
    body = header + rest
    bounds = [0, *sorted(min(cut, len(body)) for cut in cuts), len(body)]
    whole = told([body])
    assert told(body[a:b] for a, b in pairwise(bounds)) == whole
    assert told(pieces_of(body, 1)) == whole


def naive_items(body: bytes) -> Counter[str]:
    """Items by type, of a sound envelope: read at once, as its description says."""
    kinds: Counter[str] = Counter()
    at = body.find(b"\n") + 1 or len(body)
    while at < len(body):
        end = body.find(b"\n", at)
        header = msgspec.json.decode(body[at:end])
        at = end + 1
        end = at + header["length"] if "length" in header else body.find(b"\n", at) % (len(body) + 1)
        kinds[header["type"]] += 1
        at = end + 1
    return kinds


def test_every_recorded_envelope_is_read_whole() -> None:
    wanted = {"event": MEBIBYTE, "client_report": 4_096}
    seen: Counter[str] = Counter()
    for recording in recordings():
        for request in recording.requests:
            if request.method != "POST" or not request.path.rstrip("/").endswith("/envelope"):
                continue
            body = content_of(request)
            found, reader = read(pieces_of(body, 1_024), wanted)
            kinds = Counter(each.kind for each in found) + Counter(reader.dropped)
            assert (kinds, reader.broken) == (naive_items(body), 0), recording.name
            assert reader.header
            seen += kinds
    assert seen["event"] > 300
    assert seen["session"] > 200
    assert seen["client_report"] > 20


def peak_of(pieces: Iterable[bytes], wanted: dict[str, int]) -> tuple[int, EnvelopeReader]:
    tracemalloc.start()
    try:
        reader = read(pieces, wanted)[1]
        return tracemalloc.get_traced_memory()[1], reader
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    ("begin", "filler", "times"),
    [
        (b'{}\n{"type":"attachment","length":100000000}\n', b"x" * 65_536, 1_600),
        (b'{}\n{"type":"session"}\n', b"x" * 65_536, 1_600),
        (b'{}\n{"type":"event"}\n', b"x" * 65_536, 1_600),
        (b'{}\n{"type":"event","length":100000000}\n', b"x" * 65_536, 1_600),
        (b"{}\n", b"x" * 65_536, 1_600),
        (b"{}\n", b"\n" * 65_536, 1_600),
        (b"{}\n", b" \r\n" * 20_000, 1_600),
        (b"{}\n", b'{"type":"session"}\n{}\n' * 3_000, 100),
        (b"{}\n", b'{"type":"event"}\n{}\n' * 3_000, 100),
        (b"{}\n", b"{}\n" * 20_000, 100),
        (b'{}\n{"type":"', b"x" * 65_536, 160),
    ],
)
def test_a_bomb_is_read_within_its_bounds(begin: bytes, filler: bytes, times: int) -> None:
    pieces = (begin if at == 0 else filler for at in range(times))
    peak, reader = peak_of(pieces, {"event": MEBIBYTE})
    assert peak < 4 * MEBIBYTE
    assert reader.broken <= ITEMS + 1
    assert len(reader.dropped) <= 1
