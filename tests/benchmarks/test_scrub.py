"""What scrubbing costs: an event beside its encoding, a batch beside a marked one, a text by its length."""

import re
import statistics
import timeit
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from time import process_time
from typing import Final

import pytest
from tests.benchmarks.report import report
from tests.benchmarks.sentry_traffic import recorded_bodies
from tests.tools.event import bodies, unmarked
from tests.tools.secret import ASSIGNMENTS, PLANTED

from faultwire_consumer.ingest.read.candidate import candidates_of
from faultwire_consumer.ingest.read.delivery import Delivery, read_delivery
from faultwire_consumer.ingest.read.grouping import Grouper
from faultwire_consumer.ingest.read.narrow import decode_narrow
from faultwire_consumer.ingest.read.scrubbing import BodyScrubber
from faultwire_shared import codec
from faultwire_shared.event import ErrorSeverity, Event, ExceptionInfo, Frame
from faultwire_shared.scrub import Scrubber

pytestmark = pytest.mark.benchmark

ROUNDS: Final = 9
SHORT: Final = 8_000
LONGER: Final = 8
CALL: Final = 20.0
"""Microseconds that do not count in how a cost grows."""
SHAPES: Final = (
    *"a=:<>\"'\\[{(-.,;&%@4éA",
    *(text.format("x") for text in ASSIGNMENTS),
    *(planted.text for planted in PLANTED[-60::7]),
    *(
        "a=",
        "a:",
        "%41",
        "%5B",
        "a%5B",
        "-----BEGIN PRIVATE KEY-----",
        "-----END PRIVATE KEY-----",
        "eyJ",
        "-eyJ",
    ),
    *(
        "://",
        "a://b:",
        "a://b:c@",
        "4111 ",
        "4-",
        "bearer ",
        "Basic a",
        "sk-a-",
        "('password', ",
        "input_value=",
    ),
    *(
        'name="password" ',
        "<password ",
        "password: a | ",
        "--password ",
        "\\x",
        "a'b",
        "&a",
        "[{(",
        "\\\\\\'",
    ),
)


def cost(call: Callable[[], object], number: int) -> float:
    """Microseconds of one call."""
    return timeit.timeit(call, number=number) / number * 1e6


def usual_event() -> Event:
    message = "gateway refused order 17 of the basket"
    frames = [
        Frame(
            file=f"shop/step_{n}.py",
            module=f"shop.step_{n}",
            qualname="call",
            line=n,
            context=["return go(basket)"],
        )
        for n in range(13)
    ]
    return Event(
        id="error_20261123_k3v9x2m7q4w8r1t6",
        schema_version=1,
        occurred_at=datetime(2026, 11, 23, 10, tzinfo=UTC),
        severity=ErrorSeverity.HIGH,
        service="shop",
        code="CARD_GATEWAY_DOWN",
        host="web-3",
        release="1.2.0",
        message=message,
        exceptions=[ExceptionInfo(type="KeyError", module="builtins", value=message, frames=frames)],
        context={
            "order": 17,
            "currency": "EUR",
            "basket": ["apples", "pears"],
            "customer": "c-1234",
            "step": "pay",
        },
        transaction="/orders/{id}/pay",
    )


def test_an_event_without_secrets_beside_its_encoding() -> None:
    scrubber, event, ratios = Scrubber(), usual_event(), []
    assert scrubber.scrub(event).message == event.message
    for _ in range(ROUNDS):
        encoding = cost(lambda: codec.encode(event), 10_000)
        scrubbing = cost(lambda: scrubber.scrub(event), 10_000)
        print(f"\nencode {encoding:.1f} us, scrub {scrubbing:.1f} us")
        ratios.append(scrubbing / encoding)
    report("scrub / encode of an event with 13 frames and 5 context keys", "none", ratios)


def deliveries(events: Iterable[bytes]) -> list[Delivery]:
    return [read_delivery(body, codec.EVENT_TYPE, origin="test", handle=None) for body in events]


def varied(events: Iterable[bytes]) -> Iterator[bytes]:
    """Each at a time of its own, with texts that no other has, as events of real publishers."""
    for number, event in enumerate(events):
        digits = b"%032x" % ((number + 1) * 0x9E3779B97F4A7C15F39CC0605CEDC835 % 2**128)
        time = b"T%02d:%02d:%02d.%03dZ" % (number % 24, number % 60, number % 59, number % 997)
        told = re.sub(rb"T[0-9:.]+Z", time, event, count=1).replace(b"the basket", b"basket %b" % digits[-6:])
        yield told[:-1] + b',"trace_id":"%b","user":{"name":"Customer %b"}}' % (digits, digits[-5:])


def recorded() -> list[bytes]:
    """The gateway's, of what was recorded of Sentry's SDKs; those that hold no secret."""
    bodies, scrubber = recorded_bodies(), BodyScrubber()
    return [body for body in bodies if scrubber.mark_inert(body, decode_narrow(body)) is not None]


KINDS: Final[dict[str, Callable[[], Iterable[bytes]]]] = {
    "the events above": lambda: unmarked(bodies(2_000)),
    "each with a time and texts of its own": lambda: varied(unmarked(bodies(2_000))),
    "the gateway's, without a secret": lambda: recorded() * 20,
    "the gateway's, all": lambda: recorded_bodies() * 20,
}


@pytest.mark.parametrize("kind", KINDS)
def test_a_batch_that_is_not_marked_beside_one_that_is(kind: str) -> None:
    now, ratios = datetime.now(UTC), []
    events = list(KINDS[kind]())
    marked = deliveries(event[:-1] + b',"scrubbed":true}' for event in events)
    sides = [(Grouper(), BodyScrubber(), batch) for batch in (marked, deliveries(events))]

    def ingest(grouper: Grouper, scrubber: BodyScrubber, batch: list[Delivery]) -> float:
        begun = process_time()
        for one in batch:
            candidates_of(one, grouper=grouper, scrubber=scrubber, received_at=now)
        return (process_time() - begun) / len(batch) * 1e6

    times: list[list[float]] = [[], []]
    for _ in range(ROUNDS):
        for side, taken in zip(sides, times, strict=True):
            taken.append(ingest(*side))
        ratios.append(times[1][-1] / times[0][-1])
    goal = "none" if kind.endswith("all") else "at most 1.5"
    seen = {"us": times[1], "against": times[0]}
    report(f"decode, scrub and group: {kind}, unmarked / marked", goal, ratios, seen)


def test_the_time_grows_with_the_length_of_a_text() -> None:
    """Of a pattern that tries again and again, eight times the length would take 64 times as long."""
    scrubber, growth = Scrubber(), dict[str, float]()
    for shape in SHAPES:
        for before in ("", "password=", 'password="', "https://u:p"):
            text = before + shape * (SHORT * LONGER // len(shape) + 1)
            ratios = []
            for _ in range(3):
                short = cost(lambda text=text: scrubber.scrub_text(text[:SHORT]), 1)  # type: ignore[misc]  # a default
                long = cost(lambda text=text: scrubber.scrub_text(text[: SHORT * LONGER]), 1)  # type: ignore[misc]
                # Without the cost of a call, of which a short text may be all.
                ratios.append(max(0.0, long - CALL) / max(5 * CALL, short - CALL))
            growth[f"{before}{shape}"[:40]] = statistics.median(ratios)
    worst = sorted(growth, key=lambda shape: growth[shape])[-5:]
    print("\nthe worst shapes: " + ", ".join(f"{shape!r} {growth[shape]:.0f}" for shape in worst))
    report(f"{LONGER} times the length / once", f"about {LONGER}", list(growth.values()))
